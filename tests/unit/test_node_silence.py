"""Silence of a coordinator, counted in what the agent itself has listened to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from conftest import make_study

from securefl.errors import StudyError
from securefl.node.silence import Silence
from securefl.node.waiting import (
    keep_long_wait,
    keep_waiting,
    waiting_for,
    waiting_since,
    waiting_until,
)
from securefl.report import terms
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.study.longest_wait import coordinator_waits, hospital_waits, wait_words
from securefl.study.parse import parse_study

START = datetime(2031, 5, 1, 8, tzinfo=UTC)
WEEK = 7 * 86_400


def study_with(*changes):
    return parse_study(make_study(3, *changes)[0])


LONG = study_with(("round_deadline = 60", f"round_deadline = 60\nlongest_wait = {WEEK}"))
PLAIN = study_with()


class Listener:
    """A hospital's process: its monotonic clock begins anew, its folder and the wall clock do not."""

    def __init__(self, folder, study=LONG):
        self.time = self.jump = 0.0
        self.own = SimpleNamespace(
            plan=SimpleNamespace(study=study),
            folder=folder,
            clock=lambda: self.time,
            now=lambda: START + timedelta(seconds=self.time + self.jump),
        )
        self.silence = Silence(self.own, None, 0.0)

    def passes(self, seconds):
        self.time += seconds
        self.silence.listen()
        self.silence.keep()


def test_it_is_over_after_the_studys_figure_and_long_after_two_deadlines(tmp_path):
    me = Listener(tmp_path)
    me.passes(120)
    assert not me.silence.is_long
    me.passes(1)
    assert me.silence.is_long
    me.passes(WEEK - 121)
    assert not me.silence.is_over
    me.passes(1)
    assert me.silence.is_over


def test_what_cannot_be_heard_is_no_silence(tmp_path):
    me = Listener(tmp_path)
    me.silence.stop_listening()
    me.time += 2 * WEEK
    assert not me.silence.is_over
    me.passes(0)
    assert me.silence.seconds == 0
    me.passes(WEEK + 1)
    assert me.silence.is_over


def test_another_process_counts_on(tmp_path):
    first = Listener(tmp_path)
    first.passes(5 * 86_400)
    since = first.silence.since
    second = Listener(tmp_path)
    assert second.silence.seconds == pytest.approx(5 * 86_400)
    assert second.silence.since == since
    second.passes(2 * 86_400 + 1)
    assert second.silence.is_over
    second.silence.hear()
    assert Listener(tmp_path).silence.seconds == 0


def test_control_a_study_without_the_figure_begins_anew(tmp_path):
    first = Listener(tmp_path, PLAIN)
    first.passes(119)
    assert not first.silence.is_long
    assert Listener(tmp_path, PLAIN).silence.seconds == 0
    first.passes(2)
    assert first.silence.is_over


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"seconds": 1}',
        b'{"seconds": "x", "since": "2031-05-01T08:00:00+00:00"}',
    ],
)
def test_a_count_that_cannot_be_read_begins_anew(tmp_path, content):
    (tmp_path / "silence.json").write_bytes(content)
    assert Listener(tmp_path).silence.seconds == 0


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_step_of_the_wall_clock_changes_nothing_of_the_count(tmp_path, jump):
    me = Listener(tmp_path)
    me.passes(86_400)
    me.jump = jump
    assert me.silence.seconds == 86_400
    assert me.silence.until - me.own.now() == timedelta(days=6)


def test_the_end_of_the_wait_is_never_after_the_studys(tmp_path):
    closes = START + timedelta(days=1)
    short = study_with(
        ("closes = 2999-01-01T00:00:00Z", f"closes = {closes:%Y-%m-%dT%H:%M:%SZ}"),
        ("round_deadline = 60", f"round_deadline = 60\nlongest_wait = {WEEK}"),
    )
    assert Listener(tmp_path, short).silence.until == closes
    assert coordinator_waits(short.schedule, START) == 86_400
    assert coordinator_waits(short.schedule, closes) == 60


def test_both_sides_wait_for_the_figure_and_without_it_for_deadlines():
    assert (hospital_waits(LONG.schedule), hospital_waits(PLAIN.schedule)) == (WEEK, 120)
    assert (coordinator_waits(LONG.schedule, START), coordinator_waits(PLAIN.schedule, START)) == (
        WEEK,
        60,
    )
    assert (wait_words(LONG.schedule), wait_words(PLAIN.schedule)) == (
        "7 days",
        "two round deadlines",
    )


@pytest.mark.parametrize("wrong", ["119", "0", "-1", "31622401", "1.5", '"7d"'])
def test_a_wait_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(StudyError, match="longest_wait"):
        study_with(("round_deadline = 60", f"round_deadline = 60\nlongest_wait = {wrong}"))


def test_the_request_and_the_study_say_it():
    said = " ".join(terms.when_sentences(LONG))
    assert "the others wait for at most 7 days; meanwhile nothing leaves." in said
    assert "within 60 seconds" in said
    assert "waited for at most 7 days" in " ".join(plain_text(study_page(LONG, "0" * 64)).split())
    goes_on = study_with(
        ("round_deadline = 60", f"round_deadline = 60\nlongest_wait = {WEEK}"),
        ('on_dropout = "fail"', 'on_dropout = "continue"'),
        ("min_contributors = 3", "min_contributors = 2"),
        ("colluders = 1", "colluders = 0"),
    )
    (sentence,) = [line for line in terms.when_sentences(goes_on) if "If more are away" in line]
    assert "the others go on without it, for at most 1 hospital. If more are away" in sentence


def test_whom_a_study_waits_for_is_kept_with_both_times(tmp_path):
    until = START + timedelta(days=7)
    keep_long_wait(tmp_path, "SVI, in round 3", START, until)
    assert (waiting_for(tmp_path), waiting_since(tmp_path)) == ("SVI, in round 3", START)
    assert waiting_until(tmp_path) == until
    keep_waiting(tmp_path, "")
    assert waiting_for(tmp_path) == ""
    assert (waiting_since(tmp_path), waiting_until(tmp_path)) == (None, None)
    (tmp_path / "waiting").write_bytes(b"somebody\nsome day")
    assert (waiting_for(tmp_path), waiting_until(tmp_path)) == ("somebody", None)
