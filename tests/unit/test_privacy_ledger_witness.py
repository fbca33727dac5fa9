"""The ledger's one file and the witness beside it: copies are whole, a lost end and a replaced file
are noticed, kills are no alarm.
"""

import os
import shutil
import sqlite3
import stat
from contextlib import suppress

import pytest
from ledger_site import (
    NEXT_KEY,
    approve,
    digest,
    keys,
    new_ledger,
    rotate,
    send,
    verify,
    verify_next,
)

from securefl.errors import LedgerAlteredError, MessageError, StoreError
from securefl.privacy import ledger_file, ledger_log
from securefl.privacy.ledger import Ledger, read_ledger
from securefl.privacy.ledger_events import Pause, Resume
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_reading import read_chain
from securefl.privacy.ledger_witness import read_witness, witness_path, write_witness
from securefl.signed import dump_signed

NOW = "2026-11-24T12:00:00Z"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    path.parent.mkdir()
    with new_ledger(path) as made:
        yield made


def known(ledger, path):
    """The most events that a word of the witness knows."""
    return max(ledger.read_own(word).size for word in read_witness(path))


def newest_place(ledger, path):
    """The place, 0 or 1, of the word that knows the most events."""
    data = witness_path(path).read_bytes()
    words = [data[:1024].strip(), data[1024:2048].strip()]
    return max((0, 1), key=lambda at: ledger.read_own(words[at]).size if words[at] else 0)


def cut(path, size):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM event WHERE seq > ?", (size,))
    connection.close()


def test_the_one_file_has_every_event_while_the_ledger_is_open(ledger, path, tmp_path):
    approve(ledger)
    ledger.start(digest(1))
    copy = tmp_path / "copy.sqlite"
    shutil.copy(path, copy)  # the file alone, as a backup program takes it
    assert read_ledger(copy, verify).at.size == ledger.size == 7
    assert not path.with_name("ledger.sqlite-wal").exists()
    journal = path.with_name("ledger.sqlite-journal")
    assert not any(journal.read_bytes()[:8])  # no header: it says nothing


def in_a_log(path):
    """The ledger as earlier versions kept it, with its newest events in the write-ahead log and its
    connection still open.
    """
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA journal_mode=WAL")
    return old


def test_a_ledger_with_a_write_ahead_log_is_taken_over(ledger, path, tmp_path):
    ledger.close()
    in_a_log(path).close()
    with Ledger.open(path, **keys()) as taken:
        approve(taken)
        shutil.copy(path, tmp_path / "copy.sqlite")
        assert read_ledger(tmp_path / "copy.sqlite", verify).at.size == taken.size == 6
    assert path.read_bytes()[18:20] == b"\x01\x01"  # no longer a file that asks for a log


def test_a_log_that_another_process_holds_open_is_left_to_the_next_opening(ledger, path):
    ledger.close()
    old = in_a_log(path)
    old.execute("BEGIN IMMEDIATE")
    old.execute("ROLLBACK")
    old.execute("BEGIN")
    old.execute("SELECT * FROM event").fetchall()
    with Ledger.open(path, **keys()) as beside:
        approve(beside)
        assert beside.size == 6
    old.close()
    with Ledger.open(path, **keys()) as taken:
        assert taken.size == 6
        assert taken._file.connection.execute("PRAGMA journal_mode").fetchone() == ("persist",)


def test_the_witness_is_the_owners_alone_and_knows_every_commit(ledger, path):
    for step in (
        lambda: approve(ledger),
        lambda: ledger.start(digest(1)),
        lambda: send(ledger),
        ledger.pause,
        ledger.resume,
    ):
        step()
        assert known(ledger, path) == ledger.size
    assert stat.S_IMODE(witness_path(path).stat().st_mode) == 0o600
    before = read_witness(path)
    ledger.resume()  # nothing to note
    assert read_witness(path) == before


@pytest.mark.parametrize(
    "read",
    [lambda p: Ledger.open(p, **keys()), lambda p: read_ledger(p, verify).require()],
    ids=["open", "audit"],
)
def test_a_lost_end_is_found_without_any_partner(ledger, path, read):
    approve(ledger)
    ledger.close()
    cut(path, 4)
    with pytest.raises(
        LedgerAlteredError, match="knows 6 events that this ledger, of 4, does not contain"
    ):
        read(path)
    assert read_chain(path, verify).fault is None  # control: by itself it is sound


def test_another_past_of_the_same_length_is_found(ledger, path, tmp_path):
    shutil.copy(path, tmp_path / "before.sqlite")
    approve(ledger)
    ledger.close()
    with Ledger.open(tmp_path / "before.sqlite", **keys()) as other:
        approve(other, 2)
    shutil.copy(tmp_path / "before.sqlite", path)
    with pytest.raises(
        LedgerAlteredError, match="knows 6 events that this ledger, of 6, does not contain"
    ):
        Ledger.open(path, **keys())


def test_a_write_that_was_cut_through_spoils_one_word_and_is_no_alarm(ledger, path):
    ledger.pause()
    at = 1024 * newest_place(ledger, path)
    ledger.close()
    data = bytearray(witness_path(path).read_bytes())
    data[at : at + 300] = bytes(300)
    witness_path(path).write_bytes(data)
    with Ledger.open(path, **keys()) as again:
        assert again.size == 5
        again.resume()
        assert known(again, path) == again.size == 6


def two_at_once(ledger):
    """Two events in one transaction."""
    at = ledger.size
    ledger._append(lambda _: [Pause(at=NOW, note=""), Resume(at=NOW)])
    assert ledger.size == at + 2


def test_a_word_never_goes_where_the_newest_one_lies(ledger, path):
    """By the parity of their sizes words of n and n + 2 events would share a place."""
    steps = (lambda: two_at_once(ledger), ledger.pause, ledger.resume, lambda: two_at_once(ledger))
    for step in (*steps, *steps):
        before, place = ledger.size, newest_place(ledger, path)
        step()
        assert newest_place(ledger, path) == 1 - place
        assert {ledger.read_own(word).size for word in read_witness(path)} == {before, ledger.size}


def test_a_cut_through_word_of_two_events_leaves_the_one_before(ledger, path, monkeypatch):
    before = ledger.size
    real = os.pwrite
    monkeypatch.setattr(
        "securefl.privacy.ledger_witness.os.pwrite",
        lambda fd, data, at: real(fd, data[:200] + bytes(len(data) - 200), at),
    )
    two_at_once(ledger)
    assert known_whole(ledger, path) == [before]
    monkeypatch.undo()
    ledger.close()
    with Ledger.open(path, **keys()) as again:
        assert again.size == before + 2
        again.pause()
        assert known_whole(again, path) == [before, again.size]


def known_whole(ledger, path):
    """The sizes that the whole words know, smallest first."""
    found = []
    for word in read_witness(path):
        with suppress(MessageError):
            found.append(ledger.read_own(word).size)
    return sorted(found)


@pytest.mark.parametrize("dies", ["os.fsync", "pathlib.Path.replace"])
def test_a_first_word_that_was_cut_through_is_no_witness_and_no_alarm(
    ledger, path, monkeypatch, dies
):
    witness_path(path).unlink()

    def cut_through(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as during:
        during.setattr(dies, cut_through)
        write_witness(path, ledger.checkpoint())
    assert not witness_path(path).exists()
    ledger.close()
    with Ledger.open(path, **keys()) as again:
        again.pause()
        assert known_whole(again, path) == [again.size]


@pytest.mark.parametrize("data", [b"", b"junk", b"x" * 9000])
def test_an_altered_witness_is_not_taken_for_none(ledger, path, data):
    ledger.close()
    witness_path(path).write_bytes(data)
    with pytest.raises(
        LedgerAlteredError, match="by no key that this ledger knows, or was altered"
    ):
        Ledger.open(path, **keys())


def test_a_ledger_without_a_witness_opens_and_gets_one(ledger, path):
    ledger.close()
    witness_path(path).unlink()
    with Ledger.open(path, **keys()) as again:
        again.pause()
        assert known(again, path) == again.size


def test_a_kill_between_the_commit_and_the_witness_is_no_alarm(ledger, path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger_log, "write_witness", killed)
    with pytest.raises(KeyboardInterrupt):
        approve(ledger)
    ledger.close()
    monkeypatch.undo()
    with Ledger.open(path, **keys()) as again:
        assert again.size == 6
        assert known(again, path) == 4
        again.start(digest(1))
        assert known(again, path) == 7


def test_a_disk_that_does_not_take_the_witness_keeps_the_ledger_going(ledger, path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("securefl.privacy.ledger_witness.os.pwrite", full)
    approve(ledger)
    monkeypatch.undo()
    ledger.close()
    with Ledger.open(path, **keys()) as again:
        assert again.size == 6


def test_a_change_of_keys_killed_before_its_witness_is_no_alarm(ledger, path, monkeypatch):
    after = {**keys(), "sign": NEXT_KEY.sign, "verify": verify_next}
    monkeypatch.setattr(ledger_log, "write_witness", lambda *_: None)
    rotate(ledger)
    ledger.close()
    monkeypatch.undo()
    Ledger.open(path, **after).close()
    with Ledger.open(path, **after) as again:
        again.pause()
    assert read_ledger(path, verify_next).fault is None
    assert read_ledger(path, verify).fault is None


def test_a_witness_by_the_key_after_a_change_stands_against_a_copy_from_before(
    ledger, path, tmp_path
):
    shutil.copy(path, tmp_path / "before")
    rotate(ledger)
    ledger.close()
    assert read_ledger(path, verify_next).fault is None
    shutil.copy(tmp_path / "before", path)
    with pytest.raises(LedgerAlteredError, match="by no key that this ledger knows"):
        Ledger.open(path, **keys())


def replaced(path, tmp_path):
    """An older copy, renamed over the file that is open."""
    shutil.copy(path, tmp_path / "older")
    return lambda: (tmp_path / "older").replace(path)


def test_a_file_that_is_replaced_under_an_open_ledger_stops_it(ledger, path, tmp_path):
    swap = replaced(path, tmp_path)
    approve(ledger)
    swap()
    for use in (
        lambda: ledger.start(digest(1)),
        lambda: ledger.state,
        lambda: ledger.size,
        ledger.checkpoint,
    ):
        with pytest.raises(LedgerAlteredError, match="replaced or removed while it was open"):
            use()


def test_control_an_open_file_goes_on_to_be_written_after_it_was_replaced(
    ledger, path, tmp_path, monkeypatch
):
    swap = replaced(path, tmp_path)
    approve(ledger)
    swap()
    monkeypatch.setattr(LedgerFile, "check_in_place", lambda _: None)
    with ledger._file.transaction():
        pass
    ledger.close()
    assert read_chain(path, verify).at.size == 4  # the approval is in a file without a name


def test_a_file_that_is_replaced_during_a_commit_lets_nobody_act_on_it(ledger, path, tmp_path):
    swap = replaced(path, tmp_path)

    def during():
        with ledger._file.transaction():
            swap()

    with pytest.raises(LedgerAlteredError, match="replaced or removed"):
        during()


def test_a_file_that_is_removed_or_written_over_under_an_open_ledger_stops_it(
    ledger, path, tmp_path
):
    shutil.copy(path, tmp_path / "older")
    approve(ledger)
    shutil.copy(tmp_path / "older", path)  # the same file, older bytes
    with pytest.raises(LedgerAlteredError, match="gone or changed"):
        ledger.start(digest(1))
    path.unlink()
    for use in (lambda: ledger.start(digest(1)), lambda: ledger.state):
        with pytest.raises(LedgerAlteredError, match="replaced or removed"):
            use()


def test_a_copy_is_whole_and_leaves_nothing_else(ledger, path, tmp_path):
    approve(ledger)
    ledger._file.copy_to(tmp_path / "copy.sqlite")
    assert read_ledger(tmp_path / "copy.sqlite", verify).at.size == 6
    assert stat.S_IMODE((tmp_path / "copy.sqlite").stat().st_mode) == 0o600
    assert {p.name for p in tmp_path.iterdir()} == {"home", "copy.sqlite"}
    with pytest.raises(StoreError, match="File exists"):
        ledger._file.copy_to(tmp_path / "copy.sqlite")


@pytest.fixture
def no_writing(monkeypatch):
    """A medium that takes no file, so that SQLite cannot make what a write-ahead log needs."""
    real = sqlite3.connect

    def connect(name, **more):
        connection = real(
            f"file:{name}?mode=ro" if not more.get("uri") else name, **{**more, "uri": True}
        )
        if not str(name).endswith("immutable=1") and open_header(name) == b"\x02\x02":
            connection.close()
            raise sqlite3.OperationalError("unable to open database file")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    monkeypatch.setattr(ledger_file, "_may_be_written", lambda _: False)


def open_header(path):
    with open(path, "rb") as file:  # noqa: PTH123 - a plain name
        return file.read(20)[18:]


@pytest.mark.parametrize("log", [False, True])
def test_a_sound_ledger_on_a_read_only_medium_is_read(ledger, path, no_writing, log):
    ledger.close()
    if log:
        data = bytearray(path.read_bytes())
        data[18:20] = b"\x02\x02"
        path.write_bytes(data)
    assert read_ledger(path, verify).require().at.size == 4
    assert {p.name for p in path.parent.iterdir()} <= {
        "ledger.sqlite",
        "ledger.sqlite.head",
        "ledger.sqlite-journal",
    }


def test_events_beside_a_file_on_a_read_only_medium_are_not_passed_over(ledger, path, no_writing):
    ledger.close()
    data = bytearray(path.read_bytes())
    data[18:20] = b"\x02\x02"
    path.write_bytes(data)
    path.with_name("ledger.sqlite-wal").write_bytes(b"the newest events")
    with pytest.raises(StoreError, match="unable to open"):
        read_ledger(path, verify)


def test_on_a_medium_that_can_be_written_nothing_is_opened_as_if_nobody_wrote(
    ledger, path, monkeypatch
):
    ledger.close()

    def refuse(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert os.access(path, os.W_OK)
    with pytest.raises(StoreError, match="unable to open"):
        read_ledger(path, verify)


def test_what_another_process_commits_while_a_ledger_is_read_is_no_alarm(ledger, path, monkeypatch):
    real = LedgerFile.rows

    def meanwhile(file, *after):
        found = real(file, *after)
        monkeypatch.setattr(LedgerFile, "rows", real)
        ledger.pause()  # its rows were read already, its witness is there
        return found

    monkeypatch.setattr(LedgerFile, "rows", meanwhile)
    assert read_ledger(path, verify).fault is None


def test_a_new_witness_has_room_for_two_words(tmp_path):
    ledger = tmp_path / "ledger.sqlite"
    write_witness(ledger, b"first")
    data = witness_path(ledger).read_bytes()
    assert len(data) == 2048
    assert data.split() == [b"first"]


def word(size):
    """A word of a witness that names so many events, by nobody's key."""
    body = {"type": "securefl-checkpoint/1", "site": "SVI", "size": size, "head": "0f" * 32}
    return dump_signed(body, lambda _: bytes(64))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (word(1), b"cut thr", 0),
        (b"cut thr", word(1), 1),
        (word(7), word(9), 1),
        (word(9), word(7), 0),
        (word(1), word("9"), 0),
        (word("9"), word(1), 1),
    ],
)
def test_the_newest_word_is_not_written_over(tmp_path, first, second, kept):
    ledger = tmp_path / "ledger.sqlite"
    witness_path(ledger).write_bytes(first.ljust(1024) + second.ljust(1024))
    write_witness(ledger, b"newest")
    data = witness_path(ledger).read_bytes()
    assert len(data) == 2048
    places = [data[:1024].strip(), data[1024:].strip()]
    assert places[kept] == (first, second)[kept]
    assert places[1 - kept] == b"newest"


def test_of_two_words_that_know_more_the_one_that_knows_most_is_told(ledger, path):
    ledger.pause()
    ledger.resume()
    ledger.close()
    cut(path, 4)
    with pytest.raises(LedgerAlteredError, match="knows 6 events that this ledger, of 4"):
        read_ledger(path, verify).require()


def test_a_word_is_flushed_after_it_is_written_and_the_file_is_closed(tmp_path, monkeypatch):
    ledger = tmp_path / "ledger.sqlite"
    write_witness(ledger, b"first")
    calls = []

    def noting(name):
        real = getattr(os, name)

        def call(*given):
            calls.append(name)
            return real(*given)

        monkeypatch.setattr(os, name, call)

    for name in ("pwrite", "fdatasync", "close"):
        noting(name)
    write_witness(ledger, b"second")
    assert calls == ["pwrite", "fdatasync", "close"]
