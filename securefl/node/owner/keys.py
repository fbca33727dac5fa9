"""New keys for a hospital."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.node import rotation
from securefl.node.owner.requests import waiting_requests

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site


@dataclass(frozen=True)
class RotationPlan:
    """A change of keys before the owner's yes.

    Attributes:
        card: the present one, whose private keys would be erased.
        partners: cards on this hospital's list; each of them then needs the new card.
        waiting: requests that name the old key and could no longer be approved.
    """

    card: IdentityCard
    partners: tuple[IdentityCard, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True)
class Rotated:
    """A change of keys that was made.

    Attributes:
        plan: what was agreed to; its card is the old one.
        card: the new one.
        card_file: where it lies.
    """

    plan: RotationPlan
    card: IdentityCard
    card_file: Path

    @property
    def since(self) -> str:
        """UTC in ISO 8601, from which on the new keys sign."""
        return self.card.earlier[-1].until


def plan_rotation(site: Site) -> RotationPlan:
    """Work out what new keys would do; nothing is written.

    Raises:
        NotApprovedError: a study is approved or running: its approval names the old key.
    """
    rotation.check_no_study(site)
    return RotationPlan(
        site.identity.card,
        tuple(site.book.cards().values()),
        tuple(request.short for request in waiting_requests(site)),
    )


def rotate_key(site: Site, plan: RotationPlan, at: str) -> Rotated:
    """Make new keys and erase the old private ones; the site has to be opened anew.

    Args:
        site: the hospital.
        plan: as its owner read it.
        at: now, UTC in ISO 8601.

    Raises:
        UsageError: the agent runs, or the keys were changed meanwhile.
        NotApprovedError: a study was approved meanwhile.
    """
    return Rotated(plan, rotation.rotate_key(site, at), site.keys / "card.json")


def finish_rotation(folder: Path) -> None:
    """Finish or clear away an interrupted change of keys, as the ledger says; harmless without one.

    Raises:
        UnreadableError: keys and ledger do not go together.
        LedgerAlteredError: the ledger does not hold.
    """
    if rotation.unfinished(folder):
        rotation.finish(folder)
