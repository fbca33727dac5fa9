"""Reading a ledger again and again, as a screen does: a row that was checked is not checked twice.

All rows are read from the file each time and compared with those that were checked, text, hash and
signature. While they are the same, what was worked out of them holds, and only the new rows are
followed. One difference, and the whole file is checked from its first row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy.audit_history import History, history
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_reading import Reading, read_rows
from securefl.privacy.ledger_witness import against_witness, read_witness

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.privacy.ledger_chain import Row
    from securefl.types import Verify


class LedgerMemory:
    """Rows of one ledger that were checked, and their reading. Use it in one thread.

    Args:
        path: of the ledger's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = ""
        self._rows: list[Row] = []
        self._reading: Reading | None = None
        self._told: History | None = None

    def read(self, key: str, verify: Verify) -> Reading:
        """As :func:`~securefl.privacy.ledger_reading.read_ledger`, faults included.

        Args:
            key: public key of the hospital's card, in hex.
            verify: checks a signature by it.

        Raises:
            UnreadableError: missing, damaged or of another kind.
        """
        words = read_witness(self._path)
        file = LedgerFile.open(self._path)
        try:
            rows = file.rows()
        finally:
            file.close()
        known = self._known(key, rows)
        reading = read_rows(rows, verify, known)
        self._key = key
        self._rows = rows
        self._reading = None
        if known is None:
            self._told = None
        if reading.fault is None:
            self._reading = reading
        return against_witness(reading, self._path, words)

    def history(self) -> History | None:
        """The history of what was read last; None where that has a fault.

        It is continued at the next reading: whoever keeps it copies it.
        """
        if self._reading is None:
            return None
        self._told = history(self._reading.events, self._told)
        return self._told

    def _known(self, key: str, rows: list[Row]) -> Reading | None:
        """The reading before, if the file still begins with exactly its rows."""
        if key != self._key or rows[: len(self._rows)] != self._rows:
            return None
        return self._reading
