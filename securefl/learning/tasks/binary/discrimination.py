"""AUC from a noised histogram: an unbiased estimate, and an interval that is honest where a class
is lost in the noise.

Every count is its true size plus independent noise of a known variance, so a sum of products of a
positive's and a negative's count is unbiased. The AUC is such a sum over the product of the two
class sizes, and one over a noised size is not: the noise makes it too large, and the figure with
it. Voinov's inverse and Fieller's interval (:mod:`securefl.learning.intervals`) mend that without
any assumption on the model. Where a size cannot be told from nothing the interval is all of [0, 1].

What is estimated is the AUC of the score in its bands: two patients of one band count half. It is
the AUC of the exact score less what ranking within the bands adds (:mod:`securefl.study.edges`
keeps that below .005 by default).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.intervals import fieller, unbiased_inverse

if TYPE_CHECKING:
    from securefl.types import FloatArray

#: Deviations of its noise that the larger class must hold: a product of two sizes that are both
#: mostly noise is not nearly normal, and the interval would cover too seldom.
_ONE_SIZE_KNOWN = 4.0


def histogram_auc(negatives: FloatArray, positives: FloatArray) -> float:
    """AUC of two histograms over the same bins, pairs within a bin counting half; 0.5 if a class is
    empty.
    """
    below = np.cumsum(negatives) - negatives / 2
    pairs = negatives.sum() * positives.sum()
    if pairs > 0:
        return float((positives * below).sum() / pairs)
    return 0.5


def unbiased_auc(
    negatives: FloatArray,
    positives: FloatArray,
    noise_variance: float,
) -> float:
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
    of_negatives = negatives - negatives.mean()
    of_positives = positives - positives.mean()
    alone = (
        kernel.mean(axis=0) @ of_negatives * over_negatives
        + of_positives @ kernel.mean(axis=1) * over_positives
    )
    together = of_positives @ kernel @ of_negatives * over_negatives * over_positives
    return float(0.5 + alone + together)


def auc_interval(
    negatives: FloatArray,
    positives: FloatArray,
    noise_variance: float,
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
    negatives: FloatArray,
    positives: FloatArray,
    noise_variance: float,
) -> tuple[float, float]:
    """The interval to expect where the true counts are these: public figures in, for a plan."""
    kernel = _kernel(negatives.size)
    variance = _variance(negatives, positives, noise_variance, known=True)
    return fieller(
        float(positives @ kernel @ negatives), float(negatives.sum() * positives.sum()), variance
    )


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
    of_negatives = negatives + noise
    of_positives = positives + noise
    won_by_positive = kernel @ negatives
    won_over_negative = positives @ kernel
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
