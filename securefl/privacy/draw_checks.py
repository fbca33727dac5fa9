"""Tests of many releases whose un-noised sums are known: is the noise the one that was promised,
and fresh each time?

Releases come as float64[releases, values], the known sum taken off, in standard deviations that
were promised. If all is well they are independent standard normal numbers. Each statistic below is
then nearly standard normal itself, and more than six of its deviations (one in 500 million)
convict. A pass is only as good as the faults that it would have seen: the controls beside it must
all be convicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

#: A statistic beyond this convicts.
SURE = 6.0
#: The same chance for Kolmogorov's statistic: 2 exp(-2 · 3.3²) is 7e-10.
_SURE_OF_SHAPE = 3.3
#: Rows of fewer values are not compared one by one.
_ENOUGH = 32


@dataclass(frozen=True)
class Draws:
    """What a participant's batches are known by: one value for each patient and release, and one
    that adds all of them.

    Attributes:
        values: float64[releases, patients], each the sum over ``steps`` of ``-weight`` if the
            patient was drawn, plus noise.
        totals: float64[releases], the same for a value to which every patient adds.
        weight: what a drawn patient adds to its own value, in standard deviations of one step's
            noise.
        rate: chance of each patient in each step.
        steps: independent batches in a release.
    """

    values: FloatArray
    totals: FloatArray
    weight: float
    rate: float
    steps: int


def noise_faults(releases: FloatArray) -> dict[str, float]:
    """Name of each test that convicts → its statistic; empty where the noise is as promised."""
    found = {
        "mean": float(releases.mean() * math.sqrt(releases.size)),
        "deviation": float(((releases**2).mean() - 1) * math.sqrt(releases.size / 2)),
        "other values of a release": _together(releases.T),
        "other releases": _together(releases),
        "one other release": _repeated(releases),
        "other releases, moved on": _moved(releases),
    }
    faults = {name: value for name, value in found.items() if not abs(value) <= SURE}
    if not (shape := _shape(releases)) <= _SURE_OF_SHAPE:
        faults["shape"] = shape
    if not (tails := _tails(releases)) >= -SURE:
        faults["tails"] = tails
    return faults


def draw_faults(drawn: Draws) -> dict[str, float]:
    """The same for the choice of patients: rate, and independence of steps, releases and patients."""
    releases, patients = drawn.values.shape
    mean = -drawn.weight * drawn.rate * drawn.steps
    chosen = drawn.weight**2 * drawn.rate * (1 - drawn.rate)  # of a patient in a step
    variance = drawn.steps * (1 + chosen)
    centred = (drawn.values - mean) / math.sqrt(variance)
    of_total = drawn.steps * (1 + chosen * patients)
    totals = (drawn.totals - mean * patients) / math.sqrt(of_total)
    found = {
        "rate": float(centred.mean() * math.sqrt(centred.size)),
        "steps of a round": float(((centred**2).mean() - 1) * math.sqrt(centred.size / 2)),
        "batches of other releases": _together(centred),
        "rate of the whole": float(totals.mean() * math.sqrt(releases)),
        "other patients": float(((totals**2).mean() - 1) * math.sqrt(releases / 2)),
    }
    return {name: value for name, value in found.items() if not abs(value) <= SURE}


def _together(rows: FloatArray) -> float:
    """Products of each column's values in different rows: 0 on average where rows are independent."""
    count, columns = rows.shape
    if count < 2:
        return 0.0
    products = (rows.sum(axis=0) ** 2 - (rows**2).sum(axis=0)) / 2
    return float(products.sum() / math.sqrt(columns * count * (count - 1) / 2))


def _repeated(rows: FloatArray) -> float:
    """The largest correlation of any two rows: a release that comes again."""
    count, columns = rows.shape
    if count < 2 or columns < _ENOUGH:
        return 0.0
    products = np.abs(rows @ rows.T)[np.triu_indices(count, 1)] / math.sqrt(columns)
    return _above_usual(float(products.max()), products.size)


def _moved(rows: FloatArray) -> float:
    """The largest correlation of a row with the next at any shift: noise that is used again in
    another place.
    """
    columns = rows.shape[1]
    if len(rows) < 2 or columns < _ENOUGH:
        return 0.0
    waves = np.fft.rfft(rows, axis=1)
    products = np.fft.irfft(waves[1:] * np.conj(waves[:-1]), n=columns, axis=1) / math.sqrt(columns)
    return _above_usual(float(np.abs(products).max()), products.size)


def _above_usual(largest: float, count: int) -> float:
    """The largest of ``count`` standard normal numbers, told as one: beyond 6 with a chance of
    about 1 in 500 million.
    """
    # of so many the largest lies near the first root; a deviation more there is rarer than it is
    # for one number
    return largest * SURE / math.sqrt(SURE**2 + 2 * math.log(count))


def _tails(releases: FloatArray) -> float:
    """The fourth moment, less the 3 of a normal number, in its standard deviations.

    Only too little convicts: that is bounded noise, and a mean of fourth powers is seldom far below
    its expectation, while a few large values put it far above.
    """
    return float(((releases**4).mean() - 3) * math.sqrt(releases.size / 96))


def _shape(releases: FloatArray) -> float:
    """Kolmogorov's statistic against the normal distribution, times the root of the number of
    values.
    """
    from scipy.special import ndtr

    ordered = np.sort(releases, axis=None)
    count = ordered.size
    expected = ndtr(ordered)
    steps = np.arange(count + 1) / count
    return float(
        max((steps[1:] - expected).max(), (expected - steps[:-1]).max()) * math.sqrt(count)
    )
