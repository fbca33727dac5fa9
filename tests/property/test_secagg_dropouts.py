"""Losses, delays, duplicates and restarts at honest hospitals: the round completes whenever enough
survive, and is exact.
"""

import random
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_round import DEGREES
from secagg_survivors import COORDINATOR, Party, World, run_round

from securefl.errors import RoundError
from securefl.secagg.proposer import Stage

SIZES = [(3, 0, 2), (4, 1, 3), (5, 1, 4), (6, 1, 4), (6, 2, 5)]


@cache
def world_of(size, degree=4096):
    k, c, t = size
    return World([f"H{i}" for i in range(k)], t, c, degree=degree)


def lost_at(size, stages, degree=4096):
    """Each hospital vanishes before contributing (0), after it (1), after signing (2), or never
    (3).
    """
    world = world_of(size, degree)
    at_least = [
        [name for name, stage in zip(world.names, stages, strict=True) if stage >= least]
        for least in (1, 2, 3)
    ]
    if len(at_least[0]) < world.t:
        with pytest.raises(RoundError, match="are left"):
            run_round(world, *at_least)
        return
    if len(at_least[1]) < world.t:  # nobody answers, whoever is asked
        with (
            pytest.raises(RoundError, match="survivors signed")
            if at_least[2]
            else pytest.raises(RoundError, match="answered")
        ):
            run_round(world, *at_least)[0].unmasking()
        return
    proposer, frames, _ = run_round(world, *at_least)
    if len(at_least[2]) >= world.t:
        assert np.array_equal(world.opened(proposer.unmasking(), frames), world.truth(at_least[0]))
    else:
        assert proposer.stage is Stage.AGREED
        with pytest.raises(RoundError, match="have answered") as caught:
            proposer.unmasking()
        assert set(caught.value.whose.split(", ")) == set(at_least[0]) - set(at_least[2])


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("stages", list(product(range(4), repeat=3)), ids=str)
def test_three_hospitals_lost_at_every_point(stages, degree):
    lost_at((3, 0, 2), stages, degree)


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
def test_more_hospitals_lost_at_many_points(size):
    rng = random.Random(str(size))
    for _ in range(40):
        stages = [rng.choice([0, 1, 2, 3, 3, 3, 3]) for _ in range(size[0])]
        lost_at(size, stages)


@pytest.mark.soak
@pytest.mark.parametrize("size", SIZES[1:], ids=str)
def test_more_hospitals_lost_at_every_point(size):
    for stages in product(range(4), repeat=size[0]):
        lost_at(size, stages)


class Network:
    """A store in which messages come late, in any order, and more than once; processes die at any
    moment and come back.
    """

    def __init__(self, size, rng, lost):
        self.world, self.rng = world_of(size), rng
        self.alive = [name for name in self.world.names if name not in lost]
        self.parties = {name: Party(self.world, name) for name in self.alive}
        self.proposer = self.world.proposer()
        self.frames, self.heads, self.store = {}, {}, []
        self.proposal = None

    def step(self):
        rng = self.rng
        name = rng.choice(self.alive)
        party = self.parties[name]
        if rng.random() < 0.2:
            party.restart()
        for make in (self.contribution, self.signature, self.answer):
            record = make(party)
            if record is not None:
                if rng.random() < 0.2:  # dies before the write: the record was never made
                    party.restart()
                    continue
                party.disk.append(record)
                if (
                    rng.random() < 0.3
                ):  # dies after the write, before the message: it is sent after the restart
                    party.restart()
                else:
                    party.holder.confirm_durable(record)
            self.speak(party)
        if self.store:  # anything that was ever sent arrives now, perhaps again
            self.deliver(*rng.choice(self.store))

    def contribution(self, party):
        if party.holder.attempt == 0:
            head, _, checked = self.world.usual(party.name)
            return party.holder.contributed(self.world.terms(), head, checked.sha256)
        return None

    def signature(self, party):
        said = party.holder.resend("signature", self.world.terms().round_digest)
        if self.proposal is None or said or party.name not in self.proposer.survivors.frames:
            return None
        return party.holder.agree(
            self.world.terms(), self.proposal, coordinator=COORDINATOR, verify=self.world.coordinator.card.verify,
            heads=self.heads, pair_seeds=self.world.pair_seeds(party.name),
        )  # fmt: skip

    def answer(self, party):
        if (
            self.proposer.stage is not Stage.AGREED
            or party.holder.answered
            or party.name not in self.proposer.survivors.frames
        ):
            return None
        return party.holder.answer(
            self.proposer.survivors,
            self.proposer.agreements,
            verify=self.world.verify,
            heads=self.heads,
        )

    def speak(self, party):
        for kind in ("contribution", "signature", "answer"):
            message = party.holder.resend(kind, self.world.terms().round_digest)
            if message is not None and (kind, party.name, message) not in self.store:
                self.store.append((kind, party.name, message))

    def deliver(self, kind, name, message):
        if kind == "contribution":
            if self.proposal is None:
                spool = self.world.usual(name)[1]
                self.frames[name] = message + spool
                self.heads[name] = self.world.check(self.frames[name], name)
                self.proposer.add_contribution(self.heads[name])
        elif name in self.proposer.survivors.frames:
            (self.proposer.add_agreement if kind == "signature" else self.proposer.add_answer)(
                name, message
            )
        if (
            self.proposal is None
            and len(self.heads) >= self.world.t
            and self.rng.random() < 0.3 + (len(self.heads) == len(self.alive))
        ):
            self.proposal = self.world.propose(self.proposer)


@pytest.mark.parametrize("size", SIZES, ids=str)
@settings(derandomize=True, deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32), loses=st.integers(0, 9))
def test_any_order_of_messages_duplicates_and_restarts_completes_with_the_exact_sum(
    size, seed, loses
):
    k, _, t = size
    rng = random.Random(seed)
    network = Network(size, rng, rng.sample(world_of(size).names, loses % (k - t + 1)))
    for _ in range(3000):
        network.step()
        if network.proposal is not None and network.proposer.stage is Stage.UNMASKED:
            break
    proposer = network.proposer
    assert proposer.stage is Stage.UNMASKED
    opened = network.world.opened(
        proposer.unmasking(), {name: network.frames[name] for name in proposer.survivors.names}
    )
    assert np.array_equal(opened, network.world.truth(proposer.survivors.names))


@pytest.mark.parametrize("size", [(5, 1, 4), (6, 1, 4)], ids=str)
def test_after_an_abandoned_attempt_those_that_did_not_answer_make_another(size):
    """Attempt 1 dies with too few signatures; attempt 2 has new seeds, and its sum is exact."""
    world = world_of(size)
    parties = {name: Party(world, name) for name in world.names}
    for name in world.names:
        parties[name].contribute(1)
    frames = {name: parties[name].contribute(2) for name in world.names[1:]}
    heads = {name: world.check(data, name, 2) for name, data in frames.items()}
    proposer = world.proposer(2)
    for head in heads.values():
        proposer.add_contribution(head)
    proposal = world.propose(proposer)
    for name in frames:
        proposer.add_agreement(name, parties[name].agree(proposal, heads, 2))
    for name in frames:
        proposer.add_answer(
            name, parties[name].answer(proposer.survivors, proposer.agreements, heads)
        )
    assert np.array_equal(world.opened(proposer.unmasking(), frames, 2), world.truth(frames))
