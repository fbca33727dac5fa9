"""Calibration from a noised histogram: bands of the score, the share of positives in each, and what
they support.

Bands are read together, from the highest score down, until the noise leaves something to say. A
score may be called an estimated probability only where the released shares *show* it; that no
contradiction is seen is not enough (:func:`calibration_verdict`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias

from securefl.learning.intervals import fieller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

#: ``supported``: the shares show that the score is a probability; ``contradicted``: that it is
#: none; else they cannot tell.
CalibrationVerdict: TypeAlias = Literal["supported", "contradicted", "cannot-be-told"]

#: Bands are read together until their patients are this many standard deviations of their noise.
_TELLING = 4.0
#: A score is called a probability when at least so many bands, none wider than this ratio of odds,
#: ...
_LEAST_BANDS, _WIDEST = 4, 8.0
#: ... each hold a share within this ratio of the band's own odds, by its whole interval.
_NEAR = 2.0


@dataclass(frozen=True)
class CalibrationRow:
    """Neighbouring score bands of the summed, noised histogram, read together.

    Attributes:
        low: lower edge of the score.
        high: upper edge of the score.
        patients: estimated number of held-out patients, at least 0.
        share_low: lower end of the 95 % interval of the share of positives among them.
        share_high: upper end.
        positive_share: the share itself; None where the noise leaves nothing to say.
        certain_low: lower end of an interval that holds for all rows together (Bonferroni).
        certain_high: upper end.
        bands: how many bands were read together.
    """

    low: float
    high: float
    patients: float
    share_low: float
    share_high: float
    positive_share: float | None
    certain_low: float
    certain_high: float
    bands: int


def calibration_rows(
    negatives: FloatArray,
    positives: FloatArray,
    noise_variance: float,
    edges: Sequence[float],
) -> tuple[CalibrationRow, ...]:
    """The rows, from the lowest score up. ``edges`` are the inner ones, one fewer than bins."""
    groups = _groups(negatives + positives, 2 * noise_variance)
    z = NormalDist().inv_cdf(1 - 0.025 / len(groups))
    ends = (0.0, *edges, 1.0)
    rows = []
    for first, after in groups:
        mine = float(positives[first:after].sum())
        others = float(negatives[first:after].sum())
        noise = noise_variance * (after - first)
        patients = mine + others
        variance = (mine + noise, mine + noise, mine + others + 2 * noise)
        known = patients > _TELLING * math.sqrt(2 * noise)
        low, high = fieller(mine, patients, variance) if known else (0.0, 1.0)
        certain = (0.0, 1.0)
        if known:
            certain = fieller(mine, patients, variance, z)
        share = None
        if known:
            share = min(max(mine / patients, low), high)
        certain = (
            min(certain[0], low),
            max(certain[1], high),
        )  # whatever rounding left of huge counts
        rows.append(
            CalibrationRow(
                ends[first],
                ends[after],
                max(patients, 0.0),
                low,
                high,
                share,
                *certain,
                after - first,
            )
        )
    return tuple(rows)


def calibration_verdict(rows: Sequence[CalibrationRow]) -> CalibrationVerdict:
    """Judge whether the released shares support that the score is a probability.

    Contradicted: one share lies outside its band for certain (5 % for all rows together).
    Supported: at least four rows, none but the outer two wider than a ratio of odds of 8, and the
    whole interval of each share within twice the odds of its band.
    """
    told = [row for row in rows if row.positive_share is not None]
    if any(row.certain_low > row.high or row.certain_high < row.low for row in told):
        return "contradicted"
    shown = len(told) == len(rows) >= _LEAST_BANDS and all(
        _narrow(row) and _near(row) for row in rows
    )
    if shown:
        return "supported"
    return "cannot-be-told"


def _groups(patients: FloatArray, noise_variance: float) -> list[tuple[int, int]]:
    """(first band, band after the last) of each row: read together from the top; what is left joins
    the lowest.
    """
    found: list[tuple[int, int]] = []
    after = patients.size
    for first in range(patients.size - 1, -1, -1):
        if patients[first:after].sum() > _TELLING * math.sqrt(noise_variance * (after - first)):
            found.append((first, after))
            after = first
    if after and found:
        found[-1] = (0, found[-1][1])
    return found[::-1] or [(0, patients.size)]


def _narrow(row: CalibrationRow) -> bool:
    if row.low == 0 or row.high == 1:
        return row.bands == 1
    return _odds(row.high) <= _WIDEST * _odds(row.low)


def _near(row: CalibrationRow) -> bool:
    return (
        _odds(row.share_low) >= _odds(row.low) / _NEAR
        and _odds(row.share_high) <= _odds(row.high) * _NEAR
    )


def _odds(share: float) -> float:
    if share >= 1:
        return math.inf
    return share / (1 - share)
