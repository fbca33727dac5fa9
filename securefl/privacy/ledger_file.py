"""The ledger's rows in an SQLite file: append-only, STRICT, write-ahead log, every commit flushed to the disk.

Only bytes are handled here; what they mean is decided in :mod:`~securefl.privacy.ledger_chain` and
:mod:`~securefl.privacy.ledger_state`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from securefl.errors import LedgerAlteredError, StoreError, UnreadableError, UsageError
from securefl.privacy.ledger_chain import Row
from securefl.privacy.ledger_events import RESTORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: "sfl1": tells our file from any other SQLite database.
APPLICATION_ID = 0x73666C31
#: How long a writer waits for another one (the owner's command beside the agent), in milliseconds.
BUSY_MS = 15_000
_COLUMNS = ["seq", "prev", "body", "hash", "signature"]
_SCHEMA = """CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  prev TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,
  signature TEXT NOT NULL
) STRICT"""


def _unreadable(path: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"{path} is not a ledger that securefl can read: {why}.",
        whose="this hospital's data owner",
        next_step=f"{RESTORE} If there never was a ledger here, `securefl site init` makes it.",
    )


class LedgerFile:
    """One open connection. Use it in one thread and never across a fork.

    Every method raises :class:`UnreadableError` for a file that is damaged or of another kind, and
    :class:`StoreError` when the disk or another writer refuses.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    @classmethod
    def create(cls, path: Path, fill: Callable[[LedgerFile], None]) -> None:
        """Make a new file (mode 0600) with its first rows; it appears at ``path`` complete or not at all.

        Raises:
            UsageError: something exists at ``path``; a second ledger would forget what the first one charged.
        """
        exists = UsageError(
            f"{path} exists already; a second ledger would forget what the first one charged.",
            whose="this hospital's data owner",
            next_step="Use the ledger that is there, or choose another folder for another hospital.",
        )
        if path.exists():
            raise exists
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            file = cls(path, sqlite3.connect(part, isolation_level=None))
            try:
                with _translated(path):
                    file.connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    file.connection.execute("PRAGMA synchronous=FULL")
                    file.connection.execute(_SCHEMA)
                fill(file)
            finally:
                file.close()
            # A hard link, unlike a rename, never replaces what somebody else made meanwhile.
            os.link(part, path)
            _sync_folder(path.parent)
        except FileExistsError:
            raise exists from None
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written: {error.strerror}.",
                whose="this hospital's data owner",
                next_step="Check the folder and its rights.",
            ) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    @classmethod
    def open(cls, path: Path) -> LedgerFile:
        """An existing file.

        Raises:
            UnreadableError: missing, of another kind, or damaged.
        """
        if not path.is_file():
            raise _unreadable(path, "there is no such file")
        with _translated(path):
            file = cls(path, sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None))
        try:
            with _translated(path):
                ours = file._is_ours()
                if ours:
                    file.connection.execute("PRAGMA journal_mode=WAL")
                    file.connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            file.close()
            raise
        if not ours:
            file.close()
            raise _unreadable(path, "it is a file of another kind")
        return file

    def _is_ours(self) -> bool:
        (application,) = self.connection.execute("PRAGMA application_id").fetchone()
        columns = [row[1] for row in self.connection.execute("PRAGMA table_info(event)")]
        return bool(application == APPLICATION_ID and columns == _COLUMNS)

    def rows(self, after: int = 0) -> list[Row]:
        """All rows with a number above ``after``, in order."""
        with _translated(self.path):
            found = self.connection.execute(
                "SELECT seq, prev, body, hash, signature FROM event WHERE seq > ? ORDER BY seq", (after,)
            )
            return [Row(*values) for values in found]

    def hash_at(self, seq: int) -> str | None:
        """The stored hash of one row, if it is there."""
        with _translated(self.path):
            found = self.connection.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
            return None if found is None else str(found[0])

    def insert(self, row: Row) -> None:
        """Add a row; durable once the transaction around it has ended."""
        with _translated(self.path):
            self.connection.execute(
                "INSERT INTO event (seq, prev, body, hash, signature) VALUES (?, ?, ?, ?, ?)",
                (row.seq, row.prev, row.body, row.hash, row.signature),
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """An immediate transaction: no other writer comes between reading and writing. Rolled back on any error."""
        with _translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _translated(self.path):
                self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors in our words."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise LedgerAlteredError(
            f"A row does not fit the ledger {path}: {error}.", next_step=RESTORE
        ) from error
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"The ledger {path} cannot be read or written just now: {error}.",
            whose="this hospital's data owner",
            next_step="Check the disk and that no other program holds the file, then try again.",
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # bytes that are no text, in a schema too
        raise _unreadable(path, str(error)) from error


def _sync_folder(folder: Path) -> None:
    """Make a new name in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
