"""A run's stream and its curves: each round once, waits by name, and sums beside their noise."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from conftest import make_study

from securefl.errors import UsageError
from securefl.federation.exchange import Waiting
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_record import RoundRecord
from securefl.learning.features import feature_names
from securefl.learning.settling import WINDOW, Course, settling
from securefl.learning.update_lengths import noise_in_update
from securefl.party.events import EVENTS, read_events
from securefl.researcher.curves import write_tensorboard
from securefl.researcher.run_events import RunEvents
from securefl.researcher.run_series import run_series, run_settling
from securefl.study.sealed import SealedStudy
from securefl.study.wire import sum_unit

PLAN = RoundPlan(SealedStudy.read(make_study()[0]))
STUDY = PLAN.study
SITES = len(STUDY.participants)
SIZE = len(feature_names(STUDY.data)) + 1
START = datetime(2031, 3, 1, 22, 0, tzinfo=UTC)


def record(number):
    sent = dict.fromkeys(STUDY.cohort, "c" * 64)
    return RoundRecord(number, "update", "a" * 64, "b" * 64, sent, "d" * 64, 7000)


def totals(rounds, pull=0.0, seed=1):
    """Opened sums: noise, and ``pull`` times the noise on each number."""
    rng = np.random.default_rng(seed)
    sigma = noise_in_update(STUDY, SITES) * sum_unit(STUDY)
    pulls = pull if isinstance(pull, list) else [pull] * rounds
    return [
        (np.rint(rng.normal(0, sigma, SIZE) + one * sigma).astype(np.int64), SITES) for one in pulls
    ]


def told(tmp_path, rounds=3):
    times = iter(START + timedelta(seconds=10 * n) for n in range(100))
    events = RunEvents(tmp_path, PLAN, lambda: next(times))
    events.begun()
    for number in range(1, rounds + 1):
        events.opened(record(number))
    events.close()


def test_a_run_that_goes_on_tells_each_round_once(tmp_path):
    told(tmp_path, 2)
    told(tmp_path, 3)
    found = [(e.event, e.round) for e in read_events(tmp_path / EVENTS)]
    assert found == [
        ("run-begun", None),
        ("round-opened", 1),
        ("round-opened", 2),
        ("run-begun", None),
        ("round-opened", 3),
    ]


def test_a_wait_is_told_once_for_each_set_of_hospitals_and_a_short_one_never(tmp_path):
    events = RunEvents(tmp_path, PLAN, lambda: START)
    for names, seconds in ((("B",), 1.0), (("B",), 5.0), (("B",), 9.0), (("A", "B"), 10.0)):
        events.waiting(Waiting(names, seconds, 60.0))
    events.close()
    waits = list(read_events(tmp_path / EVENTS))
    assert [(e.sites, e.since) for e in waits] == [
        (("B",), START - timedelta(seconds=5)),
        (("A", "B"), START - timedelta(seconds=10)),
    ]


def test_noise_alone_has_settled_and_a_pull_moves():
    assert settling(STUDY, totals(WINDOW - 1)).course is Course.EARLY
    settled = sum(settling(STUDY, totals(20, seed=s)).course is Course.SETTLED for s in range(200))
    assert settled >= 196  # noise alone is above three deviations in 1 of 740
    moving = settling(STUDY, totals(20, pull=2.0))
    assert moving.course is Course.MOVING
    assert moving.signal == pytest.approx(2.0, rel=0.2)


def test_updates_that_grow_go_apart_and_those_that_shrink_do_not():
    growing = [1.0] * 10 + [30.0] * WINDOW
    assert settling(STUDY, totals(18, growing)).course is Course.DIVERGING
    assert settling(STUDY, totals(18, growing[::-1])).course is Course.MOVING


def kept(tmp_path):
    told(tmp_path, 3)
    home = KeptTotals(tmp_path / "run" / "totals")
    for number, (total, contributors) in enumerate(totals(3), 1):
        home.keep(number, total, contributors)
    return run_series(tmp_path, PLAN)


def test_curves_have_a_point_for_each_opened_round(tmp_path):
    points = kept(tmp_path)
    at = {(p.series, p.round): p.value for p in points}
    assert at["round/hospitals", 1] == SITES
    assert at["round/upload_bytes", 3] == 7000
    assert at["round/seconds", 2] == 10
    assert ("round/seconds", 1) not in at
    assert at["training/noise_alone_low", 1] < at["training/noise_alone_high", 1]
    assert at["training/update_length", 3] > 0
    assert run_settling(tmp_path, PLAN).course is Course.EARLY


def test_tensorboard_reads_the_event_files(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    points = kept(tmp_path)
    target = tmp_path / "curves"
    write_tensorboard(points, target)
    reader = EventAccumulator(str(target)).Reload()
    names = {p.series for p in points}
    assert set(reader.Tags()["tensors"]) == names
    steps = [event.step for event in reader.Tensors("training/update_length")]
    assert steps == [1, 2, 3]
    with pytest.raises(UsageError, match="holds curves already"):
        write_tensorboard(points, target)


def test_every_line_of_the_stream_is_json(tmp_path):
    told(tmp_path)
    for line in (tmp_path / EVENTS).read_text("utf-8").splitlines():
        assert json.loads(line)["study"] == PLAN.digest
