"""Memory of what files said, for screens that ask for the same thousand files at every page.

A file is read again as soon as it may be another one than was read: its times, its size and its
number on the disk tell so. Times have grains: a file that was written just before it was read could
be written once more within one grain, and is not remembered until it is older.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

#: Nanoseconds: no file system that is in use counts time in longer grains (FAT: two seconds).
_GRAIN: Final = 2_000_000_000
#: Files that one memory knows; then it begins anew.
_MOST: Final = 32_768


class UnchangedFiles(Generic[T]):
    """What files said, each read again once it has changed.

    Args:
        read: reads one file; an error of it is not remembered.
    """

    def __init__(self, read: Callable[[Path], T]) -> None:
        self._read = read
        self._known: dict[str, tuple[tuple[int, ...], T]] = {}

    def __call__(self, folder: Path, *parts: str) -> T:
        """Say what the file says now.

        Raises:
            OSError: it is not there, or not to be looked at.
        """
        # of text: a path object for each of thousands takes longer than the look itself
        name = os.path.join(folder, *parts)  # noqa: PTH118
        mark = _mark(name)
        known = self._known.get(name)
        if known is not None and known[0] == mark:
            return known[1]
        before = time.time_ns()
        said = self._read(folder.joinpath(*parts))
        if max(mark[:2]) + _GRAIN < before:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[name] = (mark, said)
        else:
            self._known.pop(name, None)
        return said


def _mark(name: str) -> tuple[int, ...]:
    """Two times, size and numbers of a file; the second time is one that no program can set."""
    now = os.stat(name)  # noqa: PTH116 - of text, as above
    return (now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino, now.st_dev)
