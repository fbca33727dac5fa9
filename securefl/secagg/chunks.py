"""Ciphertexts on the wire: blocks of chunks, written with their hashes and read with their checks."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from securefl.secagg.envelope import refused
from securefl.secagg.ring import (
    CHUNK_BYTES,
    DEGREE,
    MODULUS_BITS,
    are_residues,
    looks_degenerate,
    pack_bits,
    unpack_bits,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

#: Ciphertexts worked on at a time: about 2 MB of a frame.
BLOCK: Final = 32


def write_block(ciphertext: NDArray[np.uint64], file: BinaryIO) -> list[str]:
    """Write ciphertexts uint64[n, 2, 4096] as chunks; returns their hashes."""
    packed = pack_bits(ciphertext, MODULUS_BITS)
    file.write(packed)
    view = memoryview(packed)
    return [sha256(view[i : i + CHUNK_BYTES]).hexdigest() for i in range(0, len(packed), CHUNK_BYTES)]


def to_ciphertext(block: bytes, sender: str) -> NDArray[np.uint64]:
    """Ciphertexts uint64[n, 2, 4096] from their chunks.

    Raises:
        MessageError: a residue at or above q, or a polynomial that is empty or constant.
    """
    ciphertext = unpack_bits(block, MODULUS_BITS).reshape(-1, 2, DEGREE)
    if not are_residues(ciphertext):
        raise refused(sender, "it holds a residue at or above the ring's prime")
    if looks_degenerate(ciphertext):
        raise refused(sender, "it holds a ciphertext with an empty or constant polynomial")
    return ciphertext
