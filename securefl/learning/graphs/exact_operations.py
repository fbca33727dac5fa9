"""Sums and products of records side by side, none of which depends on an order or on a place.

Arrays hold a block of records along axis 0: float64[m, ...]. Values that all records share, as
weights are, have 1 there. Every function here keeps axis 0 as it is.

- A sum adds neighbours, or the second half of its terms to the first, until one is left: additions
  of two single values, in an order that the number of terms alone decides
  (:mod:`securefl.learning.summing`).
- The factors of a product of matrices are put on grids first, coarse enough that all products and
  all their partial sums are exact in float64; an exact sum has no order (the slices of Ozaki et al.
  2012, doi:10.1007/s11075-011-9478-1; :mod:`securefl.learning.exact` for linear layers). A grid
  follows from the largest number of *that record's own* array, so no other record moves it. One
  slice keeps 22 bits or so of each factor, relative to the largest: for gradients, which are noised.
  Two slices keep 44: for scores, which people read.
- Functions like tanh are numpy's, on whole vectors (:mod:`securefl.learning.whole_vectors`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

#: Bits of a float64's significand, less one for the sum's own carry.
_BITS: Final = 52
#: Numbers beyond it make a record count as not finite: their products could overflow in some order.
_MOST: Final = 2.0**400
_LEAST: Final = 2.0**-400


def factor_bits(*terms: int) -> int:
    """Bits of each factor, so that sums of so many products are exact.

    >>> factor_bits(9), factor_bits(9, 64)
    (24, 22)
    """
    return (_BITS - math.ceil(math.log2(max(terms) + 1))) // 2


def on_grid(values: FloatArray, bits: int) -> FloatArray:
    """Each record's numbers, rounded to multiples of 2^-bits of the largest one's power of two.

    Not a number throughout a record, where one of its numbers is not finite or beyond 2^400.
    """
    room = np.abs(values)
    most = room.reshape(len(values), -1).max(axis=1, initial=_LEAST)
    most[most > _MOST] = np.nan
    mantissa, _ = np.frexp(most)
    # A power of two, exactly; what is added to it is cut at its last bit.
    push = most / mantissa * (1.5 * 2.0 ** (_BITS - bits))
    push = push.reshape(-1, *(1,) * (values.ndim - 1))
    np.add(values, push, out=room)
    room -= push
    return room


def summed(values: FloatArray, axes: Sequence[int]) -> FloatArray:
    """Sums along axes, which stay with length 1: a new array.

    Args:
        values: float64[m, ...]; left as it is.
        axes: one or more, none of them the records'.

    Raises:
        ValueError: records would be added up.
    """
    if 0 in axes:
        raise ValueError("records are not added up")
    shape = [1 if axis in axes else side for axis, side in enumerate(values.shape)]
    for first, last in _runs(axes):
        before = values.shape[:first]
        behind = values.shape[last + 1 :]
        many = math.prod(values.shape[first : last + 1])
        values = _halved(values.reshape(*before, many, *behind), first)
        values = values.reshape(*before, *(1,) * (last + 1 - first), *behind)
    return values.reshape(shape)


def _runs(axes: Sequence[int]) -> list[tuple[int, int]]:
    """First and last axis of each run of neighbours: they are summed in one go.

    >>> _runs([3, 1, 4])
    [(1, 1), (3, 4)]
    """
    found: list[tuple[int, int]] = []
    for axis in sorted(axes):
        if found and found[-1][1] == axis - 1:
            found[-1] = (found[-1][0], axis)
        else:
            found.append((axis, axis))
    return found


def _halved(values: FloatArray, axis: int) -> FloatArray:
    """The sum along one axis, which stays with length 1: each addition is of two terms, and the
    number of terms alone decides which two.
    """
    sides = values.shape
    left = sides[axis]
    if left == 0:
        return np.zeros((*sides[:axis], 1, *sides[axis + 1 :]))
    if left == 1:
        return values.copy()
    if axis == values.ndim - 1 and left % 2 == 0:
        # Neighbours: one long stretch over all rows, for as long as their number is even.
        flat = values.reshape(-1)
        while left % 2 == 0:
            flat = flat[0::2] + flat[1::2]
            left //= 2
        found: FloatArray = flat.reshape(*sides[:axis], left)
        if left == 1:
            return found
        return _halved(found, axis)
    # The second half to the first.
    before = (slice(None),) * axis
    half = (left + 1) // 2
    found = np.empty((*sides[:axis], half, *sides[axis + 1 :]))
    front = (*before, slice(left - half))
    np.add(values[front], values[(*before, slice(half, left))], out=found[front])
    if left % 2:
        middle = (*before, slice(half - 1, half))
        found[middle] = values[middle]
    return _halved(found, axis)


def product(
    one: FloatArray,
    other: FloatArray,
) -> FloatArray:
    """Products of matrices whose factors are on their grids: float64[m, ..., rows, columns].

    Factors that all records share are multiplied in one go.
    """
    if other.ndim == 3 and len(other) == 1 and len(one) > 1:
        rows = one.reshape(-1, one.shape[-1])
        together: FloatArray = rows @ other[0]
        return together.reshape(*one.shape[:-1], other.shape[-1])
    found: FloatArray = one @ other
    return found


def fine_product(
    one: FloatArray,
    other: FloatArray,
) -> FloatArray:
    """Products of matrices, with two slices of each factor."""
    bits = factor_bits(one.shape[-1])
    first = on_grid(one, bits)
    second = on_grid(other, bits)
    found = product(first, second)
    found += product(first, on_grid(other - second, bits)) + product(
        on_grid(one - first, bits), second
    )
    return found


def turned(values: FloatArray) -> FloatArray:
    """Each record's matrices, rows for columns."""
    return values.swapaxes(-1, -2)
