"""Public times: when an answer of this house is looked at and may leave (rule 1).

Whatever it took to make it. They follow from when something public was seen and from the study's
own figures. What is not there at one of them waits for the next, so a slow hospital shows at most
how many it missed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class PublicTimes:
    """The times ``start + settle + k * step`` for k = 1, 2, ... on the monotonic clock, in seconds.

    Args:
        start: when the public event was seen that they count from.
        step: seconds between two of them; 0 makes every time a public one.
        settle: seconds beside the first step.
    """

    start: float
    step: float
    settle: float = 0.0

    def __post_init__(self) -> None:
        self.due = self.first

    @property
    def first(self) -> float:
        """The time at which a punctual answer leaves."""
        return self.start + self.settle + self.step

    @property
    def late(self) -> float:
        """Seconds between the first time and the one that is due."""
        return self.due - self.first

    def miss(self, now: float) -> None:
        """Nothing was there at the time that is due: the next one after ``now`` is."""
        if self.step <= 0:
            self.due = max(self.due, now)
            return
        passed = max(0.0, now - self.first)
        self.due = self.first + self.step * (math.floor(passed / self.step) + 1)
