"""Residues of ciphertexts in numpy, and the primes of the largest ring: degree 4096, 58 bits.

Everything the aggregator needs is here: addition modulo ``MODULUS`` and the packing of residues
into as few bits as they have. It takes no key and no SEAL.

The primes are those SEAL 4.1 chooses for ``CoeffModulus.Create(4096, [58, 22])``; a test compares
them with the library's own. ``SPECIAL_MODULUS`` is never in a ciphertext: it swamps the noise of
public-key encryption. In all the modulus has 80 bits, inside the 109 that the homomorphic
encryption standard (Albrecht et al. 2018) allows for 128-bit security at degree 4096, and inside
the 106 of the 2024 guidelines.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.types import WordArray

DEGREE: Final = 4096
MODULUS: Final = 288_230_376_151_130_113
MODULUS_BITS: Final = 58
SPECIAL_MODULUS: Final = 4_169_729
SPECIAL_MODULUS_BITS: Final = 22

_WORD_BYTES: Final = 8

_Q: Final = np.uint64(MODULUS)


def add(a: WordArray, b: WordArray, modulus: np.uint64 | WordArray = _Q) -> WordArray:
    """(a + b) mod q, element by element; both hold residues below q (uint64, any matching shapes).

    ``modulus``: another prime of at most 58 bits, or one for each row.
    """
    # Both are below 2^58, so their sum does not overflow 64 bits.
    total = a + b
    # Where total < q the subtraction wraps to a huge number, so the minimum is the residue either
    # way.
    reduced: WordArray = np.minimum(total, total - modulus)
    return reduced


def subtract(a: WordArray, b: WordArray, modulus: np.uint64 | WordArray = _Q) -> WordArray:
    """(a - b) mod q, as :func:`add`."""
    # Wraps where a < b; adding q then wraps back to the residue, which is the smaller of the two.
    difference = a - b
    reduced: WordArray = np.minimum(difference, difference + modulus)
    return reduced


def sum_mod_q(arrays: Iterable[WordArray], modulus: np.uint64 = _Q) -> WordArray:
    """Add any number (at least one) of equally shaped arrays of residues, mod q.

    Raises:
        UsageError: nothing to add, or shapes that differ.
    """
    total: WordArray | None = None
    for array in arrays:
        if total is None:
            total = array.copy()
        elif total.shape != array.shape:
            raise UsageError(
                f"Ciphertexts of shapes {total.shape} and {array.shape} cannot be added.",
                next_step="Add only contributions to one round.",
            )
        else:
            total = add(total, array, modulus)
    if total is None:
        raise UsageError("There is nothing to add.", next_step="Pass at least one ciphertext.")
    return total


def are_residues(array: WordArray, modulus: int = MODULUS) -> bool:
    """True if ``array`` is uint64 and every element is below ``modulus``."""
    return array.dtype == np.uint64 and array.size > 0 and int(array.max()) < modulus


def looks_degenerate(polynomials: WordArray) -> bool:
    """True if any polynomial (last axis) is all but zero, or constant.

    An honest polynomial is uniform mod q: in the smallest ring, of 1024 residues of 25 bits, nine
    zeros have probability 2^-153. TenSEAL accepts a ciphertext with c1 = 0, which is no encryption
    at all; a monomial in c1 is the probe of a decryption oracle.
    """
    zeros = polynomials.shape[-1] - np.count_nonzero(polynomials, axis=-1)
    constant = polynomials.max(axis=-1) == polynomials.min(axis=-1)
    return bool(np.any(zeros > 8) or np.any(constant))


def pack_bits(values: WordArray, width: int) -> bytes:
    """Write ``values`` as consecutive ``width``-bit numbers.

    ``values`` is uint64, a multiple of 64 of them, each below 2^width. Bit ``b`` of value ``i``
    becomes bit ``i * width + b`` of the output, bits counted from the least significant bit of the
    first byte.

    Raises:
        UsageError: a width whose values do not each lie within 8 bytes (59, 61, 62 and 63).
    """
    places, stride = _places(width)
    columns = values.reshape(-1, len(places))
    size = len(columns) * stride
    packed = bytearray(size + _WORD_BYTES)
    for column, (byte, shift) in zip(columns.T, places, strict=True):
        words = _words_at(packed, byte, len(columns), stride)
        words |= column << np.uint64(shift)
    return bytes(memoryview(packed)[:size])


def unpack_bits(data: bytes | memoryview, width: int) -> WordArray:
    """Invert :func:`pack_bits`: uint64[n], each below 2^width.

    ``data`` holds a multiple of 8*width bytes.
    """
    places, stride = _places(width)
    groups = len(data) // stride
    if places[-1][0] + _WORD_BYTES > stride:
        # The last word reaches over the end.
        data = bytes(data) + bytes(_WORD_BYTES)
    values = np.empty((groups, len(places)), dtype=np.uint64)
    for column, (byte, shift) in zip(values.T, places, strict=True):
        np.right_shift(_words_at(data, byte, groups, stride), np.uint64(shift), out=column)
    values &= np.uint64((1 << width) - 1)
    return values.reshape(-1)


@cache
def _places(width: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Find where the values of a run begin, (byte, bit in it), and the bytes of the run.

    A run is the fewest values, a power of two, that fill whole bytes and at least a word: then the
    words of one place in all runs do not overlap, and a handful of operations of numpy moves them
    all.
    """
    count = 1
    while count * width % 8 or count * width < 8 * _WORD_BYTES:
        count *= 2
    places = tuple(divmod(i * width, 8) for i in range(count))
    if any(shift + width > 8 * _WORD_BYTES for _, shift in places):
        raise UsageError(
            f"Values of {width} bits are not packed here: some lie in nine bytes.",
            next_step="Use at most 58 bits.",
        )
    return places, count * width // 8


def _words_at(
    data: bytes | bytearray | memoryview,
    byte: int,
    count: int,
    stride: int,
) -> WordArray:
    """View ``count`` little-endian words, the first at ``byte``, the next each ``stride`` on."""
    return np.ndarray((count,), dtype="<u8", buffer=data, offset=byte, strides=(stride,))
