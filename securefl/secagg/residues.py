"""File of residues that were checked, which nobody else can write.

What was checked is what is added, without a second check. Raw little-endian 64-bit residues, one
item after the other, so that reading them back costs a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UnreadableError
from securefl.secagg.sections import blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from securefl.secagg.sections import Section
    from securefl.types import WordArray

_RESIDUE_BYTES: Final = 8


def keep_residues(blocks: Iterable[WordArray], file: BinaryIO) -> None:
    """Write blocks of items, as they come, from where ``file`` stands."""
    for block in blocks:  # noqa: FURB122 - a file that begins in memory counts after each call
        file.write(np.ascontiguousarray(block, dtype="<u8").data)


def kept_residues(file: BinaryIO, sections: tuple[Section, ...]) -> Iterator[WordArray]:
    """Read the blocks at the beginning of ``file`` in the plan's order: uint64[n, rows, degree].

    Several may read one file.

    Raises:
        UnreadableError: it holds fewer.
    """
    place = 0
    for section, start, stop in blocks_of(sections):
        shape = (stop - start, *section.item_shape)
        size = shape[0] * shape[1] * shape[2] * _RESIDUE_BYTES
        # From its own place each time: another reader may have moved the file's position.
        file.seek(place)
        data = file.read(size)
        place += size
        if len(data) != size:
            raise UnreadableError(
                "A file of ciphertexts on this machine is cut off.",
                next_step="Look for a full disk; the round cannot be added.",
            )
        yield np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(shape)
