"""Parties of a study as its file names them, from the researcher's own list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.party.folder import PartyFolder


def card_fields(card: IdentityCard) -> dict[str, str]:
    """Fields of a card as a study file has them."""
    return {k: v for k, v in card.fields().items() if k != "role"}


def party_fields(folder: PartyFolder, name: str, role: str) -> dict[str, str]:
    """Fields of a listed party.

    Raises:
        UsageError: nobody of that name and role is in the list.
    """
    card = folder.book.cards().get(name)
    if card is None or card.role != role:
        raise UsageError(
            f"{name} is not in this researcher's list as {role}.",
            next_step=(
                f"Get {name}'s card, compare its fingerprint, then `securefl study trust CARD`."
            ),
        )
    return card_fields(card)
