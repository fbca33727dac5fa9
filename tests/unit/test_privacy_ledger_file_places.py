"""A ledger's file and what lies beside it: pipes, logs, media that take no writing, copies."""

import os
import sqlite3
from pathlib import Path

import pytest

from securefl.errors import LedgerAlteredError, StoreError, UnreadableError
from securefl.privacy import ledger_file
from securefl.privacy.ledger_chain import Row
from securefl.privacy.ledger_file import BUSY_MS, LedgerFile

ROW = Row(1, "00" * 32, "{}", "11" * 32, "22" * 64)
#: Bytes 18 and 19 of a SQLite file: 1 for a rollback journal, 2 for a write-ahead log.
_JOURNAL, _LOG = b"\x01\x01", b"\x02\x02"


@pytest.fixture
def path(tmp_path):
    LedgerFile.create(tmp_path / "ledger.sqlite", lambda file: file.insert(ROW))
    return tmp_path / "ledger.sqlite"


class Stand:
    """A connection in whose place a test does something else."""

    def __init__(self, real, **instead):
        self._real, self._instead = real, instead

    def __getattr__(self, name):
        return self._instead.get(name) or getattr(self._real, name)


def beside(path, word):
    return path.with_name(f"{path.name}-{word}")


@pytest.mark.parametrize("word", ["wal", "journal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda p: p.symlink_to("nowhere")])
def test_what_is_no_file_beside_the_ledger_is_refused(path, word, make):
    beside(path, word).unlink(missing_ok=True)
    make(beside(path, word))
    with pytest.raises(UnreadableError, match=f"ledger.sqlite-{word} is no file"):
        LedgerFile.open(path)


@pytest.fixture
def refusing(monkeypatch):
    """SQLite opens nothing at first; the names that were tried."""
    tried, real = [], LedgerFile._opened.__func__

    def opened(cls, path, name, *, uri=False):
        tried.append((str(name), uri))
        if not uri:
            raise StoreError("It takes no lock.")
        return real(cls, path, name, uri=uri)

    monkeypatch.setattr(LedgerFile, "_opened", classmethod(opened))
    return tried


@pytest.mark.parametrize(
    ("file", "folder"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_only_where_nothing_can_be_written_is_it_read_as_one_that_never_changes(
    path, refusing, monkeypatch, file, folder
):
    rights = {str(path): file, str(path.parent): folder}
    monkeypatch.setattr(os, "access", lambda p, how: rights[str(p)] or how != os.W_OK)
    if file and folder:
        with pytest.raises(StoreError, match="takes no lock"):
            LedgerFile.open(path)
        assert [uri for _, uri in refusing] == [False]
    else:
        found = LedgerFile.open(path)
        assert found.rows() == [ROW]
        found.close()
        assert refusing[1] == (f"{path.as_uri()}?immutable=1", True)


@pytest.mark.parametrize("word", ["wal", "journal"])
@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b"", False),
        (b"\0" * 8 + b"later", False),
        (b"\0" * 7 + b"\1", True),
        (b"\1" * 8, True),
    ],
)
def test_a_log_that_says_something_is_never_passed_over(
    path, refusing, monkeypatch, word, header, says
):
    monkeypatch.setattr(os, "access", lambda *_: False)
    beside(path, word).write_bytes(header)
    if says:
        with pytest.raises(StoreError, match="takes no lock"):
            LedgerFile.open(path)
    else:
        LedgerFile.open(path).close()


def test_a_log_that_cannot_be_read_may_say_something(path, refusing, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    log = beside(path, "wal")
    log.write_bytes(b"")
    real = type(log).open

    def closed(self, *how):
        if self == log:
            raise PermissionError(13, "Permission denied")
        return real(self, *how)

    monkeypatch.setattr(type(log), "open", closed)
    with pytest.raises(StoreError, match="takes no lock"):
        LedgerFile.open(path)


def in_log_mode(path):
    """What an older version left: a file that asks for a write-ahead log."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    connection.close()
    assert header(path) == _LOG


def header(path):
    return path.read_bytes()[18:20]


def test_an_older_ledger_becomes_one_file(path):
    in_log_mode(path)
    file = LedgerFile.open(path)
    assert file.connection.execute("PRAGMA busy_timeout").fetchone() == (BUSY_MS,)
    file.close()
    assert header(path) == _JOURNAL


def test_a_file_of_another_kind_stays_as_it_was(tmp_path):
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE event (seq)")
    connection.close()
    in_log_mode(other)
    with pytest.raises(UnreadableError, match="another kind"):
        LedgerFile.open(other)
    assert header(other) == _LOG


def test_one_that_never_changes_is_not_taken_over(path, refusing, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(LedgerFile, "_one_file", lambda _: pytest.fail("it was written"))
    LedgerFile.open(path).close()


def test_a_writer_waits_as_long_as_the_ledger_says(path, monkeypatch):
    waits, real = [], sqlite3.connect
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda *name, **how: (waits.append(how["timeout"]), real(*name, **how))[1],
    )
    LedgerFile.open(path).close()
    assert waits == [BUSY_MS / 1000] == [15.0]


def another_file(path):
    copy = path.with_name("another")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def test_a_file_that_is_replaced_while_it_is_opened_is_found(path, monkeypatch):
    real = sqlite3.connect

    def connect(*name, **how):
        connection = real(*name, **how)
        another_file(path)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(LedgerAlteredError, match="replaced or removed"):
        LedgerFile.open(path)


def test_a_file_that_is_replaced_while_a_writer_waits_is_not_written(path):
    file, real = LedgerFile.open(path), None
    real = file.connection

    def execute(text, *values):
        found = real.execute(text, *values)
        if text == "BEGIN IMMEDIATE":
            another_file(path)
        return found

    file.connection = Stand(real, execute=execute)
    with pytest.raises(LedgerAlteredError, match="replaced or removed"), file.transaction():
        pytest.fail("it went on")
    assert not real.in_transaction
    file.close()


def test_a_copy_is_whole_by_itself_and_durable(path, tmp_path, monkeypatch):
    in_log_mode(path)
    monkeypatch.setattr(LedgerFile, "_one_file", lambda _: None)
    file, made, flushed, real = LedgerFile.open(path), [], [], sqlite3.connect
    with file.transaction():
        file.insert(Row(2, "11" * 32, "{}", "33" * 32, "22" * 64))
    monkeypatch.setattr(
        sqlite3, "connect", lambda *name, **how: made.append(real(*name, **how)) or made[-1]
    )
    sync = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: (flushed.append((fd, str(Path(f"/proc/self/fd/{fd}").readlink()))), sync(fd)),
    )
    target = tmp_path / "copy" / "ledger.sqlite"
    target.parent.mkdir()
    file.copy_to(target)
    assert header(target) == _JOURNAL
    assert [place for _, place in flushed] == [str(target), str(target.parent)]
    for fd, _ in flushed:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")
    monkeypatch.undo()
    copied = LedgerFile.open(target)
    assert [row.seq for row in copied.rows()] == [1, 2]
    copied.close()
    file.close()


@pytest.mark.parametrize("part", ["connect", "backup"])
def test_a_copy_that_sqlite_refuses_says_so_in_our_words(path, tmp_path, monkeypatch, part):
    def refuse(*_, **__):
        raise sqlite3.OperationalError("disk I/O error")

    file = LedgerFile.open(path)
    if part == "connect":
        monkeypatch.setattr(ledger_file.sqlite3, "connect", refuse)
    else:
        file.connection = Stand(file.connection, backup=refuse)
    with pytest.raises(StoreError, match=r"copy\.sqlite cannot be read or written just now"):
        file.copy_to(tmp_path / "copy.sqlite")
