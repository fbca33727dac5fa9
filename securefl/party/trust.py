"""Trusting an identity card: the same for every role, in two steps around a telephone call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from securefl.errors import MessageError, UsageError
from securefl.identity import as_it_was_sent, read_card

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.partners import AddressBook

#: Hexadecimal digits of a fingerprint.
_DIGITS = 40


@dataclass(frozen=True)
class TrustPlan:
    """A card before a person's yes.

    Attributes:
        card: that would be trusted.
        replaced: the trusted card whose key says that this one comes next; None where the name is
            new.
    """

    card: IdentityCard
    replaced: IdentityCard | None

    @property
    def replaced_until(self) -> str:
        """UTC in ISO 8601, until which the replaced card's key signed; empty where none is."""
        if self.replaced is None:
            return ""
        key = self.replaced.signing_public
        return next(e.until for e in self.card.earlier if e.signing_public == key)

    @property
    def changed_again_until(self) -> str:
        """When the keys changed last, where they changed more than once since; else empty."""
        if self.replaced is None:
            return ""
        last = self.card.earlier[-1]
        if last.signing_public == self.replaced.signing_public:
            return ""
        return last.until


def read_given_card(data: bytes, file: str) -> IdentityCard:
    """Read a card as somebody sent it.

    Args:
        data: the card.
        file: its name, for the refusal.

    Raises:
        MessageError: it is no card.
    """
    try:
        return read_card(as_it_was_sent(data))
    except MessageError as error:
        raise MessageError(
            f"{file} is not an identity card that can be trusted. {error.what}",
            whose=f"whoever gave you {PurePath(file).name}",
            next_step=(
                "Get the file keys/card.json of its owner's folder again. Nothing of this file was"
                " added."
            ),
        ) from None


def plan_trust(book: AddressBook, card: IdentityCard) -> TrustPlan:
    """Check that a card may be trusted; nothing is written.

    Raises:
        UntrustedError: another key is trusted under its name, or it is this party's own.
    """
    book.check(card)
    return TrustPlan(card, book.replaced(card))


def fits_fingerprint(card: IdentityCard, given: str) -> bool:
    """True where groups that somebody read out are those of a card; blanks do not count."""
    plain = "".join(given.split()).lower()
    return len(plain) >= _DIGITS and plain[:_DIGITS] == card.spoken.replace(" ", "")


def check_fingerprint(card: IdentityCard, given: str) -> None:
    """Refuse a card whose fingerprint is not the one that was read out by telephone.

    Raises:
        UsageError: it differs.
    """
    if not fits_fingerprint(card, given):
        raise UsageError(
            f"The fingerprint given is not that of this card ({card.spoken}).",
            whose=card.name,
            next_step=f"Telephone {card.name} and compare again; do not trust this card.",
        )


def trust(book: AddressBook, plan: TrustPlan) -> None:
    """Add a card whose fingerprint was compared.

    Raises:
        UntrustedError: the list changed meanwhile, and another key is trusted under its name.
    """
    book.trust(plan.card)
