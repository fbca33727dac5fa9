"""A coordinator that waits until hospitals were started again, and goes another way than before: a
second survivor set in one round, other weights, a round in other words.

What binds a hospital is on its disk, so that it refuses whichever process it is. Control: hospitals
that forget what they signed answer for both sets, and the coordinator opens two sums whose difference
is one hospital's numbers.
"""

from __future__ import annotations

import numpy as np
import pytest
from consortium import Consortium
from killed_hospital import World, approved, numbers_of

from securefl.errors import BrokenRuleError, RoundError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.coordinator import Coordinator
from securefl.federation.round_board import RoundBoard
from securefl.federation.survivor_round import SurvivorRound
from securefl.node.unmasking_sender import UnmaskingSender
from securefl.secagg.stored_keys import StoredKeys
from securefl.secagg.streaming import open_survivors
from securefl.secagg.total_check import RoundSecret


class DoneError(Exception):
    """The attack is over."""


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


class SecondSet(Coordinator):
    """After the first opening it names another set, without one hospital, and waits for answers."""

    world = None
    dropped = ""

    def _opening(self, facts, secret, opened):
        plan, board = self._plan, self.world.board
        self.first, self.second = opened.values.copy(), None
        at = RoundBoard.of(board, facts)
        arrivals = SurvivorRound(plan, plan.terms(facts))
        arrivals.poll_frames(board)
        sender = plan.study.coordinator.name
        without = frozenset({self.dropped})
        proposal = arrivals.state.propose(sender, self._me.sign, without=without)
        self.world.restart_all()
        at.proposal(arrivals.terms).post(proposal)
        for _ in range(20):
            self.world.turn()
        arrivals.poll_answers(board)
        if arrivals.state.unmasked:
            public = AnnouncedRound.open(plan, at.announcement.read()).public(at.key.read())
            keys = StoredKeys(public, RoundSecret(secret.values.copy()))
            self.second = np.empty(facts.length, dtype=np.int64)
            open_survivors(keys, arrivals.sum_blocks(), arrivals.state.survivors, self.second)
        raise DoneError


class Attacked(World):
    """Hospitals that end their part are noted, and the others go on."""

    def __init__(self, *given):
        super().__init__(*given)
        self.refused = {}

    def restart_all(self):
        for house in self.houses.values():
            house.kill()

    def turn(self):
        for name, house in self.houses.items():
            if name in self.refused:
                continue
            try:
                house.step()
            except RoundError as error:
                self.refused[name] = error
        self.clock.now += 0.3
        self.sums.look()
        self.sums.step()


def second_set(c, study, monkeypatch):
    world = Attacked(c, study, monkeypatch, SecondSet)
    world.coordinator.world, world.coordinator.dropped = world, c.names[1]
    with pytest.raises(DoneError):
        world.coordinator.run()
    return world


def test_a_second_set_is_refused_by_hospitals_that_were_started_again(c, monkeypatch):
    world = second_set(c, approved(c, "second", "survivors"), monkeypatch)
    assert world.coordinator.second is None
    assert set(world.refused) == set(c.names)
    for name in c.names:  # also who is left out of it, and would come back after a loss
        assert "was made in round 1 before" in world.refused[name].what


def test_control_hospitals_that_forget_open_a_second_sum_and_the_difference_is_one_of_them(
    c, monkeypatch
):
    monkeypatch.setattr(UnmaskingSender, "record", lambda *_: None)
    world = second_set(c, approved(c, "forget", "survivors"), monkeypatch)
    made = world.coordinator.first - world.coordinator.second
    dropped = c.names[1]
    assert np.array_equal(made, numbers_of(dropped, 1, made.size))
    assert np.any(made)


class OtherWeights(Coordinator):
    """In round 2 it waits until all were started again, and sends weights of its choice."""

    world = None

    def _announce(self, number, theta, keys):
        if number == 2:
            self.world.restart_all()
            theta = np.full_like(theta, 7.0)
        return super()._announce(number, theta, keys)


def test_other_weights_are_refused_by_hospitals_that_were_started_again(c, monkeypatch):
    study = approved(c, "weights", "full")
    world = Attacked(c, study, monkeypatch, OtherWeights)
    world.coordinator.world = world
    monkeypatch.setattr("killed_hospital.MOST_TURNS", 60)
    with pytest.raises(AssertionError, match="nobody moves"):
        world.coordinator.run()
    assert set(world.refused) == set(c.names)
    assert all(isinstance(error, BrokenRuleError) for error in world.refused.values())
    assert all(house.drawn == {1: 1} for house in world.houses.values())


class OtherWords(Coordinator):
    """Announces round 1 once more, in other words, when all were started again."""

    world = None

    def _round(self, number, theta):
        context, given = self._announce(number, theta, self._new_keys(number))
        at = RoundBoard.of(self.world.board, context)
        self._post(at, given)
        while not all(house.run.started for house in self.world.houses.values()):
            self.world.turn()
        self.world.restart_all()
        self._post(at, self._announce(number, theta, self._new_keys(number))[1])
        for _ in range(20):
            self.world.turn()
        raise DoneError

    def _new_keys(self, number):
        return self._cipher.generate(self._plan.ring(number, len(self._cohort)))

    def _post(self, at, given):
        at.key.post(given.key)
        at.model(self._plan).post(given.model)
        at.announcement.post(given.announcement)


def test_a_round_in_other_words_is_refused_by_hospitals_that_were_started_again(c, monkeypatch):
    world = Attacked(c, approved(c, "words", "full"), monkeypatch, OtherWords)
    world.coordinator.world = world
    with pytest.raises(DoneError):
        world.coordinator.run()
    assert set(world.refused) == set(c.names)
    for error in world.refused.values():
        assert "announced before in other words" in error.what
    at = RoundBoard.numbered(world.board, world.study.digest, 1)
    assert at.contributors() == []
