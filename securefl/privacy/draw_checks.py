"""Tests of a worker's draws: is the noise as large as promised, of its shape, and fresh each time?

Many releases are looked at whose un-noised sums are known. They come as float64[releases, values],
the known sum taken off, in standard deviations that were promised. If all is well they are
independent standard normal numbers. Each statistic below is then nearly standard normal itself, and
more than six of its deviations (one in 500 million) convict. A pass is only as good as the faults
that it would have seen: the controls beside it must all be convicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray


#: A statistic beyond this convicts.
SURE = 6.0
#: The same chance for Kolmogorov's statistic: 2 exp(-2 · 3.3²) is 7e-10.
_SURE_OF_SHAPE = 3.3
#: Rows of fewer values are not compared one by one.
_ENOUGH = 32


@dataclass(frozen=True)
class Draws:
    """Choices of patients, told by one value a patient and release, and by one of all of them.

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
        "mean": _mean(releases),
        "deviation": _deviation(releases),
        "other values of a release": _together(releases.T),
        "other releases": _together(releases),
        "one other release": _repeated(releases),
        "other releases, moved on": _moved(releases),
    }
    # Written with `not`, so that a statistic that is not a number convicts as well.
    faults = {name: value for name, value in found.items() if not abs(value) <= SURE}
    shape = _shape(releases)
    if not shape <= _SURE_OF_SHAPE:
        faults["shape"] = shape
    tails = _tails(releases)
    if not tails >= -SURE:
        faults["tails"] = tails
    return faults


def draw_faults(drawn: Draws) -> dict[str, float]:
    """The same for the choice of patients: rate, and independence of steps, releases, patients."""
    patients = drawn.values.shape[1]
    mean = -drawn.weight * drawn.rate * drawn.steps
    # Variance of one patient's part in one step: a coin of chance `rate`, times its weight.
    chosen = drawn.weight**2 * drawn.rate * (1 - drawn.rate)
    # Steps are independent, and each brings noise of variance 1.
    variance = drawn.steps * (1 + chosen)
    centred = (drawn.values - mean) / math.sqrt(variance)
    of_total = drawn.steps * (1 + chosen * patients)
    totals = (drawn.totals - mean * patients) / math.sqrt(of_total)
    found = {
        "rate": _mean(centred),
        # One batch for all steps of a round keeps the mean and raises the variance.
        "steps of a round": _deviation(centred),
        "batches of other releases": _together(centred),
        "rate of the whole": _mean(totals),
        "other patients": _deviation(totals),
    }
    return {name: value for name, value in found.items() if not abs(value) <= SURE}


def _mean(values: FloatArray) -> float:
    """Mean of standard normal numbers, in its standard deviations."""
    return float(values.mean() * math.sqrt(values.size))


def _deviation(values: FloatArray) -> float:
    """Second moment, less the 1 of a standard normal number, in its standard deviations."""
    moment = (values**2).mean() - 1
    return float(moment * math.sqrt(values.size / 2))


def _together(rows: FloatArray) -> float:
    """Products of each column's values in different rows: about 0 where rows are independent."""
    count, columns = rows.shape
    if count < 2:
        return 0.0
    # The square of a sum, less the squares, is twice the sum over all pairs: no loop over pairs.
    square_of_sums = rows.sum(axis=0) ** 2
    sum_of_squares = (rows**2).sum(axis=0)
    products = (square_of_sums - sum_of_squares) / 2
    pairs = columns * count * (count - 1) / 2
    return float(products.sum() / math.sqrt(pairs))


def _repeated(rows: FloatArray) -> float:
    """Largest correlation of any two rows: a release that comes again."""
    count, columns = rows.shape
    if count < 2 or columns < _ENOUGH:
        return 0.0
    # Above the diagonal: each pair of two different rows once.
    pairs = np.triu_indices(count, 1)
    products = np.abs(rows @ rows.T)[pairs] / math.sqrt(columns)
    return _above_usual(float(products.max()), products.size)


def _moved(rows: FloatArray) -> float:
    """Largest correlation of a row with the next at any shift: noise used again elsewhere."""
    columns = rows.shape[1]
    if len(rows) < 2 or columns < _ENOUGH:
        return 0.0
    # A product of Fourier transforms is the correlation at every shift at once.
    waves = np.fft.rfft(rows, axis=1)
    turned = np.conj(waves[:-1])
    correlations = np.fft.irfft(waves[1:] * turned, n=columns, axis=1)
    products = np.abs(correlations / math.sqrt(columns))
    return _above_usual(float(products.max()), products.size)


def _above_usual(largest: float, count: int) -> float:
    """Tell the largest of ``count`` standard normal numbers as one.

    It is beyond 6 with a chance of about 1 in 500 million.
    """
    # Of so many numbers the largest lies near sqrt(2 log count), and a deviation more is rarer there
    # than it is for one number.
    usual = SURE**2 + 2 * math.log(count)
    return largest * SURE / math.sqrt(usual)


def _tails(releases: FloatArray) -> float:
    """Fourth moment, less the 3 of a normal number, in its standard deviations.

    Only too little convicts: that is bounded noise, and a mean of fourth powers is seldom far below
    its expectation, while a few large values put it far above.
    """
    moment = (releases**4).mean() - 3
    return float(moment * math.sqrt(releases.size / 96))


def _shape(releases: FloatArray) -> float:
    """Kolmogorov's statistic against the normal distribution, times the root of the count."""
    from scipy.special import ndtr

    ordered = np.sort(releases, axis=None)
    count = ordered.size
    expected = ndtr(ordered)
    # The empirical distribution jumps at each value: compared just after it, and just before.
    steps = np.arange(count + 1) / count
    above = (steps[1:] - expected).max()
    below = (expected - steps[:-1]).max()
    return float(max(above, below) * math.sqrt(count))
