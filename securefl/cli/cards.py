"""Trusting cards: the same for every role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.cli.screen import same_card, say
from securefl.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import AddressBook


def trust_cards(book: AddressBook, cards: tuple[Path, ...], *, fingerprint: str | None, yes: bool, remove: str | None) -> None:
    """Add cards, remove a name, or show the list.

    Raises:
        UsageError: nobody compared a fingerprint, or one for several cards.
        UntrustedError: another key is trusted under a card's name.
    """
    from securefl.identity import MAX_CARD_BYTES, read_card

    if remove:
        book.distrust(remove)
        say(f"{remove} is off the list.")
        return
    if fingerprint and len(cards) != 1:
        raise UsageError("--fingerprint goes with one card.", next_step="Trust the cards one by one.")
    for path in cards:
        try:
            with path.open("rb") as file:
                card = read_card(file.read(MAX_CARD_BYTES + 1))
        except OSError as error:
            raise UnreadableError(f"{path} cannot be read: {error.strerror}.", next_step="Name the card's file.") from None
        say(f"{card.role} {card.name}: {card.legal_name}, {card.email}")
        say(f"  fingerprint  {card.spoken}")
        same_card(card.spoken, fingerprint, yes=yes, who=card.name)
        book.trust(card)
    listed = book.cards()
    say(f"Trusted here: {', '.join(f'{c.name} ({c.role})' for c in listed.values()) or 'nobody yet'}.")
    if not cards:
        for card in listed.values():
            say(f"  {card.name:<16} {card.spoken}  {card.legal_name}")
