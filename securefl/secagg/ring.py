"""Ring of the ciphertexts: polynomials of 4096 residues modulo one 58-bit prime, in numpy.

Everything the aggregator needs is here: addition modulo ``MODULUS`` and the packing of residues
into as few bits as they have. It takes no key and no SEAL.

The primes are those SEAL 4.1 chooses for ``CoeffModulus.Create(4096, [58, 22])``; a test compares
them with the library's own. ``SPECIAL_MODULUS`` is never in a ciphertext: it swamps the noise of
public-key encryption. In all the modulus has 80 bits, inside the 109 that the homomorphic
encryption standard (Albrecht et al. 2018) allows for 128-bit security at degree 4096, and inside
the 106 of the 2024 guidelines.
"""

from __future__ import annotations

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

#: Bytes of one ciphertext on the wire: two polynomials of 4096 residues of 58 bits.
CHUNK_BYTES: Final = 2 * DEGREE * MODULUS_BITS // 8

_Q: Final = np.uint64(MODULUS)


def add(a: WordArray, b: WordArray, modulus: np.uint64 | WordArray = _Q) -> WordArray:
    """(a + b) mod q, element by element; both hold residues below q (uint64, any matching shapes).

    ``modulus``: another prime of 58 bits, or one for each row.
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


def sum_mod_q(arrays: Iterable[WordArray]) -> WordArray:
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
            total = add(total, array)
    if total is None:
        raise UsageError("There is nothing to add.", next_step="Pass at least one ciphertext.")
    return total


def are_residues(array: WordArray, modulus: int = MODULUS) -> bool:
    """True if ``array`` is uint64 and every element is below ``modulus``."""
    return array.dtype == np.uint64 and array.size > 0 and int(array.max()) < modulus


def looks_degenerate(polynomials: WordArray) -> bool:
    """True if any polynomial (last axis) is all but zero, or constant.

    An honest polynomial is uniform mod q, so that even one zero has probability 4096/2^58. TenSEAL
    accepts a ciphertext with c1 = 0, which is no encryption at all; a monomial in c1 is the probe
    of a decryption oracle.
    """
    zeros = polynomials.shape[-1] - np.count_nonzero(polynomials, axis=-1)
    constant = polynomials.max(axis=-1) == polynomials.min(axis=-1)
    return bool(np.any(zeros > 8) or np.any(constant))


def pack_bits(values: WordArray, width: int) -> bytes:
    """Write ``values`` as consecutive ``width``-bit numbers.

    ``values`` is uint64, a multiple of 64 of them, each below 2^width. Bit ``b`` of value ``i``
    becomes bit ``i * width + b`` of the output, bits counted from the least significant bit of the
    first byte. 64 values fill exactly ``width`` 64-bit words, which is what makes numpy fast here.
    """
    columns = np.ascontiguousarray(values.reshape(-1, 64).T)  # [64, groups]
    words = np.zeros((width, columns.shape[1]), dtype=np.uint64)
    for i in range(64):
        word, shift = divmod(i * width, 64)
        words[word] |= columns[i] << np.uint64(shift)
        # A value that reaches into the next word leaves its upper bits there.
        if shift + width > 64:
            words[word + 1] |= columns[i] >> np.uint64(64 - shift)
    return np.ascontiguousarray(words.T).astype("<u8").tobytes()


def unpack_bits(data: bytes | memoryview, width: int) -> WordArray:
    """Invert :func:`pack_bits`: uint64[n], each below 2^width.

    ``data`` holds a multiple of 8*width bytes.
    """
    words = np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(-1, width).T
    words = np.ascontiguousarray(words)  # [width, groups]
    columns = np.empty((64, words.shape[1]), dtype=np.uint64)
    keep = np.uint64((1 << width) - 1)
    for i in range(64):
        word, shift = divmod(i * width, 64)
        value = words[word] >> np.uint64(shift)
        if shift + width > 64:
            value |= words[word + 1] << np.uint64(64 - shift)
        columns[i] = value & keep
    return np.ascontiguousarray(columns.T).reshape(-1)
