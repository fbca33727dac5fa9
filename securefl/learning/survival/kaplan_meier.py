"""Kaplan-Meier curve of public intervals from noised counts, with intervals that hold noise and
sampling (Kaplan and Meier 1958; censoring within an interval as in Cutler and Ederer 1958).

A patient counts in one cell: the interval in which the event came, or how many whole intervals were
observed without it. With d_t events in interval t, c_t censored in it and r_t observed at its start,
the hazard is d_t / (r_t - c_t / 2), and log S_t the sum of the logarithms of 1 less the hazards.

Every cell is a count, Poisson around its mean, plus noise of a known variance. To first order log S_t
is linear in the cells, so its variance is the sum of squared slopes times (count + noise variance).
Without noise that is Greenwood's formula (1926). Areas below the curve go the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.intervals import NORMAL_95
from securefl.learning.statistics.estimates import Estimate

if TYPE_CHECKING:
    from securefl.types import FloatArray

#: Patients at risk, in standard deviations of their noise, below which nothing is told: the slopes
#: are then themselves mostly noise.
_TELLING: Final = 4.0
#: Falls of a curve, as a share of it, below which it is as good as straight.
_CLOSE: Final = 1e-3


@dataclass(frozen=True)
class Counts:
    """Noised counts of one group.

    Attributes:
        events: float64[T], by interval.
        censored: float64[T + 1]: lost in interval t, and observed through the last one.
        noise: variance of the noise on each.
    """

    events: FloatArray
    censored: FloatArray
    noise: float

    @property
    def intervals(self) -> int:
        """T."""
        return len(self.events)

    @property
    def patients(self) -> float:
        """All of them."""
        return float(self.events.sum() + self.censored.sum())

    @property
    def cells(self) -> FloatArray:
        """All counts, float64[2 T + 1]: censored, then events, in the order of the label's codes."""
        return np.concatenate([self.censored, self.events])

    @cached_property
    def exposed(self) -> FloatArray:
        """Slope of the patients at risk of interval t in each cell, float64[T, 2 T + 1]: 1 for who
        is observed through it or has the event in it or later, 1/2 for who is lost in it.
        """
        start = np.arange(self.intervals)[:, None]
        censored = np.arange(self.intervals + 1)[None, :]
        happened = np.arange(self.intervals)[None, :]
        through = censored > start
        within = censored == start
        lost = through + 0.5 * within
        events = happened >= start
        return np.hstack([lost, events.astype(np.float64)])

    @cached_property
    def happened(self) -> FloatArray:
        """Slope of the events of interval t in each cell, float64[T, 2 T + 1]."""
        none = np.zeros((self.intervals, self.intervals + 1))
        return np.hstack([none, np.eye(self.intervals)])

    @cached_property
    def at_risk(self) -> FloatArray:
        """Patients at risk of each interval, float64[T]."""
        found: FloatArray = self.exposed @ self.cells
        return found

    @cached_property
    def told(self) -> int:
        """Intervals of which something can be told: those before too few are at risk."""
        squares = (self.exposed**2).sum(axis=1)
        noise = np.sqrt(self.noise * squares)
        without_event = self.at_risk - np.maximum(self.events, 0.0)
        enough = without_event > _TELLING * noise
        if enough.all():
            return self.intervals
        return int(np.argmin(enough))


@dataclass(frozen=True)
class Curve:
    """The curve of one group.

    Attributes:
        survival: share without the event at the end of each interval.
        slopes: float64[told, 2 T + 1], of S_t in the cells.
        variances: float64[2 T + 1], of the cells.
        raw: float64[told], the shares before they were made to fall.
    """

    survival: tuple[Estimate, ...]
    slopes: FloatArray
    variances: FloatArray
    raw: FloatArray

    def area(self, widths: FloatArray) -> Estimate:
        """The restricted mean: area below the curve, whose hazard is taken as constant in an interval.

        Args:
            widths: float64[n], of the first n intervals; n at most those told of.
        """
        many = len(widths)
        told = [found.value for found in self.survival[:many]]
        shown = np.array(told, dtype=np.float64)
        starts = np.append(1.0, shown[:-1])
        parts, at_start, at_end = _areas(starts, shown)
        # The end of an interval is the start of the next.
        of_next = (widths * at_start)[1:]
        weights = widths * at_end + np.append(of_next, 0.0)
        value = float(widths @ parts)
        slopes = weights @ self.slopes[:many]
        variance = slopes**2 @ self.variances
        reach = NORMAL_95 * float(np.sqrt(variance))
        whole = float(widths.sum())
        low = max(value - reach, 0.0)
        high = min(value + reach, whole)
        return Estimate(value, low, high)


def _areas(starts: FloatArray, ends: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Area below an exponential through two heights a width of 1 apart, (a - b) / log(a / b), and
    its slopes in both; their mean and halves where they are close or the curve ends at 0.
    """
    far = starts - ends > _CLOSE * starts
    bent = (ends > 0) & far
    a = np.where(bent, starts, 2.0)
    b = np.where(bent, ends, 1.0)
    fall = np.log(a / b)
    area = (a - b) / fall
    parts = np.where(bent, area, (starts + ends) / 2)
    at_start = np.where(bent, (1 - area / a) / fall, 0.5)
    at_end = np.where(bent, (area / b - 1) / fall, 0.5)
    return parts, at_start, at_end


def curve_of(counts: Counts) -> Curve:
    """Read the curve of a group off its counts."""
    told = counts.told
    exposed = counts.exposed[:told]
    happened = counts.happened[:told]
    at_risk = counts.at_risk[:told]
    left = at_risk - counts.events[:told]
    raw: FloatArray = np.cumprod(left / at_risk, dtype=np.float64)
    # d log(left / at risk), summed over the intervals so far.
    of_left = (exposed - happened) / left[:, None]
    of_risk = exposed / at_risk[:, None]
    rates = of_left - of_risk
    slopes: FloatArray = raw[:, None] * np.cumsum(rates, axis=0)
    variances = np.maximum(counts.cells, 0.0) + counts.noise
    variance = slopes**2 @ variances
    reach = NORMAL_95 * np.sqrt(variance)
    shown = np.clip(falling(raw), 0.0, 1.0)
    low = np.clip(raw - reach, 0.0, 1.0)
    high = np.clip(raw + reach, 0.0, 1.0)
    found = []
    most = 1.0
    for value, least, most in zip(shown.tolist(), low.tolist(), high.tolist(), strict=True):
        inside = min(max(value, least), most)
        found.append(Estimate(inside, least, most))
    unknown = [Estimate(None, 0.0, most)] * (counts.intervals - told)
    return Curve((*found, *unknown), slopes, variances, raw)


def falling(values: FloatArray) -> FloatArray:
    """The nearest values that never rise (pool adjacent violators, Ayer et al. 1955).

    >>> falling(np.array([1.0, 0.5, 0.75, 0.25])).tolist()
    [1.0, 0.625, 0.625, 0.25]
    """
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        total = value
        count = 1
        while pools and pools[-1][0] / pools[-1][1] < total / count:
            before, many = pools.pop()
            total = total + before
            count = count + many
        pools.append((total, count))
    return np.array([total / count for total, count in pools for _ in range(count)])
