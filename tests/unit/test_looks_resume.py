"""A study with looks of which a party is killed between a look and the round after it: it goes on with
the same bytes, and nobody looks twice.
"""

from __future__ import annotations

import numpy as np
import pytest
from consortium import Consortium
from in_process_federation import sealed_study
from killed_hospital import ME, World
from killed_run import KilledStudy, Killer
from looked_at import TWO_LOOKS
from test_node_resume import completed

from securefl.learning.stages.roles import training_result

#: Three rounds of training and two looks.
SHORT = (("rounds = 4", "rounds = 3"), ("steps = 4", "steps = 3"))
KINDS = ["update", "look", "update", "look", "update", "evaluation"]
PLAN = sealed_study(TWO_LOOKS, *SHORT)[1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    study = KilledStudy(PLAN, tmp_path_factory.mktemp("undisturbed"))
    killer = Killer()
    with pytest.MonkeyPatch.context() as patched:
        assert not study.killed_at(patched, killer)
    return killer.acts, study.restarted().run()


def looks_of(outcome):
    return training_result(outcome.results).looks


def places(acts):
    """Acts of the round after the first look, and the last of the look itself."""
    rounds = [n for n, act in enumerate(acts) if act == "broadcast"]
    return range(rounds[1] + 1, rounds[2] + 2)


def test_a_coordinator_killed_between_a_look_and_the_next_round_goes_on(
    undisturbed, tmp_path, monkeypatch
):
    acts, expected = undisturbed
    assert [record.kind for record in expected.records] == KINDS
    for place in places(acts):
        study = KilledStudy(PLAN, tmp_path / str(place))
        assert study.killed_at(monkeypatch, Killer(place, after=place % 2 == 0))
        outcome = study.restarted().run()
        assert np.array_equal(outcome.theta, expected.theta)
        assert looks_of(outcome) == looks_of(expected)
        assert set(study.answered().values()) == {len(KINDS)}
        wordings = study.posted.wordings("/announcement", "/key", "/model", "/opening")
        assert set(wordings.values()) == {1}


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


def world_of(c, name, monkeypatch):
    study = c.new_study(name, TWO_LOOKS)
    for site in c.names:
        c.hand_over(study, site)
        c.approve(site, study)
    return World(c, study, monkeypatch)


def test_a_hospital_killed_there_answers_each_round_once_and_is_charged_in_full(c):
    with pytest.MonkeyPatch.context() as patched:
        world = world_of(c, "undisturbed", patched)
        expected = completed(world)
        acts = world.killer.acts
    assert [record.kind for record in expected.records] == KINDS
    posts = [n for n, act in enumerate(acts) if act.endswith("post_once")]
    for place, after in ((posts[1], False), (posts[1], True), (posts[2] - 1, True)):
        with pytest.MonkeyPatch.context() as patched:
            world = world_of(c, f"killed-{place}-{after:d}", patched)
            world.killer = Killer(place, after)
            outcome = completed(world)
        me = world.houses[ME]
        assert (world.kills, me.starts) == (1, 2)
        assert np.array_equal(outcome.theta, expected.theta)
        assert looks_of(outcome) == looks_of(expected)
        wordings = world.posted.wordings(f"contributions/{ME}")
        assert set(wordings.values()) == {1}
        state = me.site.ledger.state.study(world.study.digest)
        assert len(state.sent) == len(KINDS)
        assert sum(me.drawn.values()) <= len(KINDS) + 1
        reserved = {part.purpose: part.mechanism.count for part in state.reservation.parts}
        assert reserved == {"update": 3, "look": 2, "evaluation": 1}
