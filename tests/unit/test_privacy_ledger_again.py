"""A ledger that is read again and again: quick while nothing changed, and as strict as the first time."""

import sqlite3

import pytest
from ledger_after_a_year import Hospital, sha, year

from securefl.privacy import ledger_reading
from securefl.privacy.audit import Sheet, audit
from securefl.privacy.audit_history import history
from securefl.privacy.ledger_again import LedgerMemory
from securefl.privacy.ledger_file import LedgerFile


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return year(tmp_path_factory.mktemp("year"))


@pytest.fixture
def h(tmp_path):
    made = Hospital(tmp_path)
    made.grant("referrals", 3)
    made.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    made.ledger.pause("ward moves")
    made.ledger.resume()
    return made


def memory_of(h):
    return LedgerMemory(h.folder / "ledger.sqlite")


def read(memory, h):
    card = h.identity.card
    return memory.read(card.signing_public, card.verify)


def test_a_second_reading_follows_only_the_new_rows(h, monkeypatch):
    memory = memory_of(h)
    assert read(memory, h) == h.read()
    followed = []
    real = ledger_reading.follow

    def follow(head, row, verify):
        followed.append(row.seq)
        return real(head, row, verify)

    monkeypatch.setattr(ledger_reading, "follow", follow)
    read(memory, h)
    assert followed == []
    before = h.ledger.size
    h.ledger.pause("again")
    assert read(memory, h).at.size == before + 1
    assert followed == [before + 1]
    monkeypatch.undo()
    assert read(memory, h) == h.read()


# another first digit: a replaced letter may not occur in a random hash at all
OTHER_DIGIT = (
    "UPDATE event SET {0} = CASE substr({0}, 1, 1) WHEN '0' THEN '1' ELSE '0' END"
    " || substr({0}, 2) WHERE seq = 2"
)
ALTERED = {
    "body": "UPDATE event SET body = replace(body, 'a', 'b') WHERE seq = 2",
    "signature": OTHER_DIGIT.format("signature"),
    "prev": OTHER_DIGIT.format("prev"),
    "hash": OTHER_DIGIT.format("hash"),
}


@pytest.mark.parametrize("column", ALTERED)
def test_an_old_row_that_was_altered_meanwhile_is_found(h, column, monkeypatch):
    memory, blind = memory_of(h), memory_of(h)
    for one in (memory, blind):
        assert read(one, h).fault is None
    with sqlite3.connect(h.folder / "ledger.sqlite") as file:
        file.execute(ALTERED[column])
    file.close()
    # the control: a memory that does not compare what it knows is told nothing
    monkeypatch.setattr(blind, "_known", lambda _key, _rows: blind._reading)
    assert read(blind, h).fault is None
    assert str(read(memory, h).fault) == str(h.read().fault) != "None"
    # and it is not forgotten at the next look
    assert read(memory, h).fault is not None


def test_before_a_reading_and_after_a_fault_there_is_no_history(h):
    memory = memory_of(h)
    assert memory.history() is None
    read(memory, h)
    assert memory.history() is not None
    with sqlite3.connect(h.folder / "ledger.sqlite") as file:
        file.execute(ALTERED["body"])
    file.close()
    assert read(memory, h).fault is not None
    assert memory.history() is None


def test_a_history_goes_on_with_the_rows_and_begins_anew_with_an_older_file(h):
    def told():
        return memory.history(), history(read_ledger_of(h))

    memory = memory_of(h)
    older = h.ledger.size
    read(memory, h)
    now, whole = told()
    assert now == whole
    h.ledger.pause("again")
    read(memory, h)
    now, whole = told()
    assert now == whole
    assert len(now.pauses) == 2
    with sqlite3.connect(h.folder / "ledger.sqlite") as file:
        file.execute("DELETE FROM event WHERE seq > ?", (older,))
    file.close()
    read(memory, h)
    now, whole = told()
    assert now == whole
    assert len(now.pauses) == 1


def read_ledger_of(h):
    """Events of the file as it is, checked from the first one."""
    return h.read().events


def test_the_file_is_closed_after_each_reading(h, monkeypatch):
    closed = []
    close = LedgerFile.close
    monkeypatch.setattr(LedgerFile, "close", lambda self: (closed.append(1), close(self)))
    memory = memory_of(h)
    read(memory, h)
    read(memory, h)
    assert len(closed) == 2


def test_rows_that_are_gone_are_found(h):
    memory = memory_of(h)
    size = read(memory, h).at.size
    with sqlite3.connect(h.folder / "ledger.sqlite") as file:
        file.execute("DELETE FROM event WHERE seq = ?", (size,))
    file.close()
    found = read(memory, h)
    assert found.at.size == size - 1
    assert found.fault is not None


def test_another_key_is_told_nothing_from_memory(h, tmp_path_factory):
    other = Hospital(tmp_path_factory.mktemp("other"))
    memory = memory_of(h)
    assert read(memory, h).fault is None
    card = other.identity.card
    assert memory.read(card.signing_public, card.verify).fault is not None


def test_a_report_from_memory_is_the_report(old):
    memory = memory_of(old)
    for _ in range(2):
        reading = read(memory, old)
        assert audit(reading, told=memory.history()) == old.report()


def test_the_sheets_of_a_report_are_the_report(old):
    whole = old.report()
    reading = old.read()
    sheets = Sheet(1, 2).sheets(reading.at.state)
    assert sheets == 3
    told = [audit(reading, sheet=Sheet(n, 2)) for n in range(sheets, 0, -1)]
    assert sum((one.approvals for one in told), ()) == whole.approvals
    assert [one.populations for one in told] == [whole.populations] * sheets
    for number, dataset in enumerate(whole.datasets):
        parts = [one.datasets[number] for one in told]
        for kind in ("studies", "releases", "refusals"):
            assert [entry for part in parts for entry in part[kind]] == dataset[kind]
        assert [part["spent"] for part in parts] == [dataset["spent"]] * sheets
    assert audit(reading, sheet=Sheet(99, 2)).approvals == ()
