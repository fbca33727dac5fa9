"""Broken mechanisms for the self-test: it must convict each of them, or its PASS means nothing.

They are passed in by constructor and act on synthetic canaries only; nothing that runs on private
data imports this module (a test says so).
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.selftest import SAMPLED, ReleasePath
from securefl.learning.steps import Draws, RandomDraws, StepRule
from securefl.privacy.randomness import SystemRandomness

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.types import BoolArray, IntArray

#: What ``make_private`` would be given beside the data set.
_BATCH = 32
_UNCLIPPED = 1024


class _Weakened(Draws):
    """Real draws with noise of ``part`` times the deviation that was asked for."""

    def __init__(self, part: Fraction) -> None:
        self._part = part
        self._draws = RandomDraws(SystemRandomness())

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """See :class:`Draws`."""
        return self._draws.poisson_sample(n, rate)

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """See :class:`Draws`."""
        if not self._part:
            return np.zeros(count, dtype=np.int64)
        if (
            sigma * self._part.numerator / self._part.denominator < 2
        ):  # the sampler refuses so little: round a larger draw
            fine = self._draws.gaussian(sigma * 1024, count)
            return np.rint(fine * float(self._part) / 1024).astype(np.int64)
        return self._draws.gaussian(sigma * self._part.numerator / self._part.denominator, count)

    def quotient(self, values: IntArray, step: int) -> IntArray:
        """See :class:`Draws`."""
        return self._draws.quotient(values, step)


class _Sampler(Draws):
    """Real draws and noise, but for the batches where a claim rests on sampling.

    Everybody, or one batch for all steps of a round.
    """

    def __init__(self, *, everybody: bool) -> None:
        self._everybody = everybody
        self._draws = RandomDraws(SystemRandomness())
        self._batch = np.zeros(0, dtype=bool)
        self._used = 0

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """See :class:`Draws`."""
        if rate != SAMPLED.sample_rate:
            return self._draws.poisson_sample(n, rate)
        if self._everybody:
            return np.ones(n, dtype=bool)
        if self._used % SAMPLED.local_steps == 0:
            self._batch = self._draws.poisson_sample(n, rate)
        self._used += 1
        return self._batch

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """See :class:`Draws`."""
        return self._draws.gaussian(sigma, count)

    def quotient(self, values: IntArray, step: int) -> IntArray:
        """See :class:`Draws`."""
        return self._draws.quotient(values, step)


def _unclipped(_rows: int, rule: StepRule) -> StepRule:
    """Set a clip norm that clips nobody, with the noise that was sized for the old one.

    Grid units keep their length.
    """
    return replace(
        rule,
        clip_norm=rule.clip_norm * _UNCLIPPED,
        grid=rule.grid * _UNCLIPPED,
        noise_multiplier=rule.noise_multiplier / _UNCLIPPED,
    )


def _size_derived(rows: int, rule: StepRule) -> StepRule:
    """Take sampling rate and normaliser from the data set, as Opacus' ``make_private`` does.

    Opacus issues 571 and 819.
    """
    batches = max(1, math.ceil(rows / _BATCH))
    return replace(rule, sample_rate=Fraction(1, batches), share=float(max(1, rows // batches)))


def controls() -> dict[str, ReleasePath]:
    """The controls, by the names that the report uses."""
    real = RandomDraws(SystemRandomness())
    return {
        "noise off": ReleasePath(_Weakened(Fraction(0))),
        "half noise": ReleasePath(_Weakened(Fraction(1, 2))),
        "clipping off": ReleasePath(real, _unclipped),
        "size-derived normaliser": ReleasePath(real, _size_derived),
        "sampling off": ReleasePath(_Sampler(everybody=True)),
        "one batch for all steps": ReleasePath(_Sampler(everybody=False)),
    }
