"""Whatever fails in a round, whoever is killed: the study ends with the very model that it would have
made, or with a clear message. Each hospital pays once, no sum is opened twice, no object is lost.

Cases are drawn by seed (:mod:`weather`): 40 in each run of the tests; by ``-m soak`` 360 others over a
folder, and the same 360 over S3.
"""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from consortium import NAMES, Consortium
from faulty_world import FaultyWorld, undisturbed
from killed_hospital import ME, approved
from store_servers import make_bucket, s3
from weather import COORDINATOR, STEPS, Fault, Weather, cases

from securefl.researcher.durable_run import DurableRun

#: What the quick tests draw; the long ones go on with other seeds.
SEED, CASES = 2026, 34
#: What was mended is always among them: a disk that took one file ended a study for all.
MENDED = [
    ("full", (Fault(COORDINATOR, "open", 0.92, "stale"),)),
    *[
        (kind, (Fault(ME, act, 0.6, "no room"),))
        for kind in ("full", "survivors")
        for act in ("accepted", "contribution", "total")
    ],
]
LONG_SEEDS, LONG_CASES = range(1, 7), 60
#: Faults after which a study need not be completed: its time is over.
ENDS = {"clock over"}
#: Objects that say something new each time they are written.
MAY_CHANGE = ("call", "ready", "checkpoints", "extracts", "status", "end", "doctor")


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """Kind of study → a consortium and a study of it that all have approved."""
    found = {}
    for kind in ("full", "survivors"):
        c = Consortium(tmp_path_factory.mktemp("ready"))
        found[kind] = c, approved(c, "whatever", kind)
    return found


@pytest.fixture(scope="module")
def calm(ready, tmp_path_factory):
    """Kind of study → its world where nothing went wrong."""
    found = {}
    for kind, studied in ready.items():
        with pytest.MonkeyPatch.context() as patched:
            root = tmp_path_factory.mktemp("calm") / kind
            found[kind] = undisturbed(studied, root, patched)
    return found


def name_of(case):
    return "-".join(map(str, (case[0], *case[1])))


def weathered(ready, calm, case, store, root):
    """The world of one case, over."""
    kind, faults = case
    weather = Weather(faults, calm[kind].weather.counts)
    with pytest.MonkeyPatch.context() as patched:
        world = FaultyWorld(ready[kind], root, weather, patched, store)
        world.run()
    return world


def check(world, expected, faults):
    """What must hold, whatever went wrong."""
    plan = world.study.plan
    assert all(len(totals) == 1 for totals in world.opened.values())  # nothing is opened twice
    assert_one_wording(world)
    for name in NAMES:
        state = world.state(name)
        assert state.ended
        sent = [number for number, _ in state.sent]
        assert len(sent) == len(set(sent))
        assert state.started or not sent  # nothing leaves that was not paid
    assert all(error.what and error.next_step for error in world.errors)
    if {fault.what for fault in faults} & ENDS:
        return
    assert world.outcome is not None, world.errors
    assert np.array_equal(world.outcome.theta, expected.outcome.theta)
    assert {world.status(name) for name in NAMES} == {"completed"}
    lost = set(expected.objects()) - set(world.objects())
    # two of three signatures are enough: one that comes back a while later is not waited for
    assert all(path.endswith((f"agreements/{ME}", f"answers/{ME}")) for path in lost), lost
    for number in range(1, plan.last_round + 1):
        assert len(world.state(ME).sent) == plan.last_round
        assert len(world.outcome.records[number - 1].contributions) == len(NAMES)
    assert all(
        sum(drawn.values()) <= plan.last_round + len(faults) for drawn in world.drawn.values()
    )


def assert_one_wording(world):
    """What binds somebody was meant in one wording, however often it was written."""
    texts = {
        path: len(found)
        for path, found in world.weather.written.items()
        if world.study.digest in path and path.split("/")[2] not in MAY_CHANGE
    }
    assert {path: n for path, n in texts.items() if n > 1} == {}


def test_the_named_steps_of_a_round_are_all_acts_at_which_faults_strike(calm):
    acts = {act for _, act in calm["survivors"].weather.counts}
    assert set(STEPS) <= acts
    assert set(STEPS) - {"survivors", "agreement", "answer"} <= {
        act for _, act in calm["full"].weather.counts
    }


@pytest.mark.parametrize(
    "case", list(enumerate(MENDED + cases(SEED, CASES, ME))), ids=lambda c: name_of(c[1])
)
def test_a_study_survives_what_goes_wrong(ready, calm, tmp_path, case):
    number, drawn = case
    store = ("folder", "fsspec")[number // 2 % 2]
    world = weathered(ready, calm, drawn, store, tmp_path / "world")
    assert world.weather.struck
    check(world, calm[drawn[0]], drawn[1])


@pytest.fixture
def place(request, monkeypatch):
    """The store of a kind: the consortium's folder, or a bucket of a server of its own."""
    if request.param == "folder":
        yield "folder"
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    bucket = f"faults-{secrets.token_hex(4)}"
    with s3() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        make_bucket(url, bucket)
        yield f"s3://{bucket}"


@pytest.mark.soak
@pytest.mark.parametrize("seed", LONG_SEEDS)
@pytest.mark.parametrize("place", ["folder", "S3"], indirect=True)
def test_a_study_survives_hundreds_of_other_faults(ready, calm, tmp_path, seed, place):
    for number, drawn in enumerate(cases(seed, LONG_CASES, ME)):
        world = weathered(ready, calm, drawn, place, tmp_path / str(number))
        check(world, calm[drawn[0]], drawn[1])


def test_control_a_hospital_that_pays_twice_or_draws_again_is_noticed(ready, calm, tmp_path):
    """Without what is durable, a kill costs the study: the checks above can fail."""
    faults = (Fault(COORDINATOR, "total", 0.0, "kill after"),)
    weather = Weather(faults, calm["full"].weather.counts)
    with pytest.MonkeyPatch.context() as patched:
        world = FaultyWorld(ready["full"], tmp_path / "world", weather, patched)
        patched.setattr(DurableRun, "begun", lambda *_: None)
        patched.setattr(DurableRun, "finished", lambda _: ())
        world.run()
    with pytest.raises(AssertionError):
        check(world, calm["full"], faults)
