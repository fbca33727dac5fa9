"""Partners of a hospital: whose cards it trusts, and what it holds of their ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UntrustedError, UsageError
from securefl.identity import MAX_CARD_BYTES
from securefl.node.owner.checkpoints import held_checkpoints
from securefl.party.trust import fits_fingerprint, plan_trust, read_given_card, trust

if TYPE_CHECKING:
    from securefl.identity import IdentityCard
    from securefl.node.owner.checkpoints import HeldCheckpoint
    from securefl.node.site import Site
    from securefl.partners import Vouched
    from securefl.party.trust import TrustPlan


@dataclass(frozen=True)
class Partner:
    """A party on this hospital's list.

    Attributes:
        card: its card.
        held: the newest checkpoint of its ledger; None where none is held.
        vouched: another hospital's word under which it is there; None where its card was compared.
        lapsed: why that word counts no more; empty while the card is trusted.
    """

    card: IdentityCard
    held: HeldCheckpoint | None
    vouched: Vouched | None = None
    lapsed: str = ""


def own_card(site: Site) -> IdentityCard:
    """This hospital's own card, whose groups are read aloud to the others."""
    return site.identity.card


def partners(site: Site) -> tuple[Partner, ...]:
    """Everybody on this hospital's list.

    Raises:
        UntrustedError, UnreadableError: the list is not the one that was signed here.
    """
    held = {row.site: row for row in held_checkpoints(site)}
    return tuple(
        Partner(entry.card, held.get(name), entry.vouched, entry.lapsed)
        for name, entry in site.book.listed().items()
    )


def plan_partner(site: Site, card: str, heard: str) -> TrustPlan:
    """Check a card and the groups that its owner read out by telephone; nothing is written.

    A refusal does not say which groups would have been right: whoever could copy them from the
    screen would not telephone.

    Args:
        site: the hospital.
        card: its text.
        heard: the groups, as they were typed.

    Raises:
        MessageError: it is no card.
        UsageError: the groups are not this card's.
        UntrustedError: another key is trusted under its name, or it is this hospital's own.
    """
    text = card.encode("utf-8", "replace")[: MAX_CARD_BYTES + 1]
    found = read_given_card(text, "What was pasted")
    plan = plan_trust(site.book, found)
    if not fits_fingerprint(found, heard):
        raise UsageError(
            "The groups that were typed are not those of this card. Nothing was done.",
            whose=found.name,
            next_step=(
                f"Telephone {found.name} on a number that you know, and have all ten groups read"
                " again. If they still differ, do not trust this card."
            ),
        )
    return plan


def trust_partner(site: Site, plan: TrustPlan) -> None:
    """Add a card whose groups fit. Raises as :func:`securefl.party.trust.trust`."""
    trust(site.book, plan)


def plan_distrust(site: Site, name: str) -> IdentityCard:
    """Find the card that would be taken off the list; nothing is written.

    Raises:
        UntrustedError: nobody has that name.
    """
    listed = site.book.listed()
    if name not in listed:
        raise UntrustedError(
            f"{name} is not in this party's list.",
            next_step="`securefl site trust` without a card shows the list.",
        )
    return listed[name].card


def distrust_partner(site: Site, card: IdentityCard) -> None:
    """Take a card off the list. Raises :class:`UntrustedError` where it is gone already."""
    site.book.distrust(card.name)
