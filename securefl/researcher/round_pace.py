"""Pace of a run: the next round waits until the study's windows let it begin."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import StudyError
from securefl.study.cadence import next_begin
from securefl.study.dates import time_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from securefl.study.schema import Schedule

#: Seconds between two looks at the clock: a machine may sleep, and its clock may be set.
_LONGEST: Final = 30.0


@dataclass
class RoundPace:
    """Waits for the next window of one study.

    Args:
        schedule: of the study.
        begun: when its rounds so far began.
        now: the wall clock.
        told: told once of each time that is waited for.
        sleep: waits so many seconds.
    """

    schedule: Schedule
    begun: Callable[[], Sequence[datetime]]
    now: Callable[[], datetime]
    told: Callable[[datetime], None]
    sleep: Callable[[float], None] = time.sleep

    def __call__(self) -> None:
        """Wait until a round may begin.

        Raises:
            StudyError: the study closes before.
        """
        if self.schedule.cadence is None:
            return
        said = None
        while True:
            now = self.now()
            due = next_begin(self.schedule, now, self.begun())
            if due is None:
                raise StudyError(
                    "The study closes before another of its windows opens; "
                    f"{time_here(now)}, and it closes at"
                    f" {self.schedule.closes:%Y-%m-%d %H:%M} UTC.",
                    whose="the researcher",
                    next_step="Make another study with more windows, or more rounds in each.",
                )
            if due <= now:
                return
            if due != said:
                said = due
                self.told(due)
            self.sleep(min(_LONGEST, (due - now).total_seconds()))
