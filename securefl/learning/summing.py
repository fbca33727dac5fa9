"""Sums of floats in an order that nothing but the number of terms decides.

A sum of floats depends on the order of its terms, and numpy's reductions (``sum``, ``einsum``, a
matrix product) choose one by the array's shape, its buffer and the row's place:
``einsum("ij,ij->i")`` reads 8,192 numbers at a time, so in rows longer than that a row's sum
changed with the rows beside it, and another patient's gradient crossed a grid line. Whatever is
rounded, compared or chosen by afterwards is therefore added here: the second half of the terms is
added to the first, term by term, until one is left. Each of these additions is of two single
values, which IEEE 754 defines to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray


def sum_in_order(terms: FloatArray) -> FloatArray:
    """The sums along the last axis, each the same to the last bit whatever stands beside its terms.

    Args:
        terms: float64[..., n]; its contents are used up.

    Returns:
        float64[...]; zeros where n is 0.

    >>> sum_in_order(np.array([[1.0, 2.0, 4.0], [1e300, 1.0, -1e300]]))
    array([7., 1.])
    """
    left = terms.shape[-1]
    if left == 0:
        return np.zeros(terms.shape[:-1])
    while left > 1:
        half = (left + 1) // 2
        terms[..., : left - half] += terms[..., half:left]
        left = half
    found: FloatArray = terms[..., 0].copy()
    return found


def sum_of_squares(rows: FloatArray) -> FloatArray:
    """Sum each row's squares: float64[m] of float64[m, n].

    Infinite or not a number where a value is too large or none.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return sum_in_order(rows * rows)
