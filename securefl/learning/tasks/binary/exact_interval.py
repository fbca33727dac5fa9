"""Interval of an exact area under the ROC curve: without noise, the sampling of patients is all
that it holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from securefl.learning.intervals import NORMAL_95

#: Halvings of the interval in which an end is sought: more than a float64 can tell apart.
_HALVINGS = 60


def area_interval(area: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an area within [0, 1]; (0, 1) where it is not known.

    Newcombe (2006), method 5: the areas that differ from the one found by at most 1.96 of their own
    standard deviations, which are those of Hanley and McNeil (1982) with the mean of both class
    sizes in the place of each. It has a width where a few patients are ranked without an error.

    >>> [round(end, 3) for end in area_interval(0.8, 20, 60)]
    [0.663, 0.887]
    >>> [round(end, 3) for end in area_interval(1.0, 3, 20)]
    [0.666, 1.0]
    >>> area_interval(math.nan, 0, 20)
    (0.0, 1.0)
    """
    if math.isnan(area):
        return 0.0, 1.0
    found = _Found(area, positives, negatives)
    return found.end(0.0), found.end(1.0)


@dataclass(frozen=True)
class _Found:
    """An area and the class sizes that it was found on."""

    area: float
    positives: int
    negatives: int

    def end(self, beyond: float) -> float:
        """The true area farthest towards ``beyond`` that may have given this one."""
        near = self.area
        far = beyond
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            away = abs(middle - self.area)
            if away <= NORMAL_95 * self.deviation(middle):
                near = middle
            else:
                far = middle
        return near

    def deviation(self, true: float) -> float:
        """Standard deviation of the area found where this is the true one."""
        mean = (self.positives + self.negatives) / 2
        shared = (3 * mean - 3) / ((2 - true) * (1 + true))
        spread = 2 * mean - 1 - shared
        pairs = self.positives * self.negatives
        variance = true * (1 - true) * spread / pairs
        return math.sqrt(max(0.0, variance))
