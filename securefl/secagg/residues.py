"""Ciphertexts that were checked, in a file that nobody else can write: what was checked is what is added, without a second check.

Raw little-endian 64-bit residues, one ciphertext after the other, so that reading them back costs a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UnreadableError
from securefl.secagg.ring import DEGREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from numpy.typing import NDArray

_CIPHERTEXT_BYTES: Final = 2 * DEGREE * 8


def keep_residues(blocks: Iterable[NDArray[np.uint64]], file: BinaryIO) -> None:
    """Write ciphertexts uint64[n, 2, 4096], as many at a time as they come, from where ``file`` stands."""
    file.writelines(np.ascontiguousarray(block, dtype="<u8").data for block in blocks)


def kept_residues(file: BinaryIO, chunks: int, size: int) -> Iterator[NDArray[np.uint64]]:
    """The ``chunks`` ciphertexts at the beginning of ``file``, uint64[n, 2, 4096], ``size`` at a time. Several may read one file.

    Raises:
        UnreadableError: it holds fewer.
    """
    for start in range(0, chunks, size):
        count = min(size, chunks - start)
        file.seek(start * _CIPHERTEXT_BYTES)
        data = file.read(count * _CIPHERTEXT_BYTES)
        if len(data) != count * _CIPHERTEXT_BYTES:
            raise UnreadableError("A file of ciphertexts on this machine is cut off.", next_step="Look for a full disk; the round cannot be added.")
        yield np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(count, 2, DEGREE)
