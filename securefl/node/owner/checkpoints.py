"""Checkpoints: what this hospital holds of other ledgers, and its owner's word on one in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError, UsageError
from securefl.node import holders, pasts
from securefl.node.checkpoints import hospitals_of, kept

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint, as the ledger's own hospital signed it.

    Attributes:
        site: whose ledger.
        size: how many events it had.
        head: hash of the last one.
        signed: the statement.
    """

    site: str
    size: int
    head: str
    signed: bytes


@dataclass(frozen=True)
class HeldCheckpoint:
    """A line of the list of what is held.

    Attributes:
        site: whose ledger.
        checkpoint: the newest; None where it cannot be read.
        unreadable: why it cannot.
        doubted: that hospital has shown two pasts of its ledger.
    """

    site: str
    checkpoint: SignedCheckpoint | None
    unreadable: str = ""
    doubted: bool = False


@dataclass(frozen=True)
class ExcusePlan:
    """Starting studies without the word of a silent hospital, before the owner's yes.

    Attributes:
        site: the silent hospital.
        size: events of this hospital's own ledger.
        last_at: time of the last of them, UTC in ISO 8601.
    """

    site: str
    size: int
    last_at: str


def held_checkpoints(site: Site) -> tuple[HeldCheckpoint, ...]:
    """The newest checkpoint of each other hospital's ledger, as far as one is held here."""
    rows = (_held(site, card) for card in hospitals_of(site).values())
    return tuple(row for row in rows if row is not None)


def find_checkpoint(site: Site, name: str) -> SignedCheckpoint:
    """The checkpoint held of a hospital's ledger; with the own name, of this ledger as it is now.

    Raises:
        UsageError: it is not on the list, or none is held.
        UnreadableError: that hospital's present card cannot check it.
    """
    if name == site.name:
        ledger = site.ledger
        return SignedCheckpoint(name, ledger.size, ledger.head, ledger.checkpoint())
    card = hospitals_of(site).get(name)
    if card is None:
        raise UsageError(
            f"{name} is not among the hospitals on your list.",
            next_step=(
                "`securefl site trust` shows the list; `securefl site checkpoint` shows of whom a"
                " checkpoint is held."
            ),
        )
    found = _kept(site, card)
    if found is None:
        known = ", ".join(row.site for row in held_checkpoints(site)) or "none"
        raise UsageError(
            f"No checkpoint of {name} is held here. Held: {known}.",
            next_step="Hospitals hand them out with each round of a study that they run together.",
        )
    return found


def other_hospitals(site: Site) -> tuple[str, ...]:
    """Names of the hospitals on this one's list."""
    return tuple(hospitals_of(site))


def doubted_hospitals(site: Site) -> tuple[str, ...]:
    """Names of those that have shown two pasts of their ledgers."""
    return tuple(pasts.doubted(site, other_hospitals(site)))


def check_doubted(site: Site, name: str) -> None:
    """Refuse to settle what is not in doubt.

    Raises:
        UsageError: that hospital has not shown two pasts.
    """
    if not pasts.doubted(site, (name,)):
        raise UsageError(
            f"Nothing about the ledger of {name} is in doubt here.",
            next_step="`securefl site checkpoint` lists what is held.",
        )


def settle_doubt(site: Site, name: str) -> Path | None:
    """Put aside what is held of a doubted ledger, after a telephone call: studies can start again.

    Returns:
        Where the evidence lies now; None where the doubt was settled meanwhile.
    """
    return pasts.settle_doubt(site, name)


def plan_excuse(site: Site, name: str) -> ExcusePlan:
    """Work out what it means not to wait for a hospital; nothing is written.

    Raises:
        UsageError: it is not on the list.
    """
    if name not in hospitals_of(site):
        raise UsageError(
            f"{name} is not among the hospitals on your list.",
            next_step="`securefl site trust` shows the list.",
        )
    return ExcusePlan(name, site.ledger.size, site.ledger.events()[-1].at)


def excuse(site: Site, plan: ExcusePlan, at: str) -> None:
    """Do not wait for a hospital before a study starts, until it is heard again.

    ``at``: now, UTC in ISO 8601.
    """
    holders.excuse(site, plan.site, at)


def _kept(site: Site, card: IdentityCard) -> SignedCheckpoint | None:
    found = kept(site, card)
    if found is None:
        return None
    checkpoint, signed = found
    return SignedCheckpoint(card.name, checkpoint.size, checkpoint.head, signed)


def _held(site: Site, card: IdentityCard) -> HeldCheckpoint | None:
    try:
        found = _kept(site, card)
    except UnreadableError as error:
        return HeldCheckpoint(card.name, None, unreadable=str(error))
    if found is None:
        return None
    return HeldCheckpoint(card.name, found, doubted=bool(pasts.doubted(site, (card.name,))))
