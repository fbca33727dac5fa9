"""Lot of a study that trains by groups, as hospitals say it in the store: commitments, then nonces.

A hospital shows its nonce only after it saw every hospital's commitment, and says by their hash which
ones it saw: all must have seen the same. Anybody can write there, so only what the named hospital
signed counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, TypeVar

from securefl.errors import RoundError
from securefl.federation.study_board import StudyBoard
from securefl.secagg.group_draw import Lot
from securefl.signed import canonical
from securefl.statement import Hex32, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan

StatementT = TypeVar("StatementT", bound=Statement)


@dataclass(frozen=True)
class GroupCommitment(Statement):
    """Hospital's commitment to its nonce.

    Args:
        study: the study's digest.
        site: who says it.
        commitment: see :func:`securefl.secagg.group_draw.commitment`.
    """

    TYPE: ClassVar[str] = "securefl-group-commitment/1"
    WHAT: ClassVar[str] = "A commitment"

    study: Hex32
    site: str
    commitment: Hex32


@dataclass(frozen=True)
class GroupNonce(Statement):
    """Hospital's nonce, shown once all have committed.

    Args:
        study: the study's digest.
        site: who says it.
        nonce: 32 bytes in hex.
        commitments: :func:`commitments_sha256` of those that it saw.
    """

    TYPE: ClassVar[str] = "securefl-group-nonce/1"
    WHAT: ClassVar[str] = "A nonce"

    study: Hex32
    site: str
    nonce: Hex32
    commitments: Hex32


def commitments_sha256(commitments: Mapping[str, str]) -> str:
    """Hash of all commitments: hex SHA-256 of hospital → commitment as canonical JSON."""
    return sha256(canonical(dict(commitments))).hexdigest()


def commitments_on(board: Board, plan: RoundPlan) -> dict[str, str]:
    """Hospital → its commitment (hex), of those that are there.

    Raises:
        StoreError: the store is away.
    """
    slots = StudyBoard(board, plan.digest)
    found = _said(slots.group_commitment, slots.with_group_commitment(), plan, GroupCommitment)
    return {site: one.commitment for site, one in found.items()}


def nonces_on(board: Board, plan: RoundPlan) -> dict[str, GroupNonce]:
    """Hospital → its shown nonce, of those that are there.

    Raises:
        StoreError: the store is away.
    """
    slots = StudyBoard(board, plan.digest)
    return _said(slots.group_nonce, slots.with_group_nonce(), plan, GroupNonce)


def lot_of(
    plan: RoundPlan,
    commitments: Mapping[str, str],
    nonces: Mapping[str, GroupNonce],
) -> Lot:
    """The study's lot, of what all hospitals said.

    Args:
        plan: the study.
        commitments: of all hospitals, hex.
        nonces: of all hospitals.

    Raises:
        RoundError: something is missing, or a hospital showed another nonce than it committed to,
            or saw other commitments.
    """
    missing = ", ".join(site for site in plan.study.cohort if site not in commitments)
    if missing:
        raise RoundError(
            f"{missing} did not commit to a nonce: no groups are drawn.",
            whose=missing,
            next_step="Ask whether its agent runs. Nothing was charged.",
        )
    saw = commitments_sha256(commitments)
    others = ", ".join(site for site, one in sorted(nonces.items()) if one.commitments != saw)
    if others:
        raise RoundError(
            f"{others} saw other commitments than lie in the store: a hospital exchanged its own"
            " after nonces were shown, and could have chosen its group.",
            whose=f"{others}, or the hospital that exchanged its commitment",
            next_step="The study ends here, nothing was charged. Make a new study.",
        )
    committed = {site: bytes.fromhex(one) for site, one in commitments.items()}
    shown = {site: bytes.fromhex(one.nonce) for site, one in nonces.items()}
    return Lot.open(plan.digest, committed, shown)


def lot_on(board: Board, plan: RoundPlan) -> Lot:
    """The study's lot, as it lies in the store: for the coordinator.

    Raises:
        StoreError: the store is away.
        RoundError: as :func:`lot_of`.
    """
    return lot_of(plan, commitments_on(board, plan), nonces_on(board, plan))


def _said(
    slot_of: Callable[[str], Slot],
    there: list[str],
    plan: RoundPlan,
    kind: type[StatementT],
) -> dict[str, StatementT]:
    found = {}
    for site in plan.study.cohort:
        if site not in there:
            continue
        read = partial(kind.open, study=plan.digest, site=site, verify=plan.hospital(site))
        said = slot_of(site).read_as(read)
        if said is not None:
            found[site] = said
    return found
