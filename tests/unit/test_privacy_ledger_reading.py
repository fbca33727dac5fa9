import sqlite3

import pytest
from ledger_site import approve, example_ledger, keys, verify

from securefl.errors import LedgerAlteredError, UnreadableError
from securefl.privacy.ledger import Ledger, read_checkpoint, read_ledger
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_witness import witness_path


@pytest.fixture
def path(tmp_path):
    example_ledger(tmp_path / "ledger.sqlite").close()
    return tmp_path / "ledger.sqlite"


def test_an_intact_ledger_is_read_whole(path):
    reading = read_ledger(path, verify)
    assert reading.fault is None
    assert reading.require() is reading
    assert len(reading.events) == reading.at.size == 17


def test_an_altered_ledger_is_read_as_far_as_it_holds(path):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE event SET body = '{}' WHERE seq = 9")
    connection.close()
    reading = read_ledger(path, verify)
    assert len(reading.events) == reading.at.size == 8
    assert "Event 9" in reading.fault.what
    with pytest.raises(LedgerAlteredError):
        reading.require()


def test_a_checkpoint_is_held_against_it(path):
    with Ledger.open(path, **keys()) as ledger:
        held = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
        approve(ledger, 4)
    assert read_ledger(path, verify, held).fault is None
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM event WHERE seq > 15")
    connection.close()
    assert "knows 17 events" in read_ledger(path, verify, held).fault.what
    witness_path(path).unlink()
    assert read_ledger(path, verify).fault is None
    assert "knows 17 events" in read_ledger(path, verify, held).fault.what


def test_a_file_that_is_not_there_is_unreadable(tmp_path):
    with pytest.raises(UnreadableError):
        read_ledger(tmp_path / "x", verify)


def edit(path, statement):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_fault_found_before_stays_when_a_checkpoint_is_held_against_it(path):
    with Ledger.open(path, **keys()) as ledger:
        held = read_checkpoint(ledger.checkpoint(), site="SVI", verify=verify)
    edit(path, "UPDATE event SET body = '{}' WHERE seq = 9")
    assert (
        "Event 9 of the ledger: its text is not what was signed"
        in read_ledger(path, verify, held).fault.what
    )


def test_of_an_empty_ledger_the_first_event_is_missing(path):
    edit(path, "DELETE FROM event")
    assert "Event 1 of the ledger: it is missing" in read_ledger(path, verify).fault.what


def test_the_file_is_closed_after_the_reading(path, monkeypatch):
    closed, close = [], LedgerFile.close
    monkeypatch.setattr(LedgerFile, "close", lambda file: (closed.append(file.path), close(file)))
    read_ledger(path, verify)
    assert closed == [path]
