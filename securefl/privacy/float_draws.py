"""Floating-point draws from a source of random bytes, for the self-test only.

Never for what is released: releases take exact integers (:mod:`securefl.privacy.noise`). The
self-test makes answers of broken workers out of ordinary normal numbers; they too come from the
operating system, so that nothing in the product is repeatable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from securefl.privacy.randomness import uniform_words

if TYPE_CHECKING:
    from securefl.privacy.randomness import RandomBytes
    from securefl.types import FloatArray, IntArray

    Size = int | tuple[int, ...]


class Floats(Protocol):
    """Draws that the self-test needs; tests pass numpy's generator."""

    def random(self, size: Size, /) -> FloatArray:
        """Draw uniform numbers in [0, 1): float64 of that shape."""

    def normal(
        self,
        loc: float = 0.0,
        scale: float = 1.0,
        size: Size = 1,
    ) -> FloatArray:
        """Draw normal numbers of mean ``loc`` and deviation ``scale``: float64 of that shape."""

    def binomial(self, n: int, p: float, size: Size, /) -> IntArray:
        """Count the successes in ``n`` trials of chance ``p``: int64 of that shape."""


class FloatDraws:
    """:class:`Floats` on one source of random bytes."""

    def __init__(self, source: RandomBytes) -> None:
        self._source = source

    def random(self, size: Size, /) -> FloatArray:
        """See :class:`Floats`: the upper 53 bits of a word."""
        words = uniform_words(int(np.prod(size)), self._source) >> np.uint64(11)
        return (words.astype(np.float64) * 2.0**-53).reshape(size)

    def normal(
        self,
        loc: float = 0.0,
        scale: float = 1.0,
        size: Size = 1,
    ) -> FloatArray:
        """See :class:`Floats`: by Box and Muller (1958)."""
        # log1p of -u, for u in [0, 1): never the logarithm of 0.
        radius = np.sqrt(-2.0 * np.log1p(-self.random(size)))
        angle = self.random(size) * (2.0 * math.pi)
        found: FloatArray = loc + scale * radius * np.cos(angle)
        return found

    def binomial(self, n: int, p: float, size: Size, /) -> IntArray:
        """See :class:`Floats`: trial by trial."""
        total = np.zeros(size, dtype=np.int64)
        for _ in range(n):
            total += self.random(size) < p
        return total
