"""Carrier that is a folder of this machine or a mounted share."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from securefl.boards.carrier import Carrier
from securefl.boards.shared_folder import SharedFolder

if TYPE_CHECKING:
    from collections.abc import Callable


class FolderCarrier(Carrier):
    """Files below one folder; only regular files are objects: no pipe, no link.

    Args:
        url: the folder's path, or a ``file://`` URL.
    """

    many_at_a_time = True
    comes_and_goes = True
    has_root = True

    def __init__(self, url: str) -> None:
        self._folder = SharedFolder(str(Path(url.rpartition("://")[2]).absolute()))

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`."""
        self._folder.write(path.split("/"), fill)

    def open(self, path: str, most: int) -> IO[bytes]:  # noqa: ARG002 - a file is read as far as it is read
        """See :class:`Carrier`."""
        return self._folder.open(path.split("/"))

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        found = self._folder.stat(path.split("/"))
        if not stat.S_ISREG(found.st_mode):
            return None
        facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return "-".join(map(str, facts))

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        return self._folder.list(folder.split("/") if folder else ())

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        self._folder.remove(path.split("/"))

    def shut(self, wanted: Callable[[str], bool]) -> list[str]:
        """See :class:`Carrier`."""
        return self._folder.shut(wanted)

    def written_at(self, path: str) -> float | None:
        """See :class:`Carrier`."""
        return self._folder.stat(path.split("/")).st_mtime

    def create(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        """See :class:`Carrier`."""
        return self._folder.create(path.split("/"), fill)
