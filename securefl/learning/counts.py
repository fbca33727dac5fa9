"""Counts of rows, and the noise under which they leave a hospital."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.learning.steps import Draws
    from securefl.types import IntArray


class CountSpec(Protocol):
    """The public constants of a release of counts."""

    @property
    def bound(self) -> int:
        """The largest count before noise."""

    @property
    def noise_multiplier(self) -> Decimal:
        """Standard deviation of the noise on each count."""


def row_counts(places: IntArray, size: int) -> IntArray:
    """Rows in each place, int64[size]: a row counts in one number, once, so the sensitivity to a
    row is 1. Private: never released without noise.

    Raises:
        ValueError: a place below 0, or ``size`` or more.
    """
    if len(places) and not 0 <= places.min() <= places.max() < size:
        raise ValueError(f"a row counts in a number that is none of the {size}")
    return np.bincount(places, minlength=size).astype(np.int64)


def release_counts(counts: IntArray, spec: CountSpec, draws: Draws) -> IntArray:
    """A hospital's contribution to a sum of counts: clamped to ``spec.bound``, plus noise."""
    return np.clip(counts, -spec.bound, spec.bound) + draws.gaussian(
        spec.noise_multiplier, counts.size
    )
