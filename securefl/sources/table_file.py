"""Opening of a table's file: no pipe or device is waited for, and refusals name the file alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from securefl.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def table_descriptor(path: Path) -> int:
    """A descriptor of a table's file, open for reading. A pipe or a device is not waited for.

    Raises:
        DataError: there is no such file, it may not be read, or it is a folder, a pipe or a device.
    """
    try:
        _check_regular(
            path, path.stat().st_mode
        )  # before opening: opening a pipe waits, opening a device may move it
        found = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise DataError(
            f"the table {_name(path)} cannot be opened: {error.strerror}.",
            next_step=(
                "Check that the file is there and that this user may read it, or register the table"
                " again."
            ),
        ) from None
    except ValueError as error:
        raise DataError(
            f"{_name(path)} cannot be the name of a file: {error}.",
            next_step="Name the table's file.",
        ) from None
    try:
        _check_regular(path, os.fstat(found).st_mode)
    except DataError:
        os.close(found)
        raise
    return found


def check_name(path: Path) -> None:
    """Refuse a path that cannot be written down as text.

    Settings and screens could not name the file.

    Raises:
        DataError: its name or a folder's name is not UTF-8.
    """
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(
            f"{shown_path(path)} has a name that is not UTF-8, so that it cannot be kept in the"
            " settings.",
            next_step=(
                "Rename the file (and the folders above it) with plain letters, and register it"
                " again."
            ),
        ) from None


def shown_path(path: Path) -> str:
    """Write a path so that any screen can show it.

    Bytes of its name that are no UTF-8 stand as hexadecimal numbers.
    """
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _name(path: Path) -> str:
    """Return the file's own name.

    Which folder it lies in is nobody's business where a message goes further.
    """
    return os.fsencode(path.name).decode("utf-8", errors="backslashreplace")


def _check_regular(path: Path, mode: int) -> None:
    kinds = {
        stat.S_IFIFO: "a pipe (FIFO)",
        stat.S_IFDIR: "a folder",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(mode))
    if kind is not None:
        raise DataError(
            f"the table {_name(path)} is {kind}, not a file: it cannot be read again for each"
            " study.",
            next_step="Write its content into a file and name that.",
        )
