"""How a study of this researcher stands, in one word, for a list of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.errors import StoreError
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.researcher.asking import states
from securefl.researcher.run_study import RESULT, goes_on, is_running
from securefl.researcher.study_beginning import is_cancelled

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.party.folder import PartyFolder


def standing(lab: PartyFolder, folder: Path, plan: RoundPlan) -> dict[str, Any]:
    """``state``, ``approved`` and ``hospitals``; ``approved`` is None while the store is away."""
    known: dict[str, Any] = {"hospitals": len(plan.study.cohort), "approved": None}
    if is_cancelled(folder):
        return {**known, "state": "cancelled"}
    if is_running(folder):
        return {**known, "state": "running", "approved": len(plan.study.cohort)}
    try:
        return {**known, **_seen(lab, folder, plan)}
    except StoreError:
        return {**known, "state": "completed" if (folder / RESULT).exists() else "unknown"}


def _seen(lab: PartyFolder, folder: Path, plan: RoundPlan) -> dict[str, Any]:
    """State and approvals as the store shows them."""
    words = states(lab, plan)
    approved = sum(word == "approved" for word in words.values())
    ended = any(word not in {"approved", "waiting", "new-keys"} for word in words.values())
    end = end_of(lab.board, plan)
    if (folder / RESULT).exists():
        state = "completed"
    elif goes_on(lab, folder, plan):
        state = "interrupted"
    elif end is not None or ended:
        state = "ended"
    elif approved == len(words):
        state = "approved"
    elif StudyBoard(lab.board, plan.digest).invitation.read() is not None:
        state = "requested"
    else:
        state = "made"
    return {"state": state, "approved": approved}
