"""Partners of a hospital: whose cards it trusts, and what it holds of their ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.node.owner.checkpoints import held_checkpoints

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.node.owner.checkpoints import HeldCheckpoint
    from securefl.node.site import Site


@dataclass(frozen=True)
class Partner:
    """A party whose card is trusted here.

    ``held``: the newest checkpoint of its ledger; None where none is held.
    """

    card: IdentityCard
    held: HeldCheckpoint | None


def own_card(site: Site) -> IdentityCard:
    """This hospital's own card, whose groups are read aloud to the others."""
    return site.identity.card


def partners(site: Site) -> tuple[Partner, ...]:
    """Everybody on this hospital's list.

    Raises:
        UntrustedError, UnreadableError: the list is not the one that was signed here.
    """
    held = {row.site: row for row in held_checkpoints(site)}
    return tuple(Partner(card, held.get(name)) for name, card in site.book.cards().items())
