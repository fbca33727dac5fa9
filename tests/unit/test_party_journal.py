"""A role's log: bounded, for its owner alone, and not to be forged by what others wrote."""

import pytest

from securefl.party.journal import MAX_BYTES, OLDER, Journal, turn_over


@pytest.fixture
def log(tmp_path):
    return tmp_path / "agent.log"


def files(log):
    return sorted(p.name for p in log.parent.iterdir())


def test_a_log_takes_no_more_room_than_is_said(log):
    journal = Journal(log, max_bytes=1000)
    for number in range(1000):
        journal.say(f"line {number}")
    journal.close()
    assert files(log) == ["agent.log", *(f"agent.log.{n}" for n in range(1, OLDER + 1))]
    assert all(p.stat().st_size <= 1000 for p in log.parent.iterdir())
    assert log.read_text().endswith("line 999\n")
    assert (OLDER + 1) * MAX_BYTES == 16 * 1024 * 1024


def test_the_newest_lines_are_all_there_over_two_files(log):
    journal = Journal(log, max_bytes=1000)
    for number in range(60):
        journal.say(f"line {number}")
    journal.close()
    lines = [
        line for p in (log.with_name("agent.log.1"), log) for line in p.read_text().splitlines()
    ]
    assert [line.split(" ", 1)[1] for line in lines] == [
        f"line {n}" for n in range(60 - len(lines), 60)
    ]
    assert len(lines) > 33


def test_every_file_of_a_log_is_for_its_owner_alone(log):
    journal = Journal(log, max_bytes=100)
    for number in range(20):
        journal.say(f"line {number}")
    journal.close()
    assert {p.stat().st_mode & 0o777 for p in log.parent.iterdir()} == {0o600}


def test_a_log_goes_on_where_the_last_process_ended(log):
    for text in ("one", "two"):
        journal = Journal(log)
        journal.say(text)
        journal.close()
    assert [line.split(" ", 1)[1] for line in log.read_text().splitlines()] == ["one", "two"]


def test_a_percent_sign_is_a_percent_sign_and_an_empty_text_a_line(log):
    journal = Journal(log)
    journal.say("100 %s")
    journal.say("")
    journal.close()
    first, second = log.read_text().splitlines()
    assert first.endswith("Z 100 %s")
    assert second.endswith("Z ")


def test_a_disk_that_takes_nothing_ends_nothing(log, monkeypatch, capsys):
    journal = Journal(log)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(journal.stream, "write", full)
        journal.say("lost")
    journal.say("kept")
    journal.close()
    assert log.read_text().endswith("Z kept\n")
    assert capsys.readouterr().err == ""


def test_what_others_write_into_begins_anew_when_it_is_long_and_what_it_held_is_kept_once(tmp_path):
    file = tmp_path / "worker.log"
    turn_over(file, 10)  # none yet
    file.write_text("short")
    turn_over(file, 10)
    assert file.read_text() == "short"
    for text in ("first, rather long", "second, rather long"):
        file.write_text(text)
        turn_over(file, 10)
        assert not file.exists()
    assert files(file) == ["worker.log.1"]
    assert (tmp_path / "worker.log.1").read_text() == "second, rather long"
