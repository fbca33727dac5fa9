"""A party that is away for a night ends no study whose file says how long it is waited for: the model
is that of the undisturbed study, bit by bit. One that never comes back ends it at the end of the wait.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from consortium import Consortium
from faulty_world import FaultyWorld
from killed_hospital import KINDS, ME, SHORT
from weather import AGGREGATOR, COORDINATOR, Fault, Weather

from securefl.node.owner.status import read_status
from securefl.party.failure_note import reason_of

#: Seconds: a round's deadline, and how long a party is waited for.
DEADLINE, LONGEST = 10, 2_000
#: Seconds for which somebody is away: more than the hospitals of a study without the figure wait.
AWAY = 900
#: Seconds of a turn while somebody is away.
STRIDE = 15.0
PLAIN = ("round_deadline = 60", f"round_deadline = {DEADLINE}")
LONG = ("round_deadline = 60", f"round_deadline = {DEADLINE}\nlongest_wait = {LONGEST}")
STUDIES = {
    "full": (LONG,),
    "survivors": (LONG, *KINDS["survivors"]),
    "short": (PLAIN,),
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """Kind of study → a consortium and a study that all have approved."""
    found = {}
    for kind, changes in STUDIES.items():
        c = Consortium(tmp_path_factory.mktemp("ready"))
        study = c.new_study(f"wait-{kind}", *SHORT, *changes)
        for site in c.names:
            c.hand_over(study, site)
            c.approve(site, study)
        found[kind] = c, study
    return found


class Night(FaultyWorld):
    """A study in which some are away for long, from the announcement of round 2 on.

    Attributes:
        gone: who is away.
        seconds: for how long; None: for good.
        steps: whose wall clock is set meanwhile, and by how many seconds.
        seen: what a hospital's status said in the middle.
        workers: whether a hospital had one then.
    """

    gone = ()
    seconds = AWAY
    steps: ClassVar[dict[str, int]] = {}
    seen = None
    workers = None
    _began = None

    def comes_back(self):
        if COORDINATOR not in self.gone:
            return True
        self._began = self.clock.now
        while self._is_night() and not self._all_over():
            self._turn()
        return self.seconds is not None

    def _act(self, name):
        if name not in self.gone or not self._is_night():
            super()._act(name)

    def _turn(self):
        if self._is_night():
            self.clock.now += STRIDE
            self._look()
        super()._turn()

    def _is_night(self):
        if self._began is None and self._lies(2, "announcement"):
            self._began = self.clock.now
        if self._began is None:
            return False
        return self.seconds is None or self.clock.now - self._began < self.seconds

    def _look(self):
        """Look at a hospital's status in the middle, and set the clocks."""
        if self.seen is not None or self.clock.now - self._began < AWAY / 2:
            return
        there = next(name for name in self.c.names if name not in self.gone)
        self.seen = read_status(self.c.site(there)).studies[0]
        run = next(iter(self._agents[there]._runs.values()))
        self.workers = run.entering.worker is not None
        self.weather.wall.update(self.steps)

    def _all_over(self):
        return all(self.status(name) in {"completed", "failed"} for name in self.c.names)

    def _lies(self, number, what):
        folder = f"studies/{self.study.digest}/rounds/{number:05d}-1"
        try:
            return what in self.carrier.names(folder)
        except FileNotFoundError:
            return False


def world_of(ready, root, kind, gone=(), fault=None, calm=None, **how):
    """The world of a study, over."""
    with pytest.MonkeyPatch.context() as patched:
        weather = Weather((fault,), calm.weather.counts) if fault else Weather()
        world = Night(ready[kind], root, weather, patched)
        world.gone = gone
        for name, value in how.items():
            setattr(world, name, value)
        world.run()
    return world


@pytest.fixture(scope="module")
def calm(ready, tmp_path_factory):
    """Kind of study → its world where nobody is away."""
    root = tmp_path_factory.mktemp("calm")
    kinds = ("full", "survivors")
    return {kind: world_of(ready, root / kind, kind, seconds=0) for kind in kinds}


#: In the middle of round 2.
KILLED = Fault(COORDINATOR, "intent", 0.5, "kill before")


def check_same(world, calm):
    log = world.c.log(ME)
    assert world.outcome is not None, (world.errors, log)
    assert np.array_equal(world.outcome.theta, calm.outcome.theta)
    assert {world.status(name) for name in world.c.names} == {"completed"}, log
    assert all(len(totals) == 1 for totals in world.opened.values())


@pytest.mark.parametrize("kind", ["full", "survivors"])
def test_a_coordinator_that_was_dead_for_a_night_goes_on_with_the_same_bytes(
    ready, calm, tmp_path, kind
):
    world = world_of(ready, tmp_path / "w", kind, (COORDINATOR,), KILLED, calm[kind])
    check_same(world, calm[kind])
    assert world.weather.struck
    assert world.workers is False  # a study that waits for days costs no worker
    assert world.seen.waits_for == "researcher, in round 2"
    assert world.seen.waits_since < world.seen.waits_until


def test_clocks_that_jump_by_a_day_meanwhile_change_nothing(ready, calm, tmp_path):
    day = 86_400
    steps = {ME: day, "SVHC": -day, AGGREGATOR: day, COORDINATOR: -day}
    world = world_of(
        ready, tmp_path / "w", "full", (COORDINATOR,), KILLED, calm["full"], steps=steps
    )
    check_same(world, calm["full"])


def test_control_without_the_figure_the_study_is_over_by_then(ready, calm, tmp_path):
    world = world_of(ready, tmp_path / "w", "short", (COORDINATOR,), KILLED, calm["full"])
    assert world.outcome is None
    assert {world.status(name) for name in world.c.names} == {"failed"}


@pytest.mark.parametrize("kind", ["full", "survivors"])
def test_an_aggregator_that_was_away_for_a_night_ends_nothing(ready, calm, tmp_path, kind):
    world = world_of(ready, tmp_path / "w", kind, (AGGREGATOR,))
    check_same(world, calm[kind])
    assert world.seen.waits_for == "sums, in round 2"


def test_a_hospital_without_which_nothing_goes_on_is_waited_for(ready, calm, tmp_path):
    world = world_of(ready, tmp_path / "w", "full", (ME,))
    check_same(world, calm["full"])
    assert world.seen.waits_for == f"{ME}, in round 2"


def test_too_few_for_a_round_are_waited_for_and_no_second_set_is_proposed(ready, tmp_path):
    world = world_of(ready, tmp_path / "w", "survivors", (ME, "SVHC"))
    assert world.outcome is not None, world.errors
    there = [sorted(record.contributions) for record in world.outcome.records]
    assert there == [sorted(world.c.names)] * 2, [world.c.log(n)[-3000:] for n in world.c.names]
    proposals = {
        path: texts for path, texts in world.weather.written.items() if path.endswith("/survivors")
    }
    assert proposals
    assert all(len(set(texts)) == 1 for texts in proposals.values())


def test_a_coordinator_that_never_comes_back_ends_the_study_with_a_clear_word(
    ready, calm, tmp_path
):
    world = world_of(
        ready, tmp_path / "w", "full", (COORDINATOR,), KILLED, calm["full"], seconds=None
    )
    assert {world.status(name) for name in world.c.names} == {"failed"}
    reason = reason_of(world.c.root / ME, world.study.digest)
    assert "for 2,000 seconds: the coordinator has not shown the opening" in reason
    assert LONGEST <= world.clock.now - world._began < LONGEST + 30 * STRIDE


def test_an_aggregator_that_never_comes_back_is_named(ready, tmp_path):
    world = world_of(ready, tmp_path / "w", "full", (AGGREGATOR,), seconds=None)
    assert world.outcome is None
    assert "nothing came from the aggregator" in str(world.errors[-1])
    assert {world.status(name) for name in world.c.names} == {"failed"}
