"""The event stream: public facts in a closed list of fields, whole lines, and nothing of a table."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from securefl.party.events import EVENTS, EventLog, read_events
from securefl.researcher.run_events import run_now

STUDY = "a" * 64
START = datetime(2031, 3, 1, 22, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def later(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(tmp_path, clock):
    made = EventLog(tmp_path / EVENTS, clock)
    yield made
    made.close()


def test_what_is_told_is_read_again_in_order(tmp_path, log, clock):
    log.tell("approved", STUDY, rounds=4)
    clock.later(seconds=5)
    log.tell("answered", STUDY, round=1, rounds=4)
    first, second = read_events(tmp_path / EVENTS)
    assert (first.event, first.rounds, first.at) == ("approved", 4, START)
    assert (second.event, second.round, second.at) == ("answered", 1, START + timedelta(seconds=5))
    assert (tmp_path / EVENTS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "planted",
    [
        {"code": "row 17 of Miller-1951"},
        {"sites": ("Miller 1951",)},
        {"text": "Miller-1951"},
        {"rows": 5493},
        {"release": "age=65526"},
        {"round": 0.8125},
    ],
)
def test_a_figure_of_a_patient_has_no_field_to_stand_in(tmp_path, log, planted):
    with pytest.raises(ValidationError):
        log.tell("ended", STUDY, **planted)
    assert not list(read_events(tmp_path / EVENTS))


def test_half_a_line_and_an_event_of_a_newer_version_are_passed_over(tmp_path, log):
    log.tell("begun", STUDY)
    with (tmp_path / EVENTS).open("a", encoding="utf-8") as file:
        file.write('{"at":"2031-03-01T22:00:00Z","event":"of-2040","study":"' + STUDY + '"}\n')
        file.write('{"at":"2031-03-0')
    assert [event.event for event in read_events(tmp_path / EVENTS)] == ["begun"]


def test_a_run_says_how_far_it_is_whom_it_waits_for_and_when_it_is_over(tmp_path, log, clock):
    assert run_now([]).state == "not-begun"
    log.tell("run-begun", STUDY, rounds=10)
    for number in (1, 2, 3):
        clock.later(minutes=2)
        there = ("A", "B") if number == 3 else ("A", "B", "C")
        log.tell("round-opened", STUDY, round=number, rounds=10, sites=there)
    clock.later(minutes=9)
    log.tell("waiting", STUDY, round=4, sites=("B",), since=START + timedelta(minutes=7))
    now = run_now(read_events(tmp_path / EVENTS))
    assert (now.state, now.done, now.rounds, now.lost) == ("running", 3, 10, ("C",))
    assert (now.waits_for, now.since) == (("B",), START + timedelta(minutes=7))
    assert (now.pace, now.over_at) == (120.0, START + timedelta(minutes=6 + 14))
    log.tell("run-ended", STUDY, code="completed")
    over = run_now(read_events(tmp_path / EVENTS))
    assert (over.state, over.code, over.waits_for, over.over_at) == ("ended", "completed", (), None)


def test_the_stream_stays_of_bounded_size_and_is_read_over_its_files(tmp_path, log, clock):
    log._file.maxBytes = 2000
    for number in range(60):
        log.tell("answered", STUDY, round=number)
    numbers = [event.round for event in read_events(tmp_path / EVENTS)]
    assert numbers == list(range(numbers[0], 60))
    assert 0 < numbers[0] < 40
    assert len(list(tmp_path.iterdir())) == 4
