"""AUC from a noised histogram: an unbiased estimate, and an interval that is honest where a class
is lost in the noise.

Every count is its true size plus independent noise of a known variance, so a sum of products of a
positive's and a negative's count is unbiased. The AUC is such a sum over the product of the two
class sizes, and one over a noised size is not: the noise makes it too large, and the figure with
it. Two results mend that without any assumption on the model:

- Voinov (1985): for x ~ N(m, s²) with m > 0, Mills' ratio (1 - Phi(x/s)) / phi(x/s) over s has the
  mean 1/m;
- Fieller (1954): {a : (t - a s)² <= z² var(t - a s)} covers t/s with its stated chance however
  noisy s is. Where a size cannot be told from nothing the set has no ends, and the interval is all
  of [0, 1].

What is estimated is the AUC of the score in its bands: two patients of one band count half. It is
the AUC of the exact score less what ranking within the bands adds (:mod:`securefl.study.edges`
keeps that below .005 by default).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray

NORMAL_95 = NormalDist().inv_cdf(0.975)
#: Deviations of its noise that the larger class must hold: a product of two sizes that are both
#: mostly noise is not nearly normal, and the interval would cover too seldom.
_ONE_SIZE_KNOWN = 4.0
#: From here on Mills' ratio is its own series to nine digits, and exp(x²/2) still far from
#: overflow.
_SERIES = 25.0


def histogram_auc(negatives: FloatArray, positives: FloatArray) -> float:
    """AUC of two histograms over the same bins, pairs within a bin counting half; 0.5 if a class is
    empty.
    """
    below = np.cumsum(negatives) - negatives / 2
    pairs = negatives.sum() * positives.sum()
    if pairs > 0:
        return float((positives * below).sum() / pairs)
    return 0.5


def unbiased_auc(negatives: FloatArray, positives: FloatArray, noise_variance: float) -> float:
    """The AUC that noised histograms show, with no bias over the noise; it may lie outside [0, 1].

    Args:
        negatives: float64[bins], as opened.
        positives: the same of the positives.
        noise_variance: of each count.

    Each histogram splits into its mean, which alone carries the class size, and the rest, which is
    independent of it; so each part times Voinov's inverse of the size is unbiased. NaN where a size
    is so far below 0 that it has none.
    """
    bins = negatives.size
    deviation = math.sqrt(noise_variance * bins)
    over_negatives, over_positives = (
        unbiased_inverse(float(c.sum()), deviation) for c in (negatives, positives)
    )
    kernel = _kernel(bins)
    of_negatives, of_positives = negatives - negatives.mean(), positives - positives.mean()
    alone = (
        kernel.mean(axis=0) @ of_negatives * over_negatives
        + of_positives @ kernel.mean(axis=1) * over_positives
    )
    together = of_positives @ kernel @ of_negatives * over_negatives * over_positives
    return float(0.5 + alone + together)


def auc_interval(
    negatives: FloatArray, positives: FloatArray, noise_variance: float
) -> tuple[float, float]:
    """95 % interval of the AUC within [0, 1]; (0, 1) where nothing can be said. Arguments as
    :func:`unbiased_auc`.

    Sampling of patients (Poisson) and noise are both in it. One end moves by what ranking within
    the bands would add if the shares of positives changed smoothly from band to band, so that the
    AUC of the exact score is covered too.
    """
    size = negatives.sum() * positives.sum()
    smaller, larger = sorted((float(negatives.sum()), float(positives.sum())))
    if smaller <= 0 or larger < _ONE_SIZE_KNOWN * math.sqrt(noise_variance * negatives.size):
        return 0.0, 1.0
    kernel = _kernel(negatives.size)
    low, high = fieller(
        float(positives @ kernel @ negatives),
        float(size),
        _variance(negatives, positives, noise_variance, known=False),
    )
    if (low, high) == (0.0, 1.0):
        return low, high
    more = _within(negatives, positives)
    return max(0.0, low + min(more, 0.0)), min(1.0, high + max(more, 0.0))


def expected_interval(
    negatives: FloatArray, positives: FloatArray, noise_variance: float
) -> tuple[float, float]:
    """The interval to expect where the true counts are these: public figures in, for a plan."""
    kernel = _kernel(negatives.size)
    variance = _variance(negatives, positives, noise_variance, known=True)
    return fieller(
        float(positives @ kernel @ negatives), float(negatives.sum() * positives.sum()), variance
    )


def fieller(
    above: float,
    below: float,
    variance: tuple[float, float, float],
    z: float = NORMAL_95,
) -> tuple[float, float]:
    """The values within [0, 1] that above/below may have (Fieller 1954), as an interval; (0, 1)
    where nothing can be said.

    Args:
        above: noised numerator.
        below: noised denominator, above 0.
        variance: var(above), cov(above, below), var(below).
        z: how many standard deviations.

    >>> [round(end, 3) for end in fieller(50.0, 100.0, (25.0, 0.0, 25.0))]
    [0.395, 0.615]
    >>> fieller(5.0, 10.0, (25.0, 0.0, 64.0))
    (0.0, 1.0)
    """
    of_above, both, of_below = (z * z * v for v in variance)
    square, half, rest = below * below - of_below, above * below - both, above * above - of_above
    inside = half * half - square * rest
    if square == 0 or inside < 0:
        return 0.0, 1.0
    root = math.sqrt(inside)
    first, last = sorted(((half - root) / square, (half + root) / square))
    if square > 0:
        return _within_range(first, last)
    # the set is all but what lies between the two; an interval of [0, 1] only where one of them
    # lies outside
    if first < 0 <= last <= 1:
        return last, 1.0
    if 0 <= first <= 1 < last:
        return 0.0, first
    return 0.0, 1.0


def _within_range(low: float, high: float) -> tuple[float, float]:
    """The part within [0, 1].

    Noise can move the whole interval beyond an end. It is then moved back until its middle lies on
    that end (Mandelkern and Schultz 2000): no interval is a single point only because it would say
    something impossible.
    """
    back = 0.0
    if low > 1.0 or high < 0.0:
        middle = (low + high) / 2
        back = middle - min(1.0, max(0.0, middle))
    return max(0.0, low - back), min(1.0, high - back)


def _kernel(bins: int) -> FloatArray:
    """float64[bins, bins]: what a pair of a positive in the row's bin and a negative in the
    column's counts.
    """
    return np.tril(np.ones((bins, bins)), -1) + np.eye(bins) / 2


def _variance(
    negatives: FloatArray,
    positives: FloatArray,
    noise: float,
    *,
    known: bool,
) -> tuple[float, float, float]:
    """Variances and covariance of the pairs won (numerator) and of all pairs (denominator).

    With the counts ``known``, products of two noises add to it; squares of noised counts hold those
    twice already.
    """
    kernel = _kernel(negatives.size)
    ones = np.ones_like(negatives)
    of_negatives, of_positives = negatives + noise, positives + noise
    won_by_positive, won_over_negative = kernel @ negatives, positives @ kernel
    rows = ((won_by_positive, ones * negatives.sum()), (won_over_negative, ones * positives.sum()))
    products = (kernel * kernel, kernel, np.ones_like(kernel))
    sign = 1.0
    if not known:
        sign = -1.0
    found = []
    for (i, j), product in zip(((0, 0), (0, 1), (1, 1)), products, strict=True):
        plain = float(
            (of_positives * rows[0][i] * rows[0][j]).sum()
            + (of_negatives * rows[1][i] * rows[1][j]).sum()
        )
        found.append(plain + sign * float(of_positives @ product @ of_negatives))
    # noise can turn a variance negative that is nearly nothing
    return max(found[0], 0.0), found[1], max(found[2], 0.0)


def _within(negatives: FloatArray, positives: FloatArray) -> float:
    """Most that ranking within the bands would add, below 0 for a model that ranks the wrong way
    round.

    Twice the next term of the trapezoid rule: the outermost bands are long, and the term alone does
    not see it.
    """
    turned = positives[1:] * negatives[:-1] - positives[:-1] * negatives[1:]
    return float(2 * turned.sum() / (12 * positives.sum() * negatives.sum()))


def unbiased_inverse(size: float, deviation: float) -> float:
    """Voinov's unbiased estimate of one over a class size, from the noised size; NaN where it
    overflows.
    """
    x = size / deviation
    if x > _SERIES:
        return (1 - 1 / x**2 + 3 / x**4 - 15 / x**6) / x / deviation
    if x < -_SERIES:
        return math.nan
    return math.sqrt(math.pi / 2) * math.exp(x * x / 2) * math.erfc(x / math.sqrt(2)) / deviation
