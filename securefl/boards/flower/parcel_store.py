"""Objects at the ServerApp: the last bytes of each path, numbered in the order of arrival.

One SQLite file. A report is taken in one transaction, together with the number up to which its
spool's posts are kept: however often a report comes, each of its posts counts once.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import TYPE_CHECKING, Final

from securefl.boards.flower.parcel import FULL, MOST, Change, Delivery

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.boards.flower.parcel import Report

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS store (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spools (spool TEXT PRIMARY KEY, accepted INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
  path TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, spool TEXT NOT NULL, data BLOB
);
"""


class ParcelStore:
    """The ServerApp's objects.

    Args:
        file: the SQLite file; made where there is none.
    """

    def __init__(self, file: Path) -> None:
        file.touch(0o600)
        self._base = sqlite3.connect(file, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.executescript(_TABLES)
        found = self._base.execute("SELECT id FROM store").fetchone()
        if found is None:
            found = (secrets.token_hex(16),)
            self._base.execute("INSERT INTO store VALUES (?)", found)
        self.id: str = found[0]

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    @property
    def last(self) -> int:
        """The number of what came last."""
        (found,) = self._base.execute("SELECT MAX(number) FROM objects").fetchone()
        return found or 0

    def accept(self, report: Report, changes: list[Change]) -> int:
        """Keep what a spool posted; return how much of it was new.

        A report that belongs to another store is kept too: its spool refuses our deliveries.
        """
        self._base.execute("BEGIN IMMEDIATE")
        try:
            before = self.accepted(report.spool)
            new = [change for change in changes if change.number > before]
            number = self.last
            for change in new:
                number += 1
                row = (change.path, number, report.spool, change.data)
                self._base.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", row)
            if new:
                row_of_spool = (report.spool, new[-1].number)
                self._base.execute("INSERT OR REPLACE INTO spools VALUES (?, ?)", row_of_spool)
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")
        return len(new)

    def accepted(self, spool: str) -> int:
        """The last number of this spool's posts that is kept."""
        asked = "SELECT accepted FROM spools WHERE spool = ?"
        found = self._base.execute(asked, (spool,)).fetchone()
        if found is None:
            return 0
        return int(found[0])

    def delivery(self, spool: str, since: int) -> tuple[Delivery, list[Change]]:
        """Objects that others posted after ``since``, as much as one parcel bears."""
        asked = "SELECT path, number, data FROM objects WHERE number > ? AND spool != ?"
        rows = self._base.execute(f"{asked} ORDER BY number", (since, spool))
        changes: list[Change] = []
        size = 0
        upto = max(self.last, since)
        for path, number, data in rows:
            length = len(data or b"")
            if len(changes) == MOST or (changes and size + length > FULL):
                upto = changes[-1].number
                break
            changes.append(Change(path, number, data))
            size += length
        delivery = Delivery(
            store=self.id,
            spool=spool,
            since=since,
            upto=upto,
            accepted=self.accepted(spool),
            entries=tuple(change.entry for change in changes),
        )
        return delivery, changes
