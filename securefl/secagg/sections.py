"""Sections of a contribution: runs of equal items, ciphertexts first, then elements of numbers.

A contribution's body is a list of sections, known to everybody from the facts of the round. It is
made, written, read, added and opened in their order, a block of items at a time; the same plan
(:func:`blocks_of`) everywhere says what the next block is, so that no array has to carry its own
description.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UsageError
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.envelope import refused
from securefl.secagg.ring import (
    add,
    looks_degenerate,
    pack_bits,
    unpack_bits,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.types import WordArray

#: Bytes of a frame that are worked on at a time: with the arrays of one step they stay in a
#: processor's own cache.
_BLOCK_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Section:
    """``count`` items of one shape: rows of residues, each row modulo its own prime.

    Args:
        count: how many items.
        degree: residues in a row, a multiple of 64.
        moduli: the prime of each row of an item, all of as many bits.
        masked: whether ring masks lie on the items (on their first row).
    """

    count: int
    degree: int
    moduli: tuple[int, ...]
    masked: bool

    @property
    def item_shape(self) -> tuple[int, int]:
        """Rows and residues of one item."""
        return len(self.moduli), self.degree

    @property
    def bits(self) -> int:
        """Bits of a residue."""
        return self.moduli[0].bit_length()

    @property
    def item_bytes(self) -> int:
        """Bytes of one item on the wire, bit-packed."""
        return len(self.moduli) * self.degree * self.bits // 8

    @property
    def block(self) -> int:
        """Number of items worked on at a time: about 256 kB of a frame."""
        return max(1, _BLOCK_BYTES // self.item_bytes)

    def add(self, a: WordArray, b: WordArray) -> WordArray:
        """(a + b), each row modulo its prime: uint64[n, rows, degree]."""
        return add(a, b, self._column())

    def contains(self, items: WordArray) -> bool:
        """Check the type and shape of items, and that every residue is below its prime."""
        if items.dtype != np.uint64 or items.shape[1:] != self.item_shape or not len(items):
            return False
        return bool((items < self._column()).all())

    def write(self, items: WordArray, file: BinaryIO) -> list[str]:
        """Write items as chunks of the frame; return their hashes."""
        packed = pack_bits(items, self.bits)
        file.write(packed)
        view = memoryview(packed)
        size = self.item_bytes
        return [sha256(view[i : i + size]).hexdigest() for i in range(0, len(packed), size)]

    def read(self, chunks: bytes, sender: str) -> WordArray:
        """Read items uint64[n, rows, degree] from their chunks.

        Raises:
            MessageError: a residue at or above its prime, or a row that is empty or constant.
        """
        items = unpack_bits(chunks, self.bits).reshape(-1, *self.item_shape)
        # As many bits hold numbers above the prime: they would be a second spelling of a residue.
        if not self.contains(items):
            raise refused(sender, "it holds a residue at or above the ring's prime")
        if looks_degenerate(items):
            raise refused(sender, "it holds a ciphertext with an empty or constant polynomial")
        return items

    def _column(self) -> WordArray:
        """Return the primes as a column that broadcasts over the rows of an item."""
        return np.array(self.moduli, dtype=np.uint64)[:, None]


def ciphertext_section(count: int, ring: CipherRing = LARGE_RING) -> Section:
    """Section of ciphertexts (two polynomials modulo the cipher's prime), under ring masks."""
    return Section(count, ring.degree, (ring.modulus, ring.modulus), masked=True)


def blocks_of(sections: tuple[Section, ...]) -> Iterator[tuple[Section, int, int]]:
    """Plan the blocks of a body in order: (section, first item, item after the last)."""
    for section in sections:
        for start in range(0, section.count, section.block):
            yield section, start, min(start + section.block, section.count)


def placed(
    blocks: Iterable[WordArray], sections: tuple[Section, ...]
) -> Iterator[tuple[Section, WordArray]]:
    """Give each block, of any size, the section that it belongs to.

    Raises:
        UsageError: a block that reaches into the next section, or behind the last.
    """
    left = [section.count for section in sections]
    at = 0
    for block in blocks:
        while at < len(sections) and not left[at]:
            at += 1
        if at == len(sections) or len(block) > left[at]:
            raise UsageError(
                "There are more items than a ciphertext of this round has.",
                next_step="Hand over the blocks of one section at a time.",
            )
        left[at] -= len(block)
        yield sections[at], block
