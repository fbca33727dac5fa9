"""``study status --live`` and ``study curves``: a run as whoever looks on sees it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from consortium import Consortium

from securefl.cli.main import cli
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_record import RoundRecord
from securefl.researcher.run_events import RunEvents

START = datetime(2031, 3, 1, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("live"))
    made.study = made.new_study("watched")
    return made


def study(c, *words):
    where = str(c.lab.folder.path)
    done = CliRunner().invoke(cli, ["study", *words, "--researcher", where])
    if done.exception:
        raise done.exception
    return done.stdout


def test_before_a_run_there_is_nothing_to_see_and_no_curve(c):
    assert "has not begun" in study(c, "status", "watched", "--live")
    with pytest.raises(Exception, match="there is no curve"):
        study(c, "curves", "watched", "--json", "-")


def test_a_run_is_shown_and_its_curves_are_handed_on(c, tmp_path):
    plan = c.study.plan
    times = iter(START + timedelta(seconds=10 * n) for n in range(10))
    events = RunEvents(c.study.folder, plan, lambda: next(times))
    events.begun()
    kept = KeptTotals(c.study.folder / "run" / "totals")
    for number in (1, 2):
        sent = dict.fromkeys(plan.study.cohort, "c" * 64)
        kept.keep(number, np.ones(plan.length(number), dtype=np.int64), len(sent))
        events.opened(RoundRecord(number, "update", "a" * 64, "b" * 64, sent, "d" * 64, 7000))
    events.close()
    shown = study(c, "status", "watched", "--live")
    assert f"2 of {plan.last_round} rounds opened" in shown
    assert "too early to say" in shown
    told = json.loads(study(c, "status", "watched", "--live", "--json", "-"))
    assert (told["state"], told["done"], told["waits_for"]) == ("running", 2, [])
    points = json.loads(study(c, "curves", "watched", "--json", "-"))["points"]
    assert {p["round"] for p in points} == {1, 2}
    assert "training/update_length" in {p["series"] for p in points}
    with pytest.raises(Exception, match="Nowhere to write the curves"):
        study(c, "curves", "watched")
