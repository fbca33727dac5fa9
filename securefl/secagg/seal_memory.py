"""Reading and writing of a SEAL array at once, where the binding offers a number at a time.

TenSEAL's binding reads a residue a call (0.17 us each: the larger part of an encryption's time, and
most of an opening's) and saves to files, compressed, which leaves copies of secrets. The numbers of
an array lie in one piece, though, and CPython says where an object lies, so that they can be copied
from there: one copy, which the caller can zero. Written there, they need no file to come in by.

What is relied on: an object of the binding is its Python head and then a pointer to SEAL's
``DynArray``, which is a memory pool (two words), capacity, size, and a pointer to the numbers (SEAL
4.1, ``dynarray.h``). :func:`layout_matches` proves it on an array with known numbers before
anything else is read so, and every read compares capacity and size with what the binding says.
Where the proof fails, the slow way gives the same numbers.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import WordArray

_CAPACITY: Final = 2
_SIZE: Final = 3
_DATA: Final = 4


def layout_matches(array: Any, numbers: Sequence[int]) -> bool:  # noqa: ANN401 - sealapi has no types
    """True if ``array``, which holds ``numbers``, gives them when it is read in one piece."""
    if sys.implementation.name != "cpython" or array.size() != len(numbers):
        return False
    whole = _in_one_piece(array)
    return whole is not None and whole.tolist() == list(numbers)


def read_all(array: Any, *, whole: bool) -> WordArray:  # noqa: ANN401 - sealapi has no types
    """Copy all numbers of a SEAL ``DynArray``: uint64[n].

    Args:
        array: the array; it does not keep the object that it came from alive, so the caller does.
        whole: whether :func:`layout_matches` said yes in this process. The result is the same
            without, only later.
    """
    numbers = None
    if whole:
        numbers = _in_one_piece(array)
    if numbers is None:
        return np.fromiter(map(array.at, range(array.size())), dtype=np.uint64)
    return numbers.copy()


def write_all(
    array: Any,  # noqa: ANN401 - sealapi has no types
    numbers: WordArray,
    *,
    whole: bool,
) -> bool:
    """Overwrite the first numbers of a SEAL ``DynArray``, all others with zero.

    Args:
        array: as of :func:`read_all`.
        numbers: uint64, at most as many as the array holds.
        whole: as of :func:`read_all`.

    Returns:
        Whether that was done; if not, nothing was touched.
    """
    place = None
    if whole:
        place = _in_one_piece(array)
    if place is None or numbers.size > place.size:
        return False
    place[: numbers.size] = numbers.reshape(-1)
    place[numbers.size :] = 0
    return True


def _in_one_piece(array: Any) -> WordArray | None:  # noqa: ANN401 - sealapi has no types
    """Show the numbers where they lie, uint64[n]; None where that is not as expected.

    Only as long as the object that the array came from lives and keeps its size.
    """
    size = int(array.size())
    # Behind the object's Python head stands the pointer to SEAL's array.
    place = ctypes.c_void_p.from_address(id(array) + object.__basicsize__).value
    if not place or not size:
        return None
    fields = (ctypes.c_size_t * (_DATA + 1)).from_address(place)
    # The binding says the same of capacity and size, or these are not the fields that we think.
    if fields[_CAPACITY] != array.capacity() or fields[_SIZE] != size or not fields[_DATA]:
        return None
    return np.ctypeslib.as_array((ctypes.c_uint64 * size).from_address(fields[_DATA]))
