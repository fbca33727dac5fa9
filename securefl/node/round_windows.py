"""Windows of a study, as a hospital holds to them: a round that is announced outside them is not
taken, and between them nobody is waited for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from securefl.study.cadence import may_begin, next_begin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from securefl.study.schema import Schedule


@dataclass(frozen=True)
class RoundWindows:
    """Windows of one study.

    Args:
        schedule: of the study.
        taken: when this hospital took each round, as its disk says.
        now: the wall clock.
    """

    schedule: Schedule
    taken: Callable[[], Sequence[datetime]]
    now: Callable[[], datetime]

    def open(self) -> bool:
        """Tell whether a round that is seen now may be taken.

        One that was announced in its window may be seen until its deadline.
        """
        grace = timedelta(seconds=self.schedule.round_deadline)
        return may_begin(self.schedule, self.now(), self.taken(), grace)

    def rest(self, quiet: float) -> float:
        """Seconds from a moment in the past until the next round could have begun.

        Args:
            quiet: how many seconds ago the moment was.

        Returns:
            Infinity where no window is left: the study's closing ends it.
        """
        if self.schedule.cadence is None:
            return 0.0
        moment = self.now() - timedelta(seconds=quiet)
        due = next_begin(self.schedule, moment, self.taken())
        if due is None:
            return math.inf
        return (due - moment).total_seconds()
