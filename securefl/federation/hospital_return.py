"""Return of a hospital that was lost in a round of a study that goes on.

It says so, signed (:class:`Return`); the coordinator announces the next round to it, and every other
hospital looks for that word before it answers. What the hospital missed it verifies in the store, as
whoever adds a round again does: each missed round follows from the totals before it (rule 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from securefl.federation.study_board import StudyBoard
from securefl.statement import Hex32, Positive, Statement

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan


@dataclass(frozen=True)
class Return(Statement):
    """Hospital's word that it goes on after a round that was opened without it.

    Args:
        study: the study's digest.
        site: who says it.
        instance: the run of its agent, as in its ready statement.
        round: the last round that went on without it.
    """

    TYPE: ClassVar[str] = "securefl-study-return/1"
    WHAT: ClassVar[str] = "A word of return"

    study: Hex32
    site: str
    instance: Hex32
    round: Positive


def returned(board: Board, plan: RoundPlan) -> dict[str, Return]:
    """Hospital → what it signed last about its return, of all that did.

    Raises:
        StoreError: the store is away.
    """
    if not plan.survives_losses:
        return {}
    at = StudyBoard(board, plan.digest)
    found = {}
    for site in at.with_return():
        if site in plan.study.cohort:
            read = partial(Return.open, study=plan.digest, site=site, verify=plan.hospital(site))
            found[site] = at.returns(site).read_as(read)
    return {site: said for site, said in found.items() if said is not None}
