"""Progress of a study from opened total to opened total: what the next round starts from.

The study's own rule, in one place: the coordinator goes by it, and each hospital works it out again
from the totals that it has verified. Public figures in, public figures out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.stages.stage import Result, Stage
    from securefl.types import FloatArray, IntArray


class StudyProgress:
    """State of a study between two rounds.

    Args:
        plan: the study.

    Attributes:
        done: rounds whose total was taken.
        results: of the stages that are over, in order.

    Raises:
        MessageError: this version makes other initial weights than the study names.
    """

    def __init__(self, plan: RoundPlan) -> None:
        self._stages = plan.programme.stages
        self._rounds = [len(stage.schedule()) for stage in self._stages]
        self.done = 0
        self.results: list[Result] = []
        self._state: Any = None
        self._turn = 0
        self._begin()

    @property
    def _stage(self) -> Stage:
        return self._stages[len(self.results)]

    def broadcast(self) -> FloatArray:
        """Figures that hospitals are given for the next round, float64[n]."""
        return self._stage.broadcast(self._state)

    def absorb(
        self,
        total: IntArray,
        contributors: int,
    ) -> None:
        """Take the total int64[length] of the next round, of so many hospitals.

        Raises:
            RoundError: the study ends here by its own rule.
        """
        self._state = self._stage.absorb(
            self._state,
            total,
            contributors,
        )
        self.done += 1
        self._turn += 1
        if self._turn == self._rounds[len(self.results)]:
            self.results.append(self._stage.result(self._state))
            self._begin()

    def _begin(self) -> None:
        """Start the stage that is next, if there is one."""
        self._state = None
        self._turn = 0
        if len(self.results) < len(self._stages):
            self._state = self._stage.start(self.results)
