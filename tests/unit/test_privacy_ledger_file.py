import os
import sqlite3
import stat
from pathlib import Path

import pytest

from securefl.errors import LedgerAlteredError, StoreError, UnreadableError, UsageError
from securefl.privacy import ledger_file
from securefl.privacy.ledger_chain import Row
from securefl.privacy.ledger_file import LedgerFile

ROW = Row(1, "00" * 32, "{}", "11" * 32, "22" * 64)


@pytest.fixture
def path(tmp_path):
    LedgerFile.create(tmp_path / "ledger.sqlite", lambda file: file.insert(ROW))
    return tmp_path / "ledger.sqlite"


def test_a_row_is_kept(path):
    file = LedgerFile.open(path)
    assert file.rows() == [ROW]
    assert file.rows(after=1) == []
    assert file.hash_at(1) == ROW.hash
    assert file.hash_at(2) is None
    file.close()


def test_the_file_is_the_owners_alone_and_flushed_at_every_commit(path):
    file = LedgerFile.open(path)
    with file.transaction():
        file.insert(Row(2, "11" * 32, "{}", "33" * 32, "22" * 64))
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}
    assert file.connection.execute("PRAGMA journal_mode").fetchone() == ("persist",)
    assert file.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert "STRICT" in file.connection.execute("SELECT sql FROM sqlite_master").fetchone()[0]
    file.close()


def test_a_second_ledger_is_refused(path):
    with pytest.raises(UsageError, match="exists already"):
        LedgerFile.create(path, lambda file: None)
    assert LedgerFile.open(path).rows() == [ROW]


def test_of_two_that_are_made_at_once_one_is_kept(tmp_path):
    path = tmp_path / "ledger.sqlite"

    def meanwhile(file):
        path.write_bytes(b"the other one")

    with pytest.raises(UsageError, match="exists already"):
        LedgerFile.create(path, meanwhile)
    assert path.read_bytes() == b"the other one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_creation_that_fails_leaves_nothing(tmp_path):
    def fail(file):
        file.insert(ROW)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LedgerFile.create(tmp_path / "ledger.sqlite", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"):
        LedgerFile.create(tmp_path / "nowhere" / "ledger.sqlite", lambda file: None)


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(UnreadableError, match="no such file"):
        LedgerFile.open(tmp_path / "ledger.sqlite")


def test_a_file_of_another_kind_is_unreadable_and_stays_as_it_was(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"patients are not a ledger " * 100)
    with pytest.raises(UnreadableError, match="not a database"):
        LedgerFile.open(path)
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE event (seq INTEGER)")
    connection.commit()
    connection.close()
    before = other.read_bytes()
    with pytest.raises(UnreadableError, match="another kind"):
        LedgerFile.open(other)
    assert other.read_bytes() == before


def test_a_damaged_file_is_unreadable(path):
    LedgerFile.open(path).close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(UnreadableError):
        LedgerFile.open(path).rows()


def test_a_transaction_is_all_or_nothing(path):
    file = LedgerFile.open(path)

    def fail():
        with file.transaction():
            file.insert(Row(2, "11" * 32, "{}", "33" * 32, "22" * 64))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert file.rows() == [ROW]
    with file.transaction():
        file.insert(Row(2, "11" * 32, "{}", "33" * 32, "22" * 64))
    assert len(LedgerFile.open(path).rows()) == 2


def test_a_row_number_is_used_once(path):
    file = LedgerFile.open(path)
    with pytest.raises(LedgerAlteredError, match="does not fit"), file.transaction():
        file.insert(ROW)
    assert file.rows() == [ROW]


def test_a_writer_that_waits_too_long_says_so(path, monkeypatch):
    monkeypatch.setattr(ledger_file, "BUSY_MS", 50)
    first, second = LedgerFile.open(path), LedgerFile.open(path)
    with first.transaction(), pytest.raises(StoreError, match="locked"), second.transaction():
        pass
    with second.transaction():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_says_so(path):
    path.chmod(0)
    with pytest.raises(StoreError, match="unable to open"):
        LedgerFile.open(path)


def test_what_a_killed_creation_left_behind_is_no_hindrance(tmp_path):
    (tmp_path / f".ledger.sqlite.{os.getpid()}.part").write_bytes(b"half a ledger")
    LedgerFile.create(tmp_path / "ledger.sqlite", lambda file: file.insert(ROW))
    assert LedgerFile.open(tmp_path / "ledger.sqlite").rows() == [ROW]
    assert len(list(tmp_path.glob(".ledger*.part"))) == 0


def test_a_creation_that_sqlite_refuses_says_so_and_leaves_no_connection(tmp_path, monkeypatch):
    closed = []
    real = LedgerFile.close
    monkeypatch.setattr(LedgerFile, "close", lambda file: (closed.append(file.path), real(file)))
    LedgerFile.create(tmp_path / "one.sqlite", lambda file: file.insert(ROW))
    monkeypatch.setattr(ledger_file, "_SCHEMA", "CREATE TABLE")
    with pytest.raises(StoreError, match="cannot be read or written"):
        LedgerFile.create(tmp_path / "two.sqlite", lambda file: None)
    assert closed == [tmp_path / "one.sqlite", tmp_path / "two.sqlite"]


def test_a_new_ledgers_name_is_made_durable_after_it_is_given(tmp_path, monkeypatch):
    done = []
    link, sync = os.link, ledger_file.sync_folder
    monkeypatch.setattr(os, "link", lambda *names: (done.append("name"), link(*names)))
    monkeypatch.setattr(
        ledger_file, "sync_folder", lambda folder: (done.append(folder), sync(folder))
    )
    LedgerFile.create(tmp_path / "ledger.sqlite", lambda file: done.append("rows"))
    assert done == ["rows", "name", tmp_path]


def test_a_folder_is_flushed_by_its_descriptor_which_is_closed(tmp_path, monkeypatch):
    flushed, closed = [], []
    fsync, close = os.fsync, os.close
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: (flushed.append(str(Path(f"/proc/self/fd/{fd}").readlink())), fsync(fd)),
    )
    monkeypatch.setattr(
        os,
        "close",
        lambda fd: (closed.append(str(Path(f"/proc/self/fd/{fd}").readlink())), close(fd)),
    )
    ledger_file.sync_folder(tmp_path)
    assert flushed == closed == [str(tmp_path)]


def test_a_file_that_cannot_be_opened_says_so(path, monkeypatch):
    def refuse(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(StoreError, match="unable to open"):
        LedgerFile.open(path)


@pytest.fixture
def careless(monkeypatch):
    """An SQLite that was built not to flush."""
    real = sqlite3.connect

    def connect(*args, **more):
        connection = real(*args, **more)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)


def test_commits_are_flushed_whatever_sqlite_does_by_default(tmp_path, careless):
    path, seen = tmp_path / "ledger.sqlite", []

    def fill(file):
        seen.append(file.connection.execute("PRAGMA synchronous").fetchone())
        file.insert(ROW)

    LedgerFile.create(path, fill)
    file = LedgerFile.open(path)
    seen.append(file.connection.execute("PRAGMA synchronous").fetchone())
    assert seen == [(2,), (2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA application_id=7",
        "ALTER TABLE event RENAME COLUMN prev TO before",
        "ALTER TABLE event ADD COLUMN more TEXT",
    ],
)
def test_a_file_that_is_ours_in_part_is_another_kind_and_is_not_held_open(
    path, monkeypatch, statement
):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    closed = []
    monkeypatch.setattr(
        LedgerFile, "close", lambda file: (closed.append(file.path), file.connection.close())
    )
    with pytest.raises(UnreadableError, match="another kind"):
        LedgerFile.open(path)
    assert closed == [path]


def test_a_file_that_turns_out_damaged_is_not_held_open(tmp_path, monkeypatch):
    path, closed = tmp_path / "ledger.sqlite", []
    path.write_bytes(b"patients are not a ledger " * 100)
    monkeypatch.setattr(
        LedgerFile, "close", lambda file: (closed.append(file.path), file.connection.close())
    )
    with pytest.raises(UnreadableError, match="not a database"):
        LedgerFile.open(path)
    assert closed == [path]


def test_a_table_that_vanishes_says_so_in_our_words(path):
    file = LedgerFile.open(path)
    file.connection.execute("DROP TABLE event")
    for call in (lambda: file.hash_at(1), file.rows, lambda: file.insert(ROW)):
        with pytest.raises(StoreError, match="no such table"):
            call()


class FullDisk:
    """A connection whose commits fail, after which SQLite has rolled back by itself or has not."""

    def __init__(self, in_transaction):
        self.in_transaction, self.said = in_transaction, []

    def execute(self, statement):
        self.said.append(statement)
        if statement == "COMMIT" or (statement == "ROLLBACK" and not self.in_transaction):
            raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_commit_that_the_disk_refuses_is_rolled_back_and_says_so(path, in_transaction):
    full = FullDisk(in_transaction)
    with pytest.raises(StoreError, match="disk is full"), LedgerFile(path, full).transaction():
        pass
    assert full.said == ["BEGIN IMMEDIATE", "COMMIT", *(["ROLLBACK"] if in_transaction else [])]


def test_our_files_are_told_by_the_same_number_in_every_version():
    assert ledger_file.APPLICATION_ID.to_bytes(4, "big") == b"sfl1"
