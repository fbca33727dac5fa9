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
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each count."""


def row_counts(places: IntArray, size: int) -> IntArray:
    """Rows in each place, int64[size]. Private: never released without noise.

    A row adds 1 to one number, or to each of c different ones, so the counts' L2 sensitivity to a
    row is sqrt(c).

    Args:
        places: int64[m], or int64[m, c] with the places of a row in rising order.
        size: of the histogram.

    Raises:
        ValueError: a place below 0, or ``size`` or more; or a row that counts twice in one.
    """
    if places.size and not 0 <= places.min() <= places.max() < size:
        raise ValueError(f"a row counts in a number that is none of the {size}")
    if places.ndim > 1 and (np.diff(places, axis=1) <= 0).any():
        raise ValueError("a row counts twice in one number, or its places do not rise")
    return np.bincount(places.reshape(-1), minlength=size).astype(np.int64)


def release_counts(counts: IntArray, spec: CountSpec, draws: Draws) -> IntArray:
    """A hospital's contribution to a sum of counts: clamped to ``spec.bound``, plus noise."""
    return np.clip(counts, -spec.bound, spec.bound) + draws.gaussian(spec.sigma, counts.size)
