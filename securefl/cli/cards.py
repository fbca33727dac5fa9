"""Trusting cards: the same for every role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.cli.screen import same_card, say, say_quoted
from securefl.errors import MessageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.partners import AddressBook


def trust_cards(
    book: AddressBook,
    cards: tuple[Path, ...],
    *,
    fingerprint: str | None,
    yes: bool,
    remove: str | None,
) -> None:
    """Add cards, remove a name, or show the list.

    Raises:
        UnreadableError, MessageError: a file is not a card.
        UsageError: nobody compared a fingerprint, or one for several cards.
        UntrustedError: another key is trusted under a card's name.
    """
    from securefl.report.words import day

    if remove:
        book.distrust(remove)
        say(f"{remove} is off the list.")
        return
    if fingerprint and len(cards) != 1:
        raise UsageError(
            "--fingerprint goes with one card.", next_step="Trust the cards one by one."
        )
    for path in cards:
        card = _read(path)
        say(f"{card.role} {card.name}, as the card calls itself:")
        say_quoted(f"{card.legal_name}, {card.email}")
        say(f"  fingerprint  {card.spoken}")
        book.check(card)
        old = book.replaced(card)
        if old is not None:
            for line in _takes_over(old, card):
                say(line)
        same_card(card.spoken, fingerprint, yes=yes, who=card.name)
        book.trust(card)
        if old is not None:
            say(
                f"{card.name}'s new card has replaced the older one here. Studies that name the old"
                " key can no longer begin."
            )
    listed = book.cards()
    say(
        "Trusted here:"
        f" {', '.join(f'{c.name} ({c.role})' for c in listed.values()) or 'nobody yet'}."
    )
    if not cards:
        for card in listed.values():
            changed = (
                f" (new keys since {day(card.earlier[-1].until)[:10]})" if card.earlier else ""
            )
            say(f"  {card.name:<16} {card.spoken}{changed}")
            say_quoted(card.legal_name)


def _read(path: Path) -> IdentityCard:
    from securefl.files import read_given
    from securefl.identity import MAX_CARD_BYTES, as_it_was_sent, read_card

    try:
        return read_card(as_it_was_sent(read_given(path, MAX_CARD_BYTES)))
    except MessageError as error:
        raise MessageError(
            f"{path} is not an identity card that can be trusted. {error.what}",
            whose=f"whoever gave you {path.name}",
            next_step=(
                "Get the file keys/card.json of its owner's folder again. Nothing of this file was"
                " added."
            ),
        ) from None


def _takes_over(old: IdentityCard, new: IdentityCard) -> list[str]:
    """What a person should know before trusting a successor."""
    from securefl.report.words import day

    until = next(e.until for e in new.earlier if e.signing_public == old.signing_public)
    more = (
        ""
        if new.earlier[-1].signing_public == old.signing_public
        else f", and changed its keys again until {day(new.earlier[-1].until)}"
    )
    return [
        f"  replaces     {old.spoken}, which you trust as {new.name} until now",
        f"  from         {day(until)}: the old key itself signed that this one comes next{more}",
        (
            f"  Telephone {new.name} all the same, on a number you know: whoever stole the old key"
            " could have signed that."
        ),
    ]
