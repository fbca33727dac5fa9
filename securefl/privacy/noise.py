"""Sampling of patients and integer noise: what makes a release private.

Contributions are exact integers on a public grid; so is the noise. Two samplers, chosen by public numbers only:

- *discrete Gaussian* (Canonne, Kamath, Steinke 2020) by inverting a table of 128-bit cumulative probabilities, up to
  :data:`DISCRETE_MAX_DIMENSION` values and :data:`DISCRETE_MAX_SIGMA`. A draw is within 2^-100 (total variation) of
  the distribution; no floating point decides anything, so there is no grid to leak through (Mironov 2012).
- *rounded Gaussian* beyond: float64 Box-Muller, rounded to integers. Added to an exact integer sum this is
  post-processing of the continuous mechanism, but for float64: no draw exceeds 9.5 sigma (a tail of 2^-64 is
  missing), and before rounding a draw errs by less than 2^-45 sigma (a few units in the last place of its factors),
  so a share of at most 2^-44 times sigma in grid units lands on the neighbouring integer: 6e-10 at sigma 10,000.

Sigma is at least 2 grid units, where the accountants' figures for continuous noise hold for integer noise
(Kairouz, Liu, Steinke 2021). Noise is never derived from a round and never replayed: the source is the operating
system's (:class:`~securefl.privacy.randomness.SystemRandomness`), and tests inject theirs by constructor.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from securefl.errors import StudyError, UsageError
from securefl.privacy.randomness import RandomBytes, uniform_below, uniform_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DISCRETE_MAX_DIMENSION", "DISCRETE_MAX_SIGMA", "MIN_SIGMA", "IntegerGaussian", "RandomBytes", "gaussian_tail_multiplier",
    "poisson_sample",
]

#: Least noise, in grid units.
MIN_SIGMA = Decimal(2)
#: Models up to this many values get the discrete Gaussian: about 0.1 s for 10^6 draws at sigma 5,000 on one core,
#: where the rounded one takes 0.04 s (measured on the machine this was written on).
DISCRETE_MAX_DIMENSION = 1 << 20
#: Up to this sigma (grid units) the table stays small: 14 sigma entries of 16 bytes.
DISCRETE_MAX_SIGMA = Decimal(1 << 14)
#: Beyond this many sigmas the discrete Gaussian has a mass below 2^-140: left out of the table.
_TABLE_TAIL = 14
_BITS = 128
_WORK_BITS = 256
_CONTEXT = Context(prec=100, rounding=ROUND_HALF_EVEN)


def poisson_sample(population: int, rate: Fraction, source: RandomBytes) -> NDArray[np.bool_]:
    """Each of ``population`` patients independently, with probability exactly ``rate``: bool[population].

    A patient is in when an integer uniform on ``0 .. q - 1`` is below ``p``, for the rate ``p/q``; no float rounds
    the probability. The number of bytes drawn depends on ``population`` and chance, so it must stay inside.

    Raises:
        UsageError: the rate is not a ratio above 0 and at most 1, or its denominator is above 2^63.
    """
    if not isinstance(rate, Fraction) or not 0 < rate <= 1 or rate.denominator > 1 << 63:
        raise UsageError(f"A sampling rate must be a ratio above 0 and at most 1, not {rate!r}.", next_step='Write it like "1/5".')
    return uniform_below(population, rate.denominator, source) < np.uint64(rate.numerator)


def gaussian_tail_multiplier(draws: int, probability: float = 2.0**-40) -> float:
    """How many sigmas none of ``draws`` draws exceeds in magnitude, but for a chance of ``probability``.

    Union bound over ``P(|X| >= t sigma) <= 2 exp(-t^2 / 2)``, which holds for the continuous and the discrete
    Gaussian (Canonne, Kamath, Steinke 2020, proposition 25) and for sums of them; rounding adds half a unit.

    >>> round(gaussian_tail_multiplier(1), 3), round(gaussian_tail_multiplier(10**6), 3)
    (7.539, 9.191)
    """
    return math.sqrt(2 * (math.log(2 * max(draws, 1)) - math.log(probability)))


class IntegerGaussian:
    """Integer noise of standard deviation ``sigma`` grid units; independent draws, mean 0.

    Args:
        sigma: noise multiplier times grid units per clip norm, exact.
        dimension: how many values a release has; with ``sigma`` it decides the sampler, and both are public.
        source: where random bytes come from.

    Raises:
        StudyError: ``sigma`` is below 2 grid units.
    """

    def __init__(self, sigma: Decimal, dimension: int, source: RandomBytes) -> None:
        if not isinstance(sigma, Decimal) or not sigma.is_finite() or sigma < MIN_SIGMA:
            raise StudyError(
                f"The noise is {sigma} grid units; below {MIN_SIGMA} the privacy figures do not hold for integers.",
                next_step="Raise privacy.grid, or the noise.",
            )
        self.sigma = sigma
        self._source = source
        small = dimension <= DISCRETE_MAX_DIMENSION and sigma <= DISCRETE_MAX_SIGMA
        self.kind: Literal["discrete-gaussian", "rounded-gaussian"] = "discrete-gaussian" if small else "rounded-gaussian"
        self._table = _cumulative(sigma) if small else []
        self._high = np.array([t >> 64 for t in self._table], dtype=np.uint64)

    def draw(self, size: int) -> NDArray[np.int64]:
        """``size`` fresh draws, int64[size]."""
        if self.kind == "discrete-gaussian":
            return self._discrete(size)
        return _rounded(float(self.sigma), size, self._source)

    def _discrete(self, size: int) -> NDArray[np.int64]:
        # The magnitude is the number of thresholds at or below a 128-bit uniform word. The upper 64 bits decide,
        # unless they equal a threshold's: then (once in 10^14 draws) 64 more are drawn.
        upper = uniform_words(size, self._source)
        magnitude = np.searchsorted(self._high, upper, side="left")
        within = np.minimum(magnitude, self._high.size - 1)
        for i in np.flatnonzero(self._high[within] == upper):
            word = int(upper[i]) << 64 | int.from_bytes(self._source(8), "little")
            magnitude[i] = sum(1 for t in self._table if t <= word)
        signs = np.frombuffer(self._source(-(-size // 8)), dtype=np.uint8)
        negative = np.unpackbits(signs, count=size).astype(bool)
        return np.where(negative, -magnitude, magnitude).astype(np.int64)


def _cumulative(sigma: Decimal) -> list[int]:
    """Thresholds ``floor(2^128 P(|X| <= k))`` for k = 0, 1, ..., the last left out (it is 2^128)."""
    one = 1 << _WORK_BITS
    with localcontext(_CONTEXT):
        rate = -1 / (2 * sigma * sigma)
        ratio, growth = int(rate.exp() * one), int((2 * rate).exp() * one)
    # weight(k) = exp(-k^2 / 2 sigma^2) by weight(k+1) = weight(k) * ratio(k), ratio(k+1) = ratio(k) * exp(-1/sigma^2),
    # in fixed point of 256 bits: the error stays below entries^2 * 2^-256.
    weight, masses = one, [one]
    for _ in range(math.ceil(sigma * _TABLE_TAIL)):
        weight = weight * ratio >> _WORK_BITS
        ratio = ratio * growth >> _WORK_BITS
        masses.append(2 * weight)
    total, running, thresholds = sum(masses), 0, []
    for mass in masses[:-1]:
        running += mass
        thresholds.append((running << _BITS) // total)
    return [t for t in thresholds if t < 1 << _BITS]


def _rounded(sigma: float, size: int, source: RandomBytes) -> NDArray[np.int64]:
    pairs = -(-size // 2)
    radius_words = uniform_words(pairs, source).astype(np.float64)
    angle_words = (uniform_words(pairs, source) >> np.uint64(11)).astype(np.float64)
    # (word + 1/2) 2^-64 keeps full relative precision where the logarithm is large: the tail reaches 9.49 sigma.
    radius = sigma * np.sqrt(-2.0 * np.log((radius_words + 0.5) * 2.0**-64))
    angle = angle_words * (2.0 * math.pi * 2.0**-53)
    values = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size]
    rounded: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return rounded
