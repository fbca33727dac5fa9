"""Signature of one of several parties: whose it is follows from the key, not from what the text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.identity import IdentityCard


class SignerAmong:
    """Check of a signature against many cards, which keeps the one whose present key made it.

    Args:
        cards: of those who may have signed.

    Attributes:
        signer: the card; None before a signature held.
    """

    def __init__(self, cards: Iterable[IdentityCard]) -> None:
        self._cards = tuple(cards)
        self.signer: IdentityCard | None = None

    @property
    def known(self) -> IdentityCard:
        """Card of the signer, behind a check that held.

        Raises:
            LookupError: no signature held.
        """
        if self.signer is None:
            raise LookupError("no signature of one of the cards was seen")
        return self.signer

    def __call__(self, signature: bytes, message: bytes) -> bool:
        """True if one of the cards' keys made ``signature`` (64 bytes) over ``message``."""
        for card in self._cards:
            if card.verify(signature, message):
                self.signer = card
                return True
        return False
