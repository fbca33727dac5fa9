"""C-index from noised counts: of comparable pairs, the share in which the one with the earlier
event has the higher risk (Harrell et al. 1982), on intervals.

A pair is comparable where the event of one came in interval t and the other is known to be without
it after t. Sums over pairs are forms n' A n of the counts n, where A pairs different counts only;
each count is its true size plus independent noise, so a form has no bias. Their ratio gets
Fieller's interval, as an AUC does (:mod:`securefl.learning.tasks.binary.discrimination`). Two
patients of one band count half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.intervals import fieller

if TYPE_CHECKING:
    from securefl.types import FloatArray


@dataclass(frozen=True)
class Concordance:
    """The ratio of two forms.

    Attributes:
        low: lower end of the 95 % interval.
        high: upper end; (0, 1) where nothing can be said.
        share: the ratio; NaN without pairs.
    """

    low: float
    high: float
    share: float


def concordance(
    counts: FloatArray,
    noise: float,
) -> Concordance:
    """The C-index of noised counts.

    Args:
        counts: float64[bins, 2 T + 1], bands of the risk from low to high; by target.
        noise: variance of the noise on each.
    """
    bins, codes = counts.shape
    intervals = (codes - 1) // 2
    kernel = np.tril(np.ones((bins, bins)), -1) + np.eye(bins) / 2
    won = _pairs(kernel, intervals)
    every = _pairs(np.ones((bins, bins)), intervals)
    n = counts.reshape(-1)
    above = _form(won, n)
    below = _form(every, n)
    if below <= 0:
        return Concordance(0.0, 1.0, float("nan"))
    spread = n + noise  # sampling of patients (Poisson), and the noise
    variance = (
        max(_covariance(won, won, n, spread), 0.0),
        _covariance(won, every, n, spread),
        max(_covariance(every, every, n, spread), 0.0),
    )
    low, high = fieller(above, below, variance)
    return Concordance(low, high, above / below)


def _pairs(
    kernel: FloatArray,
    intervals: int,
) -> FloatArray:
    """A + A', float64[h, h]: each comparable pair of counts, times what it counts.

    Args:
        kernel: what a pair counts by the bands of the one with the event and of the other.
        intervals: T.
    """
    bins = len(kernel)
    codes = 2 * intervals + 1
    found = np.zeros((bins, codes, bins, codes))
    for interval in range(intervals):
        event = intervals + 1 + interval
        beyond = [*range(interval + 1, intervals + 1), *range(event + 1, codes)]
        for other in beyond:
            found[:, event, :, other] = kernel
    flat = found.reshape(bins * codes, bins * codes)
    return flat + flat.T


def _form(
    matrix: FloatArray,
    n: FloatArray,
) -> float:
    return float(n @ matrix @ n) / 2


def _covariance(
    one: FloatArray,
    other: FloatArray,
    n: FloatArray,
    spread: FloatArray,
) -> float:
    """Covariance of two forms. Products of two noises stand twice in the squares of noised counts,
    and once in the truth.
    """
    plain = float((one @ n * spread) @ (other @ n))
    return plain - float(spread @ (one * other) @ spread) / 2
