"""Residues that were checked, where nobody else can write them: in memory, or in a private file.

What was checked is what is added, without a second check. In a file they are raw little-endian
64-bit residues, one item after the other, so that reading them back costs a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from securefl.errors import UnreadableError
from securefl.secagg.sections import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from securefl.secagg.sections import Section
    from securefl.types import WordArray

_RESIDUE_BYTES: Final = 8


class Kept(Protocol):
    """Body of checked residues."""

    def blocks(self) -> Iterator[WordArray]:
        """Read it, a block at a time; what is read may be written on."""

    def close(self) -> None:
        """Let go of it; harmless when repeated."""


def keep(
    blocks: Iterable[WordArray],
    sections: tuple[Section, ...],
    spool: Callable[[], BinaryIO],
    in_memory: int,
) -> Kept:
    """Keep a body: all of it, or nothing where ``blocks`` raise.

    Args:
        blocks: of the body, as they come.
        sections: of the body.
        spool: makes an empty file that nobody else can write.
        in_memory: the most bytes of residues that need no file.
    """
    size = sum(s.count * s.item_shape[0] * s.item_shape[1] for s in sections) * _RESIDUE_BYTES
    if size <= in_memory:
        return _InMemory(list(blocks))
    file = spool()
    try:
        keep_residues(blocks, file)
    except BaseException:
        file.close()
        raise
    return _InFile(file, sections)


class _InMemory:
    """Arrays of a body that is small."""

    def __init__(self, blocks: list[WordArray]) -> None:
        self._blocks = blocks

    def blocks(self) -> Iterator[WordArray]:
        """See :class:`Kept`."""
        return (block.copy() for block in self._blocks)

    def close(self) -> None:
        """See :class:`Kept`."""
        self._blocks = []


class _InFile:
    """Private file of a body that may be larger than memory should hold."""

    def __init__(self, file: BinaryIO, sections: tuple[Section, ...]) -> None:
        self._file = file
        self._sections = sections

    def blocks(self) -> Iterator[WordArray]:
        """See :class:`Kept`. Several may read it at a time."""
        return kept_residues(self._file, self._sections)

    def close(self) -> None:
        """See :class:`Kept`."""
        self._file.close()


def keep_residues(blocks: Iterable[WordArray], file: BinaryIO) -> None:
    """Write blocks of items, as they come, from where ``file`` stands."""
    file.writelines(np.ascontiguousarray(block, dtype="<u8").data for block in blocks)


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
