"""Private files for what may be larger than memory should hold: they have no name.

Only this process reaches them, and they end with it, even when it is killed. They lie where
``TMPDIR`` says, else in ``/var/tmp``, which is on a disk where ``/tmp`` may be in memory.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from securefl.errors import StoreError
from securefl.secagg.residues import keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.secagg.residues import Kept
    from securefl.secagg.sections import Section

_ON_DISK: Final = "/var/tmp"  # noqa: S108 - the files made there have no name
#: Bytes of residues of one round that need no file: those of a million parameters. Through a disk,
#: even its cache, they take several times as long.
IN_MEMORY: Final = 1 << 22


def open_tempfile() -> BinaryIO:
    """A new one, to write and to read; closing it gives its space back.

    Raises:
        StoreError: none can be made.
    """
    with disk_errors():
        return cast("BinaryIO", tempfile.TemporaryFile(dir=_folder()))


@dataclass(frozen=True, eq=False)
class ClaimedSum:
    """Aggregator's sum as it was read and checked.

    Whether it is that of the contributions is for whoever opens it to see.

    Args:
        sha256: of its frame.
        parts: hospital → hash of the frame that was added, as the aggregator says.
        body: its residues.
    """

    sha256: str
    parts: Mapping[str, str]
    body: Kept

    def blocks(self) -> Iterator[NDArray[np.uint64]]:
        """Its body, a block of items at a time."""
        return self.body.blocks()


class TempFiles:
    """What is kept of one round, in memory or in private files. Close it when the round is over.

    Args:
        in_memory: the most bytes of each that need no file.
    """

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._held = ExitStack()

    def close(self) -> None:
        """Let go of them; harmless when repeated."""
        self._held.close()

    def store(
        self,
        blocks: Iterator[NDArray[np.uint64]],
        sections: tuple[Section, ...],
    ) -> Kept:
        """Keep checked residues, or none where a check fails.

        Raises:
            StoreError: the disk is full.
        """
        with disk_errors():
            kept = keep(blocks, sections, open_tempfile, self._in_memory)
        self._held.callback(kept.close)
        return kept


@contextmanager
def disk_errors() -> Iterator[None]:
    """Around what writes to a temporary file: a full disk is said as such.

    Raises:
        StoreError: the disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Temporary files cannot be written in {_folder()}: {error.strerror or error}.",
            whose="whoever operates this machine",
            next_step="Free some space there, or name another folder in TMPDIR.",
        ) from None


def _folder() -> str:
    """Folder for temporary files of any size."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    if named or not Path(_ON_DISK).is_dir():
        return tempfile.gettempdir()
    return _ON_DISK
