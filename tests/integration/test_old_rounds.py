"""Old rounds' bytes go from the store by the study's rule, each party's own by itself, and nothing
that somebody still needs: a hospital that comes back, a round that is verified, an archive.
"""

from __future__ import annotations

import numpy as np
import pytest
from consortium import RARE, Consortium
from faulty_world import FaultyWorld
from killed_hospital import KINDS, ME
from weather import AGGREGATOR, COORDINATOR, Fault, Weather, cases

from securefl.federation.old_rounds import OldRounds
from securefl.federation.verifying import verify_round
from securefl.secagg.envelope import PREFIX_BYTES
from securefl.secagg.own_place import head_bytes

REMOVE = ('on_dropout = "{}"', 'on_dropout = "{}"\nold_rounds = "remove"')
#: Five rounds of training and an evaluation.
SIX = (
    ("round_deadline = 60", "round_deadline = 10"),
    ("rounds = 3", "rounds = 5"),
    ("steps = 3", "steps = 5"),
    ('epsilon = "0.0149"\nnoise_multiplier', 'epsilon = "0.0181"\nnoise_multiplier'),
)
LAST = 6
#: Those whose bytes are left at the end.
NEWEST = (5, 6)
#: What stays of every round; in one that survives losses also what the survivors signed.
SIGNED = {"announcement", "transcript"}
BYTES = {"key", "model", "opening", "sum"}
LONG_SEEDS, LONG_CASES = (1, 2), 30


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """Kind of study → a consortium and a study of six rounds that all have approved."""
    found = {}
    for kind, goes in (("full", "fail"), ("survivors", "continue")):
        c = Consortium(tmp_path_factory.mktemp("ready"))
        removing = tuple(text.format(goes) for text in REMOVE)
        study = c.new_study(f"old-{kind}", *SIX, *KINDS[kind], removing, base=RARE)
        for site in c.names:
            c.hand_over(study, site)
            c.approve(site, study)
        found[kind] = c, study
    return found


def world_of(ready, root, kind, weather=None, **how):
    """The world of a study, over."""
    with pytest.MonkeyPatch.context() as patched:
        made = how.pop("world", FaultyWorld)
        world = made(ready[kind], root, weather or Weather(), patched)
        for name, value in how.items():
            setattr(world, name, value)
        world.run()
    return world


@pytest.fixture(scope="module")
def calm(ready, tmp_path_factory):
    """Kind of study → its world where nothing went wrong."""
    root = tmp_path_factory.mktemp("calm")
    return {kind: world_of(ready, root / kind, kind) for kind in ready}


def names_in(world, number):
    found = world.carrier.names(f"studies/{world.study.digest}/rounds/{number:05d}-1")
    return set(found)


def is_whole(world, number, site):
    """Whether a contribution lies there with its chunks."""
    path = f"studies/{world.study.digest}/rounds/{number:05d}-1/contributions/{site}"
    with world.carrier.open(path, 1 << 30) as file:
        data = file.read()
    size = head_bytes(data[:PREFIX_BYTES])
    assert len(data) >= size > PREFIX_BYTES  # its signed manifest stays in any case
    return len(data) > size


def check_store(world):
    """Bytes of the newest two rounds and of no other; signed words of all."""
    for number in range(1, LAST + 1):
        assert names_in(world, number) >= SIGNED
        left = names_in(world, number) & BYTES
        assert left == (BYTES if number in NEWEST else set()), (number, left)
        contributed = world.outcome.records[number - 1].contributions
        whole = {site for site in contributed if is_whole(world, number, site)}
        assert whole == (set(contributed) if number in NEWEST else set()), number


@pytest.mark.parametrize("kind", ["full", "survivors"])
def test_the_newest_two_rounds_and_all_signed_words_stay(calm, kind):
    world = calm[kind]
    check_store(world)
    for number in range(1, LAST + 1):
        found = verify_round(world.board, world.study.plan, number)
        assert found.added_again is (number in NEWEST)
        assert len(found.transcript.contributions) == len(world.c.names)


@pytest.mark.parametrize("kind", ["full", "survivors"])
def test_each_party_removes_its_own_alone(calm, kind):
    world = calm[kind]
    erased, wrote = world.weather.erased, world.weather.by_role
    rounds = {role: {p for p in paths if "/rounds/" in p} for role, paths in erased.items()}
    assert {role for role, paths in rounds.items() if paths} == {COORDINATOR, AGGREGATOR}
    for role, paths in rounds.items():
        assert paths <= wrote[role]
    for role in world.c.names:  # a hospital writes its own manifest in its own place
        theirs = {p for p in wrote[role] if "/contributions/" in p}
        assert {p.rsplit("/", 1)[-1] for p in theirs} == {role}


class Gone(FaultyWorld):
    """A study in which a hospital is gone from the announcement of round 2 until those who are left in
    round 4 have said who they are.

    Attributes:
        lay_whole: of the first rounds, those whose bytes were whole when it was back.
    """

    lay_whole = None

    def _act(self, name):
        if name == ME and self._lies(2, "announcement") and self.lay_whole is None:
            if not self._lies(4, "survivors"):
                return
            self.lay_whole = {n for n in (1, 2, 3, 4) if is_whole(self, n, "SVI")}
        super()._act(name)

    def _lies(self, number, what):
        try:
            return what in names_in(self, number)
        except FileNotFoundError:
            return False


def test_a_hospital_that_was_away_finds_what_it_missed(ready, calm, tmp_path):
    world = world_of(ready, tmp_path / "world", "survivors", world=Gone)
    log = world.c.log(ME)
    there = [r.round for r in world.outcome.records if ME in r.contributions]
    assert there == [1, 5, 6], log
    assert {world.status(name) for name in world.c.names} == {"completed"}, log
    assert np.isfinite(world.outcome.theta).all()
    others = world.c.root / "SVI" / "studies" / world.study.digest / "verified" / "model"
    mine = world.c.root / ME / "studies" / world.study.digest / "verified" / "model"
    assert mine.read_bytes() == others.read_bytes()
    assert world.lay_whole == {1, 2, 3, 4}  # at its return: nothing that it needs was removed
    check_store(world)


def test_control_removed_by_the_number_of_rounds_alone_it_cannot_come_back(
    ready, tmp_path, monkeypatch
):
    monkeypatch.setattr(OldRounds, "_passed_by_all", lambda _: LAST)
    world = world_of(ready, tmp_path / "world", "survivors", world=Gone, never=(ME,))
    there = [r.round for r in world.outcome.records if ME in r.contributions]
    assert there == [1]


def test_an_old_round_whose_transcript_is_gone_does_not_hold(calm):
    world, plan = calm["full"], calm["full"].study.plan
    path = f"studies/{plan.digest}/rounds/00002-1/transcript"
    with world.carrier.open(path, 1 << 20) as file:
        kept = file.read()
    world.carrier.erase(path)
    try:
        with pytest.raises(Exception, match="transcript of round 2 is not in the store"):
            verify_round(world.board, plan, 2)
        with pytest.raises(Exception, match="transcript of round 2 is not in the store"):
            verify_round(world.board, plan, 3)
    finally:
        world.carrier.write(path, lambda file: file.write(kept))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(COORDINATOR, "erase", 0.3, "kill before"),
        Fault(AGGREGATOR, "erase", 0.5, "error"),
        Fault(ME, "write", 0.8, "kill after"),
    ],
    ids=str,
)
def test_a_fault_while_bytes_are_removed_costs_nothing(ready, calm, tmp_path, fault):
    check_fault(ready, calm, tmp_path / "world", "full", (fault,))


def check_fault(ready, calm, root, kind, faults):
    weather = Weather(faults, calm[kind].weather.counts)
    world = world_of(ready, root, kind, weather)
    if any(fault.what == "clock over" for fault in faults):
        return None
    assert world.weather.struck
    assert world.outcome is not None, world.errors
    assert np.array_equal(world.outcome.theta, calm[kind].outcome.theta)
    assert {world.status(name) for name in world.c.names} == {"completed"}
    assert all(len(totals) == 1 for totals in world.opened.values())
    return world


@pytest.mark.soak
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_other_faults_cost_nothing_either(ready, calm, tmp_path, seed):
    for number, (kind, faults) in enumerate(cases(seed, LONG_CASES, ME)):
        check_fault(ready, calm, tmp_path / str(number), kind, faults)
