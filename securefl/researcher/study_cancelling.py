"""Cancelling of a study before its first round: the coordinator's signed end, with no round done.

Hospitals that approved it read the end while they wait, and their ledgers settle a study that never
started: its reservation is free again. Where an owner has not decided yet, the request can no longer
be approved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.errors import StoreError, UsageError
from securefl.federation.messages import End
from securefl.federation.round_board import RoundBoard
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.files import replace_file
from securefl.researcher.run_study import was_run
from securefl.researcher.study_beginning import CANCELLED, at_the_door

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.party.folder import PartyFolder

#: Outcome of a cancelled study, as everybody reads it.
OUTCOME: Final = "cancelled"


def cancel_study(lab: PartyFolder, folder: Path, plan: RoundPlan) -> None:
    """Cancel a study that has not begun. Doing it twice is harmless.

    The mark in the folder comes first: from then on no run begins, even if the store is away.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        plan: the study.

    Raises:
        UsageError: it has begun, or is over; nothing was done.
        StoreError: the store did not take the end; cancelling again sends it.
    """
    with at_the_door(folder):
        try:
            _check_not_begun(lab, folder, plan)
            replace_file(folder / CANCELLED, b"", mode=0o600)
            end = End(plan.digest, OUTCOME, 0).dump(lab.identity.sign)
            StudyBoard(lab.board, plan.digest).end.post(end)
        except StoreError as error:
            raise StoreError(
                f"{error.what} The hospitals were not told.",
                whose=error.whose,
                next_step=f"{error.next_step} Then `securefl study cancel {folder.name}` again.",
            ) from error


def _check_not_begun(lab: PartyFolder, folder: Path, plan: RoundPlan) -> None:
    """Refuse to cancel what has begun or is over.

    Raises:
        UsageError: it has, or is.
        StoreError: the store is away, so that nobody can say.
    """
    end = end_of(lab.board, plan)
    if end is not None and end.outcome != OUTCOME:
        raise UsageError(
            f"{folder.name} is over already ({end.outcome}).",
            whose="the researcher",
            next_step=f"`securefl study report {folder.name}` shows a result, if there is one.",
        )
    first = RoundBoard.numbered(lab.board, plan.digest, 1).announcement
    if was_run(folder) or first.read() is not None:
        raise UsageError(
            f"{folder.name} has begun, so every hospital's charge stays; cancelling would give"
            " nothing back.",
            whose="the researcher",
            next_step=(
                f"Let it run to its end (`securefl study run {folder.name}`), or end it for all:"
                " Ctrl-C twice where it runs."
            ),
        )
