"""Figures of survival curves: each group's curve, mean and median time, and what tells groups apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.intervals import NORMAL_95
from securefl.learning.statistics.estimates import Estimate
from securefl.learning.survival.kaplan_meier import Counts, Curve, curve_of
from securefl.learning.survival.log_rank import log_rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray, IntArray

_HALF: Final = 0.5


@dataclass(frozen=True)
class GroupCurve:
    """One group of patients.

    Attributes:
        group: its name.
        patients: their number; with noise alone in its interval.
        survival: share without the event at the end of each interval.
        mean: of the time without the event, up to :attr:`SurvivalFigures.horizon`.
        median: time by which half have the event; no value where the curve does not fall so far.
    """

    group: str
    patients: Estimate
    survival: tuple[Estimate, ...]
    mean: Estimate
    median: Estimate


@dataclass(frozen=True)
class SurvivalFigures:
    """All groups.

    Attributes:
        edges: ends of the intervals.
        groups: in the order of the levels.
        horizon: the last edge of which all groups can be told, or 0: means are up to there.
        difference: the mean of each group less that of the first, for groups beside it.
        p_value: of the log-rank test; None for one group, or where nothing can be said.
        noise_sd: standard deviation of the noise on each count.
    """

    edges: tuple[float, ...]
    groups: tuple[GroupCurve, ...]
    horizon: float
    difference: tuple[Estimate, ...]
    p_value: float | None
    noise_sd: float


def figures_of(
    total: IntArray,
    groups: Sequence[str],
    edges: Sequence[float],
    noise: float,
) -> SurvivalFigures:
    """Read the opened sum.

    Args:
        total: int64[G (2 T + 1)]: of each group those censored, 0 to T, then events.
        groups: G names.
        edges: T ends of intervals.
        noise: variance of the noise on each number.
    """
    many = len(edges)
    cells = total.astype(np.float64).reshape(len(groups), 2 * many + 1)
    counts = [
        Counts(
            row[many + 1 :],
            row[: many + 1],
            noise,
        )
        for row in cells
    ]
    curves = [curve_of(group) for group in counts]
    # a group of which nothing can be told shortens no other one's mean
    told = min((group.told for group in counts if group.told), default=0)
    widths = np.diff(np.array([0.0, *edges[:told]]))
    means = [
        _mean(
            curve,
            group,
            widths,
        )
        for curve, group in zip(curves, counts, strict=True)
    ]
    found = tuple(
        GroupCurve(
            name,
            _size(group),
            curve.survival,
            mean,
            _median(curve, edges),
        )
        for name, group, curve, mean in zip(groups, counts, curves, means, strict=True)
    )
    return SurvivalFigures(
        edges=tuple(edges),
        groups=found,
        horizon=float(widths.sum()),
        difference=tuple(_apart(means[0], mean) for mean in means[1:]),
        p_value=log_rank(counts) if len(groups) > 1 else None,
        noise_sd=float(np.sqrt(noise)),
    )


def _size(counts: Counts) -> Estimate:
    whole = counts.patients
    reach = NORMAL_95 * float(np.sqrt(counts.noise * len(counts.cells)))
    return Estimate(
        max(whole, 0.0),
        max(whole - reach, 0.0),
        max(whole + reach, 0.0),
    )


def _mean(
    curve: Curve,
    counts: Counts,
    widths: FloatArray,
) -> Estimate:
    if not len(widths) or not counts.told:
        return Estimate(
            None,
            0.0,
            float(widths.sum()),
        )
    return curve.area(widths)


def _apart(
    first: Estimate,
    other: Estimate,
) -> Estimate:
    """The second mean less the first; groups have patients and noise of their own."""
    if first.value is None or other.value is None:
        return Estimate(
            None,
            other.low - first.high,
            other.high - first.low,
        )
    value = other.value - first.value
    reach = float(np.hypot(other.high - other.low, first.high - first.low)) / 2
    return Estimate(
        value,
        value - reach,
        value + reach,
    )


def _median(
    curve: Curve,
    edges: Sequence[float],
) -> Estimate:
    """Where the curve, and each end of its interval, falls to a half (Brookmeyer, Crowley 1982)."""
    value = _crossing([found.value for found in curve.survival], edges)
    high = _crossing([found.high for found in curve.survival], edges)
    told = sum(found.value is not None for found in curve.survival)
    low = _crossing([found.low for found in curve.survival[:told]], edges[:told])
    if low is None:
        # the curve lies above a half for as long as it can be told
        low = (0.0, *edges)[told]
    return Estimate(
        value,
        low,
        edges[-1] if high is None else high,
    )


def _crossing(
    shares: Sequence[float | None],
    edges: Sequence[float],
) -> float | None:
    """The first time at which the share is a half; the hazard is constant between edges."""
    before = 1.0
    start = 0.0
    for share, edge in zip(shares, edges, strict=True):
        if share is None:
            return None
        if share <= _HALF:
            part = (before - _HALF) / (before - share)
            if share > 0:
                part = math.log(before / _HALF) / math.log(before / share)
            return start + (edge - start) * part
        before = share
        start = edge
    return None
