"""A hospital that was lost in a round comes back at the next one: it says so, all others see that,
it verifies what it missed, and no round is opened over two sets.
"""

from __future__ import annotations

import numpy as np
import pytest
from consortium import Consortium
from faulty_world import AwayWorld
from killed_hospital import KINDS, ME
from weather import Weather

from securefl.federation.hospital_return import returned
from securefl.federation.verifying import verify_round

#: Three rounds and an evaluation, so that one may be missed and one is left.
THREE = (("round_deadline = 60", "round_deadline = 10"), *KINDS["survivors"])


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    c = Consortium(tmp_path_factory.mktemp("ready"))
    study = c.new_study("back", *THREE)
    for site in c.names:
        c.hand_over(study, site)
        c.approve(site, study)
    return c, study


def world_of(ready, root, kind=AwayWorld, **how):
    """The world of a study, over."""
    with pytest.MonkeyPatch.context() as patched:
        world = kind(ready, root, Weather(), patched)
        for name, value in how.items():
            setattr(world, name, value)
        world.run()
    return world


def test_a_hospital_that_was_cut_off_contributes_again(ready, tmp_path):
    away, there = (2, 3), [1, 4]
    world = world_of(ready, tmp_path / "world", away=away)
    log = world.c.log(ME)
    records = world.outcome.records
    assert [record.round for record in records if ME in record.contributions] == there, log
    assert all(len(record.contributions) == 2 + (record.round in there) for record in records)
    said = [path for path in world.weather.by_role[ME] if "/rounds/00002-1/" in path]
    assert said == []  # in a round without it, it says nothing, then or later
    assert all(len(totals) == 1 for totals in world.opened.values())
    assert {world.status(name) for name in world.c.names} == {"completed"}, log
    assert sorted({number for number, _ in world.state(ME).sent}) == there
    assert set(returned(world.board, world.study.plan)) == {ME}
    assert np.isfinite(world.outcome.theta).all()
    # it verified each total, also of the rounds without it
    others = world.c.root / "SVI" / "studies" / world.study.digest / "verified" / "model"
    mine = world.c.root / ME / "studies" / world.study.digest / "verified" / "model"
    assert mine.read_bytes() == others.read_bytes()
    for number in range(1, 5):
        assert set(verify_round(world.board, world.study.plan, number).frames) >= {"SVHC", "SVI"}
