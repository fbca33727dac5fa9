"""Totals of a study's rounds on a party's own disk: what a run that was killed goes on from.

The state of a study is what its rule makes of the totals
(:class:`securefl.federation.study_progress.StudyProgress`), so that nothing else need be kept of it.
They are noised sums that every participant knows. Each is a file of its own: SHA-256 of what
follows, the number of contributors, bytes a number, then the numbers in the smallest of four widths.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UnreadableError
from securefl.files import entries, private_folder, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from securefl.types import IntArray

_HASH_BYTES: Final = 32
_HEAD: Final = struct.Struct("<IB")
#: Bytes a number → its type, little-endian.
_WIDTHS: Final = {1: "<i1", 2: "<i2", 4: "<i4", 8: "<i8"}


class KeptTotals:
    """Totals in one folder, a file for each round.

    Args:
        folder: where they lie; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(
        self,
        number: int,
        total: IntArray,
        contributors: int,
    ) -> None:
        """Make the total int64[length] of round ``number``, of so many hospitals, durable."""
        width = _width(total)
        numbers = np.ascontiguousarray(total, dtype=_WIDTHS[width])
        body = _HEAD.pack(contributors, width) + numbers.tobytes()
        file = private_folder(self._folder) / _name(number)
        replace_file(file, hashlib.sha256(body).digest() + body)

    def all(self) -> Iterator[tuple[int, IntArray, int]]:
        """Read the totals of the rounds 1, 2, ... as far as they are there.

        Number, int64[length], contributors.

        Raises:
            UnreadableError: one was altered or damaged.
        """
        names = {file.name for file in entries(self._folder)}
        number = 1
        while _name(number) in names:
            yield (number, *self._read(self._folder / _name(number)))
            number += 1

    def of(self, numbers: Iterable[int]) -> Iterator[tuple[int, IntArray, int]]:
        """Read the totals of some rounds, as far as they are there; the others stay unread, which
        may be long. As :meth:`all`.

        Raises:
            UnreadableError: one was altered or damaged.
        """
        names = {file.name for file in entries(self._folder)}
        for number in numbers:
            if _name(number) in names:
                yield (number, *self._read(self._folder / _name(number)))

    def erase(self) -> None:
        """Remove them all; harmless when they are gone."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, file: Path) -> tuple[IntArray, int]:
        data = read_file(file)
        body = memoryview(data)[_HASH_BYTES:]
        if hashlib.sha256(body).digest() != data[:_HASH_BYTES]:
            raise UnreadableError(
                f"{file} was altered or damaged.",
                next_step="The study cannot go on from here; make a new one.",
            )
        contributors, width = _HEAD.unpack_from(body)
        numbers = np.frombuffer(body[_HEAD.size :], dtype=_WIDTHS[width])
        return numbers.astype(np.int64), contributors


def _name(number: int) -> str:
    return f"{number:05d}"


def _width(total: IntArray) -> int:
    """The least bytes that hold each of the numbers."""
    least = int(total.min(initial=0))
    most = int(total.max(initial=0))
    for width, kind in _WIDTHS.items():
        limits = np.iinfo(kind)
        if limits.min <= least and most <= limits.max:
            return width
    raise AssertionError("int64 holds every int64")
