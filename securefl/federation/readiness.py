"""Ready statements in the store: who has answered a call, and with which run of its agent.

Anybody can write there, so only what the named hospital signed counts; the rest is as if it were
not there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from securefl.federation.messages import Call, Ready
from securefl.federation.study_board import StudyBoard

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan


def call_of(board: Board, plan: RoundPlan) -> Call | None:
    """The coordinator's newest call; None while it has not called.

    Raises:
        StoreError: the store is away.
    """
    read = partial(Call.open, study=plan.digest, verify=plan.coordinator)
    return StudyBoard(board, plan.digest).call.read_as(read)


def ready_of(board: Board, plan: RoundPlan, site: str) -> Ready | None:
    """Read what that hospital signed about its being ready; None when it said nothing.

    Raises:
        StoreError: the store is away.
    """
    read = partial(Ready.open, study=plan.digest, site=site, verify=plan.hospital(site))
    return StudyBoard(board, plan.digest).ready(site).read_as(read)


def all_ready(board: Board, plan: RoundPlan, call: str) -> dict[str, str]:
    """Hospital → nonce of the run of its agent, of all that answered this call.

    Raises:
        StoreError: the store is away.
    """
    there = set(StudyBoard(board, plan.digest).with_ready())  # one listing, not a look at each
    found = ((site, ready_of(board, plan, site)) for site in plan.study.cohort if site in there)
    return {site: said.instance for site, said in found if said is not None and said.call == call}
