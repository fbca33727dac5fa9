"""A hospital that is killed in a study by groups, before, in or after the lot, and started again: it
says the same bytes, the groups stay, and the model is the one that would have been made.

Six hospitals make three groups of two, whose totals the median combines.
"""

from __future__ import annotations

from secrets import token_bytes

import numpy as np
import pytest
from consortium import NAMES, Consortium
from faulty_world import FaultyWorld, undisturbed
from killed_hospital import ME, SHORT
from weather import KILLS, Fault, Weather

from securefl.federation.group_lot import lot_on, nonces_on
from securefl.node import group_lot

SIX = (*NAMES, "Mitte", "Nord", "West")
GROUPS = (
    ("min_contributors = 3", 'min_contributors = 2\ngroups = "median"'),
    ("colluders = 1", "colluders = 0"),
)
#: Places at which it is killed in each run of the tests: an act, and the end of the path it is done
#: to; whether before or after.
PLACES = (
    ("write", f"group-commitments/{ME}", "kill after"),
    ("file", f"/{group_lot.FILE}", "kill before"),
    ("file", f"/{group_lot.FILE}", "kill after"),
    ("write", f"group-nonces/{ME}", "kill after"),
    ("write", f"rounds/00001-1/contributions/{ME}", "kill before"),
    ("contribution", "/00001", "kill after"),
)
#: Acts of a hospital that are durable or leave; ``-m soak`` goes through every one.
ACTS = ("write", "file", "contribution", "accepted", "total", "sent", "ledger")
#: Objects that say something new each time they are written.
MAY_CHANGE = ("call", "ready", "checkpoints", "extracts", "status", "end")


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A consortium of six, and a study by groups that all have approved."""
    c = Consortium(tmp_path_factory.mktemp("six"), names=SIX)
    study = c.new_study("grouped", *SHORT, *GROUPS)
    for name in SIX:
        c.hand_over(study, name)
        c.approve(name, study)
    return c, study


@pytest.fixture(scope="module")
def calm(ready, tmp_path_factory):
    """The study where nothing went wrong."""
    with pytest.MonkeyPatch.context() as patched:
        return undisturbed(ready, tmp_path_factory.mktemp("calm") / "world", patched)


def at(calm, act, end, what):
    """The fault that strikes where that act is first done to such a path."""
    paths = calm.weather.paths[ME, act]
    places = [place for place, path in enumerate(paths) if path.endswith(end)]
    return Fault(ME, act, (places[0] + 0.5) / len(paths), what)


def groups_in(world):
    return lot_on(world.board, world.study.plan).groups(2)


def killed(ready, calm, fault, root):
    """The study with one kill, over."""
    with pytest.MonkeyPatch.context() as patched:
        world = FaultyWorld(ready, root, Weather((fault,), calm.weather.counts), patched)
        world.run()
    return world


def check(world, calm):
    assert world.outcome is not None, world.errors
    assert world.weather.struck
    np.testing.assert_array_equal(world.outcome.theta, calm.outcome.theta)
    assert groups_in(world) == groups_in(calm)
    assert {world.status(name) for name in SIX} == {"completed"}
    plan = world.study.plan
    for record in world.outcome.records:
        assert set(record.contributions) == set(SIX)
    assert len(world.state(ME).sent) == plan.last_round
    assert all(len(totals) == 1 for totals in world.opened.values())
    assert sum(world.drawn[ME].values()) <= plan.last_round + 1
    texts = {
        path: len(found)
        for path, found in world.weather.written.items()
        if plan.digest in path and path.split("/")[2] not in MAY_CHANGE
    }
    assert {path: count for path, count in texts.items() if count > 1} == {}
    said = [path for path in texts if path.endswith(f"/{ME}")]
    assert {path.split("/")[2] for path in said} >= {"group-commitments", "group-nonces", "rounds"}


def test_undisturbed_it_has_three_groups_of_two(calm):
    assert [len(group) for group in groups_in(calm)] == [2, 2, 2]
    assert set(nonces_on(calm.board, calm.study.plan)) == set(SIX)


@pytest.mark.parametrize(("act", "end", "what"), PLACES)
def test_killed_the_hospital_goes_on_with_the_same_bytes(ready, calm, tmp_path, act, end, what):
    check(killed(ready, calm, at(calm, act, end, what), tmp_path / "world"), calm)


@pytest.mark.soak
@pytest.mark.parametrize("act", ACTS)
def test_killed_at_every_place(ready, calm, tmp_path, act):
    count = calm.weather.counts[ME, act]
    assert count
    for place in range(count):
        for what in KILLS:
            fault = Fault(ME, act, (place + 0.5) / count, what)
            check(killed(ready, calm, fault, tmp_path / f"{place}-{what}"), calm)


def test_control_a_hospital_that_draws_another_nonce_when_it_starts_again(
    ready, calm, tmp_path, monkeypatch
):
    """Whoever does not say the same again ends the study: the checks above can fail."""
    monkeypatch.setattr(group_lot, "own_nonce", lambda *_: token_bytes(32))
    fault = at(calm, *PLACES[0])
    world = killed(ready, calm, fault, tmp_path / "world")
    with pytest.raises(AssertionError):
        check(world, calm)
