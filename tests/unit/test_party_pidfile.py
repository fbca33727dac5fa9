"""State file and end note of a long-running role: what its owner sees while it runs, and after its
end.
"""

import json
import os

import pytest

from securefl.errors import StoreError
from securefl.party.pidfile import Presence, last_end, running_process, store_away
from securefl.party.store_watch import StoreWatch

SINCE, LATER = "2026-11-28T17:00:00Z", "2026-11-28T17:09:00Z"


@pytest.fixture
def role(tmp_path):
    made = Presence(tmp_path, "agent")
    assert made.take()
    yield made
    made._lock.release()


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class ShakyStore:
    """A board whose trial write fails as often as it is told."""

    def __init__(self, *errors):
        self.errors, self.asked, self.data = list(errors), 0, b""

    def post(self, _path, data):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        self.data = data

    def read(self, _path, _max_bytes):
        return self.data

    def erase(self, _path):
        pass


def test_the_note_of_an_end_is_kept_to_its_owner_and_goes_with_the_next_start(role, tmp_path):
    role.announce(SINCE)
    role.note_end(LATER, "C holds a checkpoint:\nof 9 events\x1b[2J")
    assert last_end(tmp_path, "agent") is None  # it runs still
    role.leave()
    assert last_end(tmp_path, "agent") == (
        LATER,
        "C holds a checkpoint: of 9 events?[2J",
        os.getpid(),
    )
    assert (tmp_path / "agent.end.json").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "agent.json").exists()
    assert role.take()
    role.announce(LATER)
    assert not (tmp_path / "agent.end.json").exists()


def test_a_killed_process_left_no_word_whatever_an_earlier_one_noted(role, tmp_path):
    role.announce(SINCE)
    role._lock.release()
    (tmp_path / "agent.end.json").write_text(
        json.dumps({"pid": -1, "at": SINCE, "reason": "asked"})
    )
    ended = last_end(tmp_path, "agent")
    assert ended.at == ""
    assert (
        ended.reason
        == f"it was killed, or the machine stopped: it had run since {SINCE} and left no word"
    )


def test_one_that_was_killed_between_its_note_and_its_leaving_has_said_why(role, tmp_path):
    role.announce(SINCE)
    role.note_end(LATER, "asked")
    role._lock.release()
    assert last_end(tmp_path, "agent")[:2] == (LATER, "asked")


def test_where_none_ever_ran_nothing_ended(tmp_path):
    assert last_end(tmp_path, "agent") is None
    assert store_away(running_process(tmp_path, "agent")) is None


@pytest.mark.parametrize(
    "rubbish", [b"", b"[]", b"{}", b'{"pid": "x"}', b'"pid"', b"\xff" * 9, b"null"]
)
def test_rubbish_in_both_files_is_as_if_they_were_not_there(role, tmp_path, rubbish):
    for name in ("agent.json", "agent.end.json"):
        (tmp_path / name).write_bytes(rubbish)
    assert running_process(tmp_path, "agent") is None
    role._lock.release()
    assert last_end(tmp_path, "agent") is None


@pytest.mark.parametrize("rubbish", [1, [], "away", {"since": 3}])
def test_rubbish_about_the_store_gives_no_traceback(rubbish):
    found = store_away({"pid": 1, "store_away": rubbish})
    assert found == (("3", "") if isinstance(rubbish, dict) else None)


def test_before_it_announced_itself_and_without_news_nothing_is_written(role, tmp_path):
    role.tell(turned=True)
    assert not (tmp_path / "agent.json").exists()
    role.announce(SINCE)
    role.tell(turned=True)
    assert running_process(tmp_path, "agent") == {
        "pid": os.getpid(),
        "since": SINCE,
        "turned": True,
    }
    before = (tmp_path / "agent.json").stat().st_ino
    role.tell(turned=True, trouble=None)
    assert (tmp_path / "agent.json").stat().st_ino == before


def test_a_full_disk_keeps_a_process_neither_from_working_nor_from_ending(
    role, tmp_path, monkeypatch
):
    role.announce(SINCE)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr("securefl.party.pidfile.replace_file", full)
        role.tell(turned=True)
        role.note_end(LATER, "asked")
    assert "turned" not in running_process(tmp_path, "agent")
    role.tell(turned=True)  # there is room again
    assert running_process(tmp_path, "agent")["turned"] is True


def test_a_store_is_away_from_the_first_error_until_it_takes_an_object_again(role, tmp_path):
    clock, times = Clock(), iter([SINCE, LATER])
    watch = StoreWatch(role, lambda: next(times), clock)
    role.announce(SINCE)
    store = ShakyStore(StoreError("It is still away."))
    watch.look(store)
    assert store.asked == 0  # what was never missed is not asked for
    watch.missed(StoreError("It is away:\nno route."))
    assert store_away(running_process(tmp_path, "agent")) == (SINCE, "It is away: no route.")
    watch.look(store)
    assert store.asked == 0  # one part of a turn that went well says nothing
    clock.seconds += 5
    watch.look(store)
    assert store_away(running_process(tmp_path, "agent")) == (SINCE, "It is still away.")
    clock.seconds += 5
    watch.look(store)
    assert store_away(running_process(tmp_path, "agent")) is None
    watch.missed(StoreError("Away once more."))
    assert store_away(running_process(tmp_path, "agent")) == (LATER, "Away once more.")
