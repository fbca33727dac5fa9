"""Receipt of a party in an ended study: it needs nothing more of the study's bytes in the store.

A hospital's agent gives it when the study is completed there and its model, where it gets one, was
fetched. A party that takes its own bytes away gives it first, and says so in it
(:mod:`securefl.federation.study_cleaning`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from securefl.federation.status_board import departures
from securefl.federation.study_board import StudyBoard
from securefl.identity import Verifier
from securefl.statement import Hex32, Statement
from securefl.study.recipients import recipients

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan


@dataclass(frozen=True)
class Receipt(Statement):
    """Party's word that it needs nothing more of a study's bytes.

    Args:
        study: the study's digest.
        site: who says it: a hospital, the aggregator or the coordinator.
        removed: it takes its own long bytes out of the store.
    """

    TYPE: ClassVar[str] = "securefl-study-receipt/1"
    WHAT: ClassVar[str] = "A receipt"

    study: Hex32
    site: str
    removed: bool


def receipts_on(board: Board, plan: RoundPlan) -> dict[str, Receipt]:
    """Party → the receipt that it signed, of all that did.

    Raises:
        StoreError: the store is away.
    """
    keys = plan.signing_keys()
    for party in (plan.study.aggregator, plan.study.coordinator):
        keys[party.name] = party.signing_public
    at = StudyBoard(board, plan.digest)
    found = {}
    for name in at.with_receipt():
        if name in keys:
            check = Verifier(name, keys[name])
            read = partial(Receipt.open, study=plan.digest, site=name, verify=check)
            found[name] = at.receipt(name).read_as(read)
    return {name: said for name, said in found.items() if said is not None}


def need_it_still(board: Board, plan: RoundPlan) -> tuple[str, ...]:
    """Name the parties that may still need bytes of an ended study.

    Those are hospitals that neither gave a receipt nor ended their part, and the aggregator where a
    model lies in the store for it.

    Raises:
        StoreError: the store is away.
    """
    wanted = set(plan.study.cohort)
    aggregator = plan.study.aggregator.name
    model = StudyBoard(board, plan.digest).model_statement
    if aggregator in recipients(plan.study) and model.read() is not None:
        wanted.add(aggregator)
    said = {*receipts_on(board, plan), *departures(board, plan)}
    return tuple(sorted(wanted - said))


def removed_by(board: Board, plan: RoundPlan) -> tuple[str, ...]:
    """Name the parties that say, signed, that they took their bytes away.

    Raises:
        StoreError: the store is away.
    """
    return tuple(sorted(name for name, said in receipts_on(board, plan).items() if said.removed))
