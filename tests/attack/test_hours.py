"""A coordinator that announces rounds outside the hours of the study, or too many in them."""

from datetime import UTC, datetime, timedelta

import pytest
from consortium import Consortium
from running_study import study_scene

from securefl.errors import RoundError

NIGHTS = (
    'on_dropout = "fail"\n',
    'on_dropout = "fail"\n\n[schedule.cadence]\nbegin = "22:00"\nend = "05:00"\nrounds = 1\n',
)
NIGHT = datetime(2031, 3, 3, 22, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def scene(hospitals, request):
    yield from study_scene(hospitals, request, NIGHTS)


@pytest.fixture
def any_time(hospitals, request):
    yield from study_scene(hospitals, request)


def enter(scene, at):
    scene.enter()
    scene.announce()
    scene.change_own(now=lambda: at)
    scene.run.step()
    return scene.run.started


def test_a_first_round_by_day_is_not_taken_and_nothing_is_charged(scene):
    assert not enter(scene, NIGHT.replace(hour=12))
    assert not scene.ledger_says.started
    assert "prepare" not in scene.worker.did
    # the same announcement, still there when the night comes
    scene.change_own(now=lambda: NIGHT)
    scene.run.step()
    assert scene.run.started


def test_the_control_a_study_without_hours_takes_it_by_day(any_time):
    assert enter(any_time, NIGHT.replace(hour=12))
    assert any_time.ledger_says.started


def test_a_night_takes_as_many_rounds_as_the_study_says(scene):
    windows = scene.run.windows
    taken = [NIGHT]
    object.__setattr__(windows, "taken", lambda: taken)
    object.__setattr__(windows, "now", lambda: NIGHT + timedelta(hours=1))
    assert not windows.open()
    # the control: without the round before, it is open
    taken.clear()
    assert windows.open()


def quiet(scene, hours):
    """The coordinator is silent for so many hours after the first round of the night."""
    scene.change_own(now=lambda: NIGHT + timedelta(hours=hours))
    scene.clock.now += hours * 3600
    scene.run.running.watch._looked = scene.clock.now
    scene.run.running.watch.check_heard()


def test_by_day_nobody_waits_for_the_coordinator_and_after_the_next_night_begins_they_do(scene):
    assert enter(scene, NIGHT)
    (accepted,) = scene.run.entering.rounds.accepted_at()
    object.__setattr__(scene.run.windows, "taken", lambda: [NIGHT])
    assert accepted.tzinfo is UTC
    scene.run.running.watch.heard = scene.clock.now
    quiet(scene, 12)
    scene.run.running.watch.heard = scene.clock.now - 12 * 3600
    scene.change_own(now=lambda: NIGHT + timedelta(hours=24))
    scene.clock.now += 12 * 3600
    with pytest.raises(RoundError, match="Nothing came from the coordinator"):
        scene.run.running.watch.check_heard()


def test_the_control_without_hours_silence_ends_the_study(any_time):
    assert enter(any_time, NIGHT)
    any_time.run.running.watch.heard = any_time.clock.now
    with pytest.raises(RoundError, match="Nothing came from the coordinator"):
        quiet(any_time, 12)
