"""Metrics of aggregator and researcher: turns, rounds, bytes, waits, ends; in the form of a hospital's."""

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from conftest import make_study

from securefl.cli.aggregator_metrics import aggregator_metrics_text
from securefl.cli.main import cli
from securefl.cli.study_metrics import run_metrics_json, run_metrics_text
from securefl.federation.exchange import Waiting
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_record import RoundRecord
from securefl.party.aggregator_events import AggregatorEvents, served_studies
from securefl.party.aggregator_metrics import AggregatorMetrics, read_aggregator_metrics
from securefl.party.events import EVENTS, read_events
from securefl.party.folder import PartyFolder
from securefl.party.pidfile import Presence, last_turn
from securefl.researcher.run_events import RunEvents
from securefl.researcher.run_metrics import read_run_metrics
from securefl.study.sealed import SealedStudy
from securefl.study.study_id import StudyId

PLAN = RoundPlan(SealedStudy.read(make_study()[0]))
STUDY = PLAN.study
SITES = STUDY.cohort
NAME = StudyId(STUDY.study.id, PLAN.digest).name
START = datetime(2031, 3, 1, 22, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def later(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events(tmp_path, clock):
    made = AggregatorEvents(tmp_path, clock)
    yield made
    made.close()


def added(sites=SITES, size=7000):
    return SimpleNamespace(contributors=tuple(sites), frame_bytes=size)


def told(tmp_path):
    return served_studies(read_events(tmp_path / EVENTS))


def test_an_aggregator_tells_rounds_bytes_and_waits_and_how_a_study_ended(tmp_path, events, clock):
    events.serving(PLAN)
    events.summed(PLAN, 1, added())
    clock.later(60)
    for _ in range(50):  # told at each look
        clock.later(1)
        events.waiting(PLAN, 2, SITES[:1], START + timedelta(seconds=60))
    (study,) = told(tmp_path)
    assert (study.name, study.rounds, study.done) == (NAME, PLAN.last_round, 1)
    assert study.received == 7000 * len(SITES)
    assert (study.waits_for, study.since) == (SITES[:1], START + timedelta(seconds=60))
    assert [e.event for e in read_events(tmp_path / EVENTS)] == ["serving", "summed", "waiting"]
    events.summed(PLAN, 2, added(SITES[1:]))
    events.ended(PLAN, "round")
    (study,) = told(tmp_path)
    assert (study.done, study.waits_for, study.code, study.failed) == (2, (), "round", True)
    assert study.received == 7000 * (2 * len(SITES) - 1)


def test_a_short_wait_is_no_event(tmp_path, events, clock):
    events.serving(PLAN)
    clock.later(2)
    events.waiting(PLAN, 1, SITES, START)
    (study,) = told(tmp_path)
    assert study.waits_for == ()


def test_the_text_of_an_aggregator_names_whom_it_waits_for_and_since_when(tmp_path, events, clock):
    events.serving(PLAN)
    events.summed(PLAN, 1, added())
    clock.later(30)
    events.waiting(PLAN, 2, SITES[:2], START)
    found = AggregatorMetrics("Sums", True, START, True, 1, told(tmp_path))
    lines = aggregator_metrics_text(found).splitlines()
    since = int(START.timestamp())
    labels = f'{{aggregator="Sums",study="{NAME}"'
    assert f'securefl_last_turn_timestamp_seconds{{aggregator="Sums"}} {since}' in lines
    assert 'securefl_studies_served{aggregator="Sums"} 1' in lines
    assert f"securefl_study_summed{labels}}} 1" in lines
    assert f"securefl_study_received_bytes{labels}}} {7000 * len(SITES)}" in lines
    assert f'securefl_study_state{labels},state="serving"}} 1' in lines
    waits = [line for line in lines if line.startswith("securefl_waiting_since")]
    assert waits == [
        f'securefl_waiting_since_timestamp_seconds{labels},hospital="{name}"}} {since}'
        for name in SITES[:2]
    ]
    assert lines[-1] == "# EOF"


def test_a_new_aggregator_has_metrics_on_the_screen_in_a_file_and_as_json(tmp_path):
    here = tmp_path / "sums"
    PartyFolder.create(
        here,
        name="Sums",
        role="aggregator",
        legal_name="Neutral House",
        email="a@example.org",
        store=str(tmp_path / "store"),
    )
    words = ["aggregator", "metrics", "--aggregator", str(here)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert 'securefl_aggregator_running{aggregator="Sums"} 0' in done.output.splitlines()
    assert "last_turn" not in done.output
    CliRunner().invoke(cli, [*words, "--file", str(tmp_path / "s.prom")])
    assert (tmp_path / "s.prom").read_text("utf-8") == done.output
    found = json.loads(CliRunner().invoke(cli, [*words, "--json", "-"]).output)
    assert (found["running"], found["turned"], found["studies"]) == (False, None, [])
    presence = Presence(here, "aggregator")
    assert presence.take()
    presence.announce("2031-03-01T22:00:00Z")
    try:
        assert read_aggregator_metrics(PartyFolder.open(here, "aggregator")).running
    finally:
        presence.leave()


def test_a_role_that_goes_on_marks_its_state_file_and_writes_nothing(tmp_path):
    presence = Presence(tmp_path, "aggregator")
    assert presence.take()
    assert last_turn(tmp_path, "aggregator") is None
    presence.announce("2031-03-01T22:00:00Z")
    presence.tell(turned=True)
    state = tmp_path / "aggregator.json"
    old = 10**9
    os.utime(state, (old, old))
    inode = state.stat().st_ino
    presence.tell(turned=True)
    assert state.stat().st_ino == inode
    assert last_turn(tmp_path, "aggregator").timestamp() > old
    presence.leave()
    assert last_turn(tmp_path, "aggregator") is None


def test_the_text_of_a_researcher_has_round_bytes_wait_and_deadline(tmp_path, clock):
    events = RunEvents(tmp_path, PLAN, clock)
    events.begun()
    sent = dict.fromkeys(SITES, "c" * 64)
    for number in (1, 2):
        clock.later(10)
        events.opened(RoundRecord(number, "update", "a" * 64, "b" * 64, sent, "d" * 64, 7000))
    clock.later(20)
    events.waiting(Waiting(SITES[:1], 15.0, 60.0))
    events.close()
    run = read_run_metrics(NAME, tmp_path, PLAN)
    since = START + timedelta(seconds=25)
    assert (run.done, run.received, run.running) == (2, 2 * 7000 * len(SITES), False)
    assert run.deadline == since + timedelta(seconds=STUDY.schedule.round_deadline)
    labels = f'{{researcher="R",study="{NAME}"'
    lines = run_metrics_text("R", [run]).splitlines()
    assert f"securefl_study_opened{labels}}} 2" in lines
    assert f'securefl_study_state{labels},state="running",code=""}} 1' in lines
    wait = f'securefl_waiting_since_timestamp_seconds{labels},hospital="{SITES[0]}"}}'
    assert f"{wait} {int(since.timestamp())}" in lines
    ends = int(run.deadline.timestamp())
    assert f"securefl_round_deadline_timestamp_seconds{labels}}} {ends}" in lines
    told = run_metrics_json("R", [run])["studies"][0]
    assert (told["waits_for"], told["since"]) == ((SITES[0],), "2031-03-01T22:00:25Z")
    json.dumps(told)


def test_a_researcher_without_a_run_has_metrics_without_a_study(tmp_path):
    here = tmp_path / "lab"
    PartyFolder.create(
        here,
        name="R",
        role="researcher",
        legal_name="University",
        email="a@example.org",
        store=str(tmp_path / "store"),
    )
    words = ["study", "metrics", "--researcher", str(here)]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, done.output) == (0, "# EOF\n")
    found = json.loads(CliRunner().invoke(cli, [*words, "--json", "-"]).output)
    assert found == {"researcher": "R", "studies": []}
