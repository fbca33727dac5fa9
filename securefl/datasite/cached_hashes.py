"""Cache of PySyft's table of file hashes, read from the disk only when it changed there.

PySyft reads the whole file again for every path that it compares: with 500 old requests one
synchronisation took a minute of processor time. Nobody else writes the file while the datasite's
lock is held, so what was read or written last still holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from securefl.datasite.pysyft import PersistedDict


class HeldHashes(PersistedDict):  # type: ignore[misc]  # PySyft is untyped
    """Path below the datasite → SHA-256 of its content, in the same file as PySyft's own."""

    _known: tuple[int, ...] | None = None

    @classmethod
    def instead_of(cls, hashes: Any) -> HeldHashes:  # noqa: ANN401 - PySyft is untyped
        """Make a cached table of the same file."""
        return cls(path=hashes._path, key_serializer=str, key_deserializer=Path)  # noqa: SLF001 - PySyft gives no other way

    def _read_from_file(self) -> None:
        now = self._stamp()
        if now != self._known:
            super()._read_from_file()
            self._known = now

    def _write_to_file(self) -> None:
        super()._write_to_file()
        self._known = self._stamp()

    def _stamp(self) -> tuple[int, ...]:
        """Tell one version of the file from another by inode, size and time."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns
