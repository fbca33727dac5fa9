"""View that a participant has of a study's rounds: the study that it keeps, the store, and what its
ledger says that it sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import RoundError, UsageError
from securefl.federation.status_board import end_of
from securefl.federation.verifying import last_transcript, verify_round
from securefl.party.study_names import meant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.verifying import VerifiedRound
    from securefl.study.study_id import StudyId


@dataclass(frozen=True)
class RoundsView:
    """A study as a hospital or the researcher keeps it.

    Args:
        name: the study's id and the first digits of its digest.
        plan: the study.
        board: where its rounds lie.
        site: the hospital whose view it is, ``""`` for the researcher.
        sent: round → SHA-256 of what this hospital sent, by its own ledger.
    """

    name: str
    plan: RoundPlan
    board: Board
    site: str
    sent: Mapping[int, str]

    def rounds_over(self) -> int:
        """The last round that is over: by a transcript, the coordinator's end of the study, or what
        this hospital sent after it.

        Raises:
            RoundError: none is.
        """
        last = self.last_over()
        if not last:
            raise RoundError(
                f"No round of {self.name} is over: there is no transcript in the store.",
                whose="the coordinator",
                next_step="Wait for round 1, or ask who removed it.",
            )
        return last

    def last_over(self) -> int:
        """As :meth:`rounds_over`, and 0 where none is."""
        end = end_of(self.board, self.plan)
        after = (
            last_transcript(self.board, self.plan),
            end.rounds if end else 0,
            max(self.sent, default=1) - 1,
        )
        return min(max(after), self.plan.last_round)

    def check(self, number: int) -> VerifiedRound:
        """Verify a round, and that what it counts of this hospital is what this hospital sent.

        Raises:
            RoundError, MessageError, UsageError, StoreError: as
                :func:`securefl.federation.verifying.verify_round`.
        """
        found = verify_round(self.board, self.plan, number)
        if self.site in found.frames and found.frames[self.site] != self.sent.get(number):
            raise RoundError(
                f"Round {number} counts a contribution of {self.site} that is not the one in its"
                " ledger.",
                whose=self.site,
                next_step=(
                    "Stop the agent and keep everything as it is: somebody else may hold this"
                    " hospital's key."
                ),
            )
        return found


def round_json(found: VerifiedRound) -> dict[str, Any]:
    """A verified round for programs."""
    said = found.transcript
    return {
        "round": said.round,
        "kind": said.kind,
        "verified": True,
        "added_again": found.added_again,
        "cohort": list(said.cohort),
        "contributions": dict(said.contributions),
        "absent": list(found.absent),
        "signed_by": list(found.signed_by),
        "round_digest": said.round_digest,
        "sum_sha256": said.sum_sha256,
        "transcript_sha256": found.transcript_sha256,
    }


def choose_view(
    studies: Sequence[StudyId],
    name: str,
    view: Callable[[StudyId], RoundsView],
) -> RoundsView:
    """The study that fits; of several, the only one of which a round is over.

    Args:
        studies: that are kept.
        name: of one, or its beginning; empty where it is left out.
        view: opens one.

    Raises:
        UsageError: none or several fit.
    """
    fits = studies
    if name:
        fits = meant(name, studies)
    if len(fits) == 1:
        return view(fits[0])
    over = [v for v in map(view, fits) if v.last_over()]
    if len(over) == 1:
        return over[0]
    if not studies:
        raise UsageError(
            "There is no study here yet.", next_step="Wait for a request, or make a study."
        )
    what = f"There are several studies here: {_listed(fits)}."
    if not fits:
        what = f"No study here fits '{name}'. There are: {_listed(studies)}."
    raise UsageError(what, next_step="Name one: --study NAME.")


def _listed(studies: Sequence[StudyId]) -> str:
    return ", ".join(study.name for study in studies)
