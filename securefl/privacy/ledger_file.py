"""SQLite file of the ledger's rows: append-only, STRICT, every commit flushed to the disk.

The journal is a rollback journal, which says nothing between two commits (``PERSIST``: its header
is zeros then): after each commit the one file has everything, and a copy of it alone is whole
(decision 0018). A file that is replaced while it is open is noticed by its inode: what would be
written to the old one reaches nobody, and what stands in the new one was never read.

Only bytes are handled here; what they mean is decided in :mod:`~securefl.privacy.ledger_chain` and
:mod:`~securefl.privacy.ledger_state`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from securefl.errors import LedgerAlteredError, StoreError, UnreadableError, UsageError
from securefl.files import sync_folder
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
    """Make the error of a file that is no ledger, or a damaged one."""
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

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        inode: tuple[int, int] | None = None,
    ) -> None:
        self.path = path
        self.connection = connection
        #: Device and number of the file that was opened; without it (a file that is being made)
        #: nothing is compared.
        self._inode = inode

    @classmethod
    def create(cls, path: Path, fill: Callable[[LedgerFile], None]) -> None:
        """Make a new file (mode 0600) with its first rows.

        It appears at ``path`` complete or not at all.

        Raises:
            UsageError: something exists at ``path``; a second ledger would forget what the first
                one charged.
        """
        exists = UsageError(
            f"{path} exists already; a second ledger would forget what the first one charged.",
            whose="this hospital's data owner",
            next_step=(
                "Use the ledger that is there, or choose another folder for another hospital."
            ),
        )
        if path.exists():
            raise exists
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.unlink(missing_ok=True)
            # Made with its rights before SQLite opens it: a moment at 0644 would be too long.
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
            sync_folder(path.parent)
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
        """Open an existing file.

        Raises:
            UnreadableError: missing, of another kind, or damaged.
        """
        if not path.is_file():
            raise _unreadable(path, "there is no such file")
        # A pipe in the place of a log: SQLite would wait for it without end.
        for part in _beside(path):
            if os.path.lexists(part) and not part.is_file():
                raise _unreadable(path, f"what lies beside it as {part.name} is no file")
        try:
            return cls._opened(path, path)
        except StoreError:
            if _may_be_written(path) or any(_tells(part) for part in _beside(path)):
                raise
        # An older ledger (write-ahead log) on a medium that takes no lock file. Immutable is sound
        # only because nothing stands beside it: events in a log would not be read.
        return cls._opened(path, f"{path.absolute().as_uri()}?immutable=1", uri=True)

    @classmethod
    def _opened(
        cls,
        path: Path,
        name: Path | str,
        *,
        uri: bool = False,
    ) -> LedgerFile:
        """Open ``name``, which is the file at ``path``, and check that it is a ledger of ours."""
        # Taken before the file is opened: one put in its place meanwhile has another number.
        inode = _inode(path)
        with _translated(path):
            connection = sqlite3.connect(
                name, timeout=BUSY_MS / 1000, isolation_level=None, uri=uri
            )
        file = cls(path, connection, inode)
        try:
            with _translated(path):
                ours = file._is_ours()
                if ours and not uri:
                    file._one_file()
                file.connection.execute("PRAGMA synchronous=FULL")
            file.check_in_place()
        except BaseException:
            file.close()
            raise
        if not ours:
            file.close()
            raise _unreadable(path, "it is a file of another kind")
        return file

    def _one_file(self) -> None:
        """Take over a ledger that still has a write-ahead log.

        Where another process has it open, the next opening does.
        """
        self.connection.execute("PRAGMA busy_timeout=0")
        with suppress(sqlite3.OperationalError):
            self.connection.execute("PRAGMA journal_mode=PERSIST").fetchone()
        self.connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    def check_in_place(self) -> None:
        """Check that the open file is still the one at its path.

        Raises:
            LedgerAlteredError: another one was put in its place, or it is gone.
        """
        if self._inode is None or _inode(self.path) == self._inode:
            return
        raise LedgerAlteredError(
            f"The ledger {self.path} was replaced or removed while it was open: two ledgers of one"
            " hospital would each forget what the other charged.",
            whose="this hospital's data owner",
            next_step=(
                f"Stop this hospital's agent, and keep both files if there are two. {RESTORE}"
            ),
        )

    def _is_ours(self) -> bool:
        """Tell a ledger by its application number and its columns."""
        (application,) = self.connection.execute("PRAGMA application_id").fetchone()
        columns = [row[1] for row in self.connection.execute("PRAGMA table_info(event)")]
        return bool(application == APPLICATION_ID and columns == _COLUMNS)

    def rows(self, after: int = 0) -> list[Row]:
        """Read all rows with a number above ``after``, in order."""
        with _translated(self.path):
            found = self.connection.execute(
                "SELECT seq, prev, body, hash, signature FROM event WHERE seq > ? ORDER BY seq",
                (after,),
            )
            return [Row(*values) for values in found]

    def hash_at(self, seq: int) -> str | None:
        """Read the stored hash of one row; None if it is not there."""
        with _translated(self.path):
            found = self.connection.execute(
                "SELECT hash FROM event WHERE seq = ?", (seq,)
            ).fetchone()
            if found is None:
                return None
            return str(found[0])

    def insert(self, row: Row) -> None:
        """Add a row; durable once the transaction around it has ended."""
        with _translated(self.path):
            self.connection.execute(
                "INSERT INTO event (seq, prev, body, hash, signature) VALUES (?, ?, ?, ?, ?)",
                (row.seq, row.prev, row.body, row.hash, row.signature),
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold an immediate transaction: no other writer comes between reading and writing.

        Rolled back on any error.

        Raises:
            LedgerAlteredError: the file was replaced: before, then nothing is written; or
                meanwhile, then what was written is lost and the caller must not act on it.
        """
        # Before SQLite trips over a file that is gone, in words of its own.
        self.check_in_place()
        with _translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            # Again under the lock: it may have been replaced while this writer waited.
            self.check_in_place()
            yield
            with _translated(self.path):
                self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        # A file moved away between lock and commit took the rows with it.
        self.check_in_place()

    def copy_to(self, path: Path) -> None:
        """Write a whole copy (mode 0600) of all that is committed, also while others write.

        By SQLite's own backup.

        Raises:
            StoreError: ``path`` exists, or cannot be written.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written: {error.strerror}.", next_step="Name another folder."
            ) from None
        with _translated(path):
            copy = sqlite3.connect(path, isolation_level=None)
        try:
            with _translated(path):
                self.connection.backup(copy)
                # The header of a copy from a write-ahead log asks for one; this one is whole by
                # itself.
                copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
        _sync_file(path)
        sync_folder(path.parent)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours, with what to do next."""
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
    # Bytes that are no text raise UnicodeDecodeError, in a schema too.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error


def _inode(path: Path) -> tuple[int, int] | None:
    """Return device and number of the file at a path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _may_be_written(path: Path) -> bool:
    """True if file and folder take a write: then a lock file was not the obstacle."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _beside(path: Path) -> tuple[Path, Path]:
    """Paths of files that may hold events which the file lacks: write-ahead log and journal."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")


def _tells(part: Path) -> bool:
    """True if a log or journal has a header; one of zeros says nothing."""
    try:
        with part.open("rb") as file:
            return any(file.read(8))
    except FileNotFoundError:
        return False
    except OSError:
        # Unreadable: it may say something, so the cautious answer is yes.
        return True


def _sync_file(path: Path) -> None:
    """Flush a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
