"""Nameless files for what is larger than memory should hold: only this process reaches them, and they end with it, even when it is killed.

They lie where ``TMPDIR`` says, else in ``/var/tmp``, which is on a disk where ``/tmp`` may be in memory.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from securefl.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ON_DISK: Final = "/var/tmp"  # noqa: S108 - the files made there have no name


def spool() -> BinaryIO:
    """A new one, to write and to read; closing it gives its space back.

    Raises:
        StoreError: none can be made.
    """
    with spooling():
        return cast("BinaryIO", tempfile.TemporaryFile(dir=_folder()))


@contextmanager
def spooling() -> Iterator[None]:
    """Around what writes to a spool: a full disk is said as such.

    Raises:
        StoreError: the disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Temporary files cannot be written in {_folder()}: {error.strerror or error}.", whose="whoever operates this machine",
            next_step="Free some space there, or name another folder in TMPDIR.",
        ) from None


def _folder() -> str:
    """Where temporary files of any size go."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return tempfile.gettempdir() if named or not Path(_ON_DISK).is_dir() else _ON_DISK
