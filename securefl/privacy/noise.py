"""Sampling of patients and integer noise: what makes a release private.

Contributions are exact integers on a public grid; so is the noise: the discrete Gaussian (Canonne,
Kamath, Steinke 2020), sampled in one of two ways, chosen by sigma alone, which is public:

- up to :data:`TABLE_MAX_SIGMA` grid units, as an evaluation's counts have: by inverting a table of
  128-bit cumulative probabilities. A draw is within 2^-100 (total variation) of the distribution;
  no floating point decides anything.
- beyond, as a training step has: a block of 2^k integers is drawn from such a table by the largest
  weight in the block, then an integer in it uniformly, and the draw is kept with the ratio of its
  weight to that largest one (rejection sampling; a block is 2^-10 to 2^-9 sigma wide, so fewer than
  1 in 500 draws is made again). The ratio alone is a float64, which errs by less than 2^-50 of
  itself. So a draw is within 2^-100 (total variation) of a distribution in which every probability
  is right to within a factor of 1 ± 2^-49: 10^8 values add less than 2e-7 to epsilon.

There is no grid of floats to leak through (Mironov 2012). Draws beyond 14 sigma (a chance below
2^-140) do not occur. Sigma is at least 2 grid units, where the accountants' figures for integer
noise are computed (Kairouz, Liu, Steinke 2021). Noise is never derived from a round and never
replayed: the source is the operating system's
(:class:`~securefl.privacy.randomness.SystemRandomness`), and tests inject theirs by constructor.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import StudyError, UsageError
from securefl.privacy.randomness import RandomBytes, uniform_below, uniform_words

if TYPE_CHECKING:
    from securefl.types import BoolArray, IntArray

__all__ = [
    "MIN_SIGMA",
    "TABLE_MAX_SIGMA",
    "TAIL",
    "IntegerGaussian",
    "RandomBytes",
    "gaussian_tail_multiplier",
    "poisson_sample",
    "stochastic_quotient",
]

#: Least noise, in grid units.
MIN_SIGMA = Decimal(2)
#: Up to this sigma (grid units) the table of single integers stays small: 14 sigma entries of 16
#: bytes.
TABLE_MAX_SIGMA = Decimal(1 << 14)
#: Beyond this many sigmas the discrete Gaussian has a mass below 2^-140: left out of the table.
TAIL = 14
#: A block is sigma / 1024 to sigma / 512 wide: a power of two.
_BLOCKS = 512
#: Draws made at a time.
_AT_ONCE = 1 << 18
_BITS = 128
_WORK_BITS = 256
_CONTEXT = Context(prec=100, rounding=ROUND_HALF_EVEN)


def poisson_sample(population: int, rate: Fraction, source: RandomBytes) -> BoolArray:
    """Draw each patient independently, with probability exactly ``rate``: bool[population].

    A patient is in when an integer uniform on ``0 .. q - 1`` is below ``p``, for the rate ``p/q``;
    no float rounds the probability. The number of bytes drawn depends on ``population`` and chance,
    so it must stay inside.

    Raises:
        UsageError: the rate is not a ratio above 0 and at most 1, or its denominator is above 2^63.
    """
    if not isinstance(rate, Fraction) or not 0 < rate <= 1 or rate.denominator > 1 << 63:
        raise UsageError(
            f"A sampling rate must be a ratio above 0 and at most 1, not {rate!r}.",
            next_step='Write it like "1/5".',
        )
    return uniform_below(population, rate.denominator, source) < np.uint64(rate.numerator)


def gaussian_tail_multiplier(draws: int, probability: float = 2.0**-40) -> float:
    """Return t such that no draw exceeds t sigma, but for a chance of ``probability``.

    Union bound over ``draws`` draws with ``P(|X| >= t sigma) <= 2 exp(-t^2 / 2)``, which holds for
    the continuous and the discrete Gaussian (Canonne, Kamath, Steinke 2020, proposition 25) and for
    sums of them; rounding adds half a unit.

    >>> round(gaussian_tail_multiplier(1), 3), round(gaussian_tail_multiplier(10**6), 3)
    (7.539, 9.191)
    """
    return math.sqrt(2 * (math.log(2 * max(draws, 1)) - math.log(probability)))


class IntegerGaussian:
    """Discrete Gaussian noise of parameter ``sigma`` grid units; independent integers, mean 0.

    Args:
        sigma: noise multiplier times grid units per clip norm, exact.
        source: where random bytes come from.

    Raises:
        StudyError: ``sigma`` is below 2 grid units.
    """

    def __init__(self, sigma: Decimal, source: RandomBytes) -> None:
        if not isinstance(sigma, Decimal) or not sigma.is_finite() or sigma < MIN_SIGMA:
            raise StudyError(
                f"The noise is {sigma} grid units; below {MIN_SIGMA} the privacy figures do not"
                " hold for integers.",
                next_step="Raise the noise.",
            )
        self.sigma = sigma
        self._source = source
        #: Integers in a block: 1 where the table holds single integers.
        self.block = 1
        if sigma > TABLE_MAX_SIGMA:
            # The largest power of two that is at most sigma / 512: a block is drawn by its
            # largest weight, and within so narrow a block few draws are rejected.
            self.block = 1 << (int(sigma) // _BLOCKS).bit_length() - 1
        # Single integers: zero has one sign and every other magnitude two, so those weigh double.
        # Blocks: each has both signs, the first one too, and its second zero is rejected later.
        self._table = _cumulative(sigma / self.block, mirrored=self.block == 1)
        self._high = np.array([t >> 64 for t in self._table], dtype=np.uint64)

    def draw(self, size: int) -> IntArray:
        """Draw ``size`` fresh integers: int64[size]."""
        found = np.empty(size, dtype=np.int64)
        for start in range(0, size, _AT_ONCE):
            count = min(_AT_ONCE, size - start)
            found[start : start + count] = self._some(count)
        return found

    def _some(self, size: int) -> IntArray:
        """Draw ``size`` integers at once; rejected ones are drawn again."""
        if self.block == 1:
            magnitude = self._entries(size)
            return np.where(self._signs(size), -magnitude, magnitude)
        found, kept = self._tried(size)
        again = np.flatnonzero(~kept)
        while again.size:
            found[again], kept = self._tried(again.size)
            again = again[~kept]
        return found

    def _tried(self, size: int) -> tuple[IntArray, BoolArray]:
        """Make one attempt at ``size`` draws: the draws, and which are kept (int64, bool)."""
        base = self._entries(size) * self.block
        within = (uniform_words(size, self._source) & np.uint64(self.block - 1)).astype(np.int64)
        # exp(-(m^2 - base^2) / 2 sigma^2) for the magnitude m = base + within; 2 base + within is
        # below 2^53, so exact
        exponent = (
            (2 * base + within).astype(np.float64)
            * within.astype(np.float64)
            / (2.0 * float(self.sigma) ** 2)
        )
        # The upper 53 bits of a word, as a float64 in [0, 1) without rounding.
        chance = (uniform_words(size, self._source) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        negative = self._signs(size)
        magnitude = base + within
        # Plus and minus zero are one integer: without this it would come twice as often.
        second_zero = negative & (magnitude == 0)
        kept = (chance < np.exp(-exponent)) & ~second_zero
        return np.where(negative, -magnitude, magnitude), kept

    def _entries(self, size: int) -> IntArray:
        """Draw entries of the table by inverting it: int64[size]."""
        # The entry is the number of thresholds at or below a 128-bit uniform word. The upper 64
        # bits decide, unless they equal a threshold's: then (once in 10^14 draws) 64 more are
        # drawn.
        upper = uniform_words(size, self._source)
        entry = np.searchsorted(self._high, upper, side="left")
        within = np.minimum(entry, self._high.size - 1)
        for i in np.flatnonzero(self._high[within] == upper):
            word = int(upper[i]) << 64 | int.from_bytes(self._source(8), "little")
            entry[i] = sum(1 for t in self._table if t <= word)
        return entry.astype(np.int64, copy=False)

    def _signs(self, size: int) -> BoolArray:
        """Draw signs, a bit for each: true is negative, bool[size]."""
        signs = np.frombuffer(self._source(-(-size // 8)), dtype=np.uint8)
        return np.unpackbits(signs, count=size).astype(bool)


def stochastic_quotient(values: IntArray, step: int, source: RandomBytes) -> IntArray:
    """Divide ``values`` by ``step``, rounding down or up at random: int64, exactly unbiased.

    ``q step + r`` becomes ``q + 1`` with probability exactly ``r / step``: an integer uniform on
    ``0 .. step - 1`` is below r.

    Args:
        values: int64[d].
        step: 1 to 2^62, public.
        source: where random bytes come from.
    """
    down, rest = np.divmod(values, step)
    up = uniform_below(values.size, step, source) < rest.astype(np.uint64)
    found: IntArray = down + up
    return found


def _cumulative(sigma: Decimal, *, mirrored: bool) -> list[int]:
    """Compute the thresholds ``floor(2^128 P(entry <= k))`` for k = 0, 1, ... without the last.

    The last one is 2^128, which every word is below. The weight of entry k is ``exp(-k^2 / 2
    sigma^2)``, twice that from 1 on where ``mirrored``: the entry then is a magnitude.
    """
    one = 1 << _WORK_BITS
    with localcontext(_CONTEXT):
        rate = -1 / (2 * sigma * sigma)
        ratio = int(rate.exp() * one)
        growth = int((2 * rate).exp() * one)
    # weight(k) = exp(-k^2 / 2 sigma^2) by weight(k+1) = weight(k) * ratio(k), ratio(k+1) = ratio(k)
    # * exp(-1/sigma^2), in fixed point of 256 bits: the error stays below entries^2 * 2^-256.
    weight = one
    masses = [one]
    for _ in range(math.ceil(sigma * TAIL)):
        weight = weight * ratio >> _WORK_BITS
        ratio = ratio * growth >> _WORK_BITS
        masses.append(2 * weight if mirrored else weight)
    total = sum(masses)
    running = 0
    thresholds = []
    for mass in masses[:-1]:
        running += mass
        thresholds.append((running << _BITS) // total)
    # Far out the floor reaches 2^128 itself, which no 128-bit word can be at or above.
    return [t for t in thresholds if t < 1 << _BITS]
