"""Ratios of noised numbers: intervals that are honest where the denominator is lost in the noise, and
an inverse without bias.

- Fieller (1954): {a : (t - a s)² <= z² var(t - a s)} covers t/s with its stated chance however
  noisy s is. Where s cannot be told from nothing the set has no ends, and the interval is all of
  [0, 1].
- Voinov (1985): for x ~ N(m, s²) with m > 0, Mills' ratio (1 - Phi(x/s)) / phi(x/s) over s has the
  mean 1/m.
"""

from __future__ import annotations

import math
from statistics import NormalDist

NORMAL_95 = NormalDist().inv_cdf(0.975)
#: From here on Mills' ratio is its own series to nine digits, and exp(x²/2) still far from
#: overflow.
_SERIES = 25.0


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
    square = below * below - of_below
    half = above * below - both
    rest = above * above - of_above
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


def share_interval(
    part: float,
    whole: float,
    noise_of_part: float,
    noise_of_whole: float,
) -> tuple[float, float]:
    """95 % interval of a share of noised counts; (0, 1) where nothing can be said."""
    if whole <= NORMAL_95 * math.sqrt(noise_of_whole):
        return 0.0, 1.0
    return fieller(
        part, whole, (max(part, 0.0) + noise_of_part, part + noise_of_part, whole + noise_of_whole)
    )


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
