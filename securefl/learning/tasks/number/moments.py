"""Sums that an evaluation of a number releases: powers of values and of the model's errors.

Of a held-out row let v be its value, counted from the typical one, and e the model's error, both
cut and divided so that they lie in [-1, 1]. The row adds eleven numbers, :data:`ITEMS` times
:data:`WEIGHTS`: none of the items is larger than 1 and the weights' squares add up to 1, so the
eleven have an L2 norm of at most 1. They are put on whole numbers of a grid of ``units``: times at
most ``units - sqrt(11) / 2`` and rounded to the nearest, which moves a vector by at most
sqrt(11) / 2. So one row's whole numbers are at most ``units`` long, which is checked in integers too
(:class:`securefl.learning.tasks.summed.SummedTask`), and that is the sensitivity of the sum to a
patient, who counts with one row.

The first powers give R2 and the mean errors. The higher ones give the variances of the sums over
patients, so that intervals hold sampling without assuming how values and errors are distributed.
They are needed less exactly and weigh less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.types import FloatArray, IntArray

#: Item → the square of its weight.
ITEMS: Final[Mapping[str, float]] = {
    "one": 0.05,
    "v": 0.05,
    "v2": 0.28,
    "v3": 0.016,
    "v4": 0.016,
    "e": 0.05,
    "abs_e": 0.09,
    "e2": 0.40,
    "e4": 0.016,
    "e2v": 0.016,
    "e2v2": 0.016,
}
WEIGHTS: Final = np.sqrt(np.array(list(ITEMS.values())))


def row_numbers(
    values: FloatArray,
    errors: FloatArray,
    units: int,
) -> IntArray:
    """Each row's whole numbers, int64[m, 11], at most ``units`` long.

    Args:
        values: v, float64[m] within [-1, 1].
        errors: e, the same.
        units: of the grid.

    Products of single values alone, which IEEE 754 defines to the last bit: no row moves another's.
    """
    squares = values * values
    squared_errors = errors * errors
    items = np.column_stack(
        [
            np.ones_like(values),
            values,
            squares,
            squares * values,
            squares * squares,
            errors,
            np.abs(errors),
            squared_errors,
            squared_errors * squared_errors,
            squared_errors * values,
            squared_errors * squares,
        ]
    )
    return np.rint(items * _factors(units)).astype(np.int64)


@dataclass(frozen=True)
class Moments:
    """Items as read off a released sum.

    Attributes:
        sums: item → its noised sum over patients.
        noise: item → the variance of its noise.
    """

    sums: Mapping[str, float]
    noise: Mapping[str, float]

    @property
    def patients(self) -> float:
        """How many, as noised."""
        return self.sums["one"]


def read_moments(
    total: IntArray,
    units: int,
    variance: float,
) -> Moments:
    """Read an opened sum.

    Args:
        total: int64[11].
        units: of the grid.
        variance: of the noise on each of its numbers.
    """
    found = total / _factors(units)
    return Moments(dict(zip(ITEMS, found.tolist(), strict=True)), noise_of_items(units, variance))


def noise_of_items(
    units: int,
    variance: float,
) -> dict[str, float]:
    """Item → the variance of the noise on its sum over patients. Arguments as above."""
    found = variance / _factors(units) ** 2
    return dict(zip(ITEMS, found.tolist(), strict=True))


def _factors(units: int) -> FloatArray:
    """Units that stand for 1 of each item: whole numbers, so that ones are not rounded."""
    found: FloatArray = np.floor(WEIGHTS * (units - math.sqrt(len(ITEMS)) / 2))
    return found
