"""Coordinator, aggregator, store and some hospitals together try to open two sums in one round."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_adversary import Adversary
from secagg_round import DEGREES
from secagg_survivors import COORDINATOR, Party, World

from securefl.errors import RoundError, SecureFLError
from securefl.secagg.holder import OrderRules
from securefl.secagg.masks import Seeds, add_mask, subtract
from securefl.secagg.ring import unpack_bits
from securefl.secagg.shamir import restore
from securefl.secagg.survivors import Survivors, write_agreement, write_proposal

#: (hospitals, colluders, the least min_contributors that rule 4 allows)
SIZES = [(3, 0, 2), (3, 1, 3), (4, 1, 3), (5, 0, 3), (5, 1, 4), (5, 2, 4), (6, 1, 4), (6, 2, 5)]
ATTEMPTS = 3


@cache
def world_of(size, degree=4096):
    k, c, t = size
    return World([f"H{i}" for i in range(k)], t, c, degree=degree)


class Scene:
    """One adversary against honest hospitals, each with its disk."""

    def __init__(self, world, own, **more):
        self.world, self.adversary = world, Adversary(world, own)
        self.parties = {name: Party(world, name, **more) for name in self.adversary.honest}
        self.signed = {}  # (attempt, set) -> name -> signature
        self.said = {}
        for attempt in range(1, ATTEMPTS + 1):
            for name in own:
                self.adversary.sees_contribution(name, attempt)

    def heads(self, attempt):
        return {
            name: self.world.usual(name, attempt)[2] for name in self.adversary.contributed[attempt]
        }

    def set_of(self, attempt, names):
        heads = self.heads(attempt)
        return Survivors(
            self.world.terms(attempt), {name: heads[name].sha256 for name in names if name in heads}
        )

    def contribute(self, name, attempt):
        self.parties[name].contribute(attempt)
        self.adversary.sees_contribution(name, attempt)

    def agree(self, name, attempt, names):
        survivors = self.set_of(attempt, names)
        proposal = write_proposal(survivors, COORDINATOR, self.world.coordinator.sign)
        self.signed.setdefault(survivors.sha256, {})[name] = self.parties[name].agree(
            proposal, self.heads(attempt), attempt
        )

    def answer(self, name, attempt, names, keep=True):
        survivors = self.set_of(attempt, names)
        signatures = dict(self.signed.get(survivors.sha256, {}))
        for own in self.adversary.own:  # they sign anything
            signatures[own] = write_agreement(survivors, own, self.world.identities[own].sign)
        record = self.parties[name].holder.answer(
            survivors, signatures, verify=self.world.verify, heads=self.heads(attempt)
        )
        self.said[name] = (record, survivors)
        if keep:
            self.adversary.sees_answer(self.parties[name].keep(record), survivors, name)

    def crash(self, name, written):
        """The process dies while an answer waits: before the write, or after it and before the
        message left.
        """
        party = self.parties[name]
        pending = party.holder._pending
        if pending is not None and written:
            party.disk.append(pending)
        party.restart()
        if (
            pending is not None and pending.kind == "answer" and written
        ):  # the adversary asks for it again
            data = party.holder.resend("answer", pending.round_digest)
            self.adversary.sees_answer(data, self.said[name][1], name)


def subset(world, bits):
    return [name for i, name in enumerate(world.names) if bits >> i & 1]


#: What is asked, of whom, in which attempt, about which set; sets that miss at most two hospitals,
#: since others are no sets.
STEP = st.tuples(
    st.sampled_from(
        ["contribute", "agree", "agree", "answer", "answer", "die before the write", "die after it"]
    ),
    st.integers(1, 63) | st.just(63),
    st.integers(1, ATTEMPTS) | st.just(1),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
)


def attempted(act, *arguments, **more):
    try:
        act(*arguments, **more)
    except SecureFLError:  # what a hospital refuses is refused
        return


def play(scene, steps):
    """Any order, any repetition, any part of the hospitals at a time."""
    world = scene.world
    for action, whom, attempt, missing in steps:
        names = [name for i, name in enumerate(world.names) if i not in missing]
        for name in set(subset(world, whom)) & set(scene.adversary.honest):
            if action == "contribute":
                attempted(scene.contribute, name, attempt)
            elif action == "agree":
                attempted(scene.agree, name, attempt, names)
            elif action == "answer":
                attempted(scene.answer, name, attempt, names)
            else:
                attempted(scene.answer, name, attempt, names, keep=False)
                attempted(scene.crash, name, written=action == "die after it")


def press_on(scene):
    """At the end it asks everybody for everything, attempt after attempt."""
    world = scene.world
    sets = [
        list(names)
        for size in range(world.t, len(world.names) + 1)
        for names in combinations(world.names, size)
    ]
    for attempt in range(1, ATTEMPTS + 1):
        for name in scene.adversary.honest:
            attempted(scene.contribute, name, attempt)
        for act, names, name in product((scene.agree, scene.answer), sets, scene.adversary.honest):
            attempted(act, name, attempt, names)


def played(size, steps, own, **more):
    k, c, _ = size
    world = world_of(size)
    scene = Scene(world, [world.names[(own + i) % k] for i in range(c)], **more)
    if own & 1:  # begin where most is to be had: everybody has contributed
        for name in scene.adversary.honest:
            scene.contribute(name, 1)
    play(scene, steps)
    press_on(scene)
    return scene.adversary.opened()


PLAYS = given(steps=st.lists(STEP, min_size=3, max_size=25), own=st.integers(0, 5))
SIZE = pytest.mark.parametrize(
    "size", SIZES, ids=lambda size: "{} hospitals, {} colluders, {} needed".format(*size)
)


@SIZE
@settings(derandomize=True, deadline=None, max_examples=10)
@PLAYS
def test_whatever_is_played_one_set_opens_at_most_and_never_a_small_one(size, steps, own):
    _, c, t = size
    opened = played(size, steps, own)
    assert len(opened) <= 1
    assert all(len(names) >= t - c >= 2 for _, names in opened)


@pytest.mark.soak
@SIZE
@settings(derandomize=True, deadline=None, max_examples=400)
@PLAYS
def test_the_same_over_many_more_plays(size, steps, own):
    _, c, t = size
    opened = played(size, steps, own)
    assert len(opened) <= 1
    assert all(len(names) >= t - c >= 2 for _, names in opened)


@SIZE
def test_control_the_same_adversary_opens_several_sets_where_answers_are_not_single(size):
    assert len(played(size, [], 1, restraint=OrderRules(one_answer=False))) > 1


def everybody_contributed(size, attempts=1, degree=4096, **more):
    k, c, _ = size
    world = world_of(size, degree)
    scene = Scene(world, world.names[k - c :], **more)
    for attempt in range(1, attempts + 1):
        for name in scene.adversary.honest:
            scene.contribute(name, attempt)
    return scene


def ask_all(scene, attempt, names):
    for act in (scene.agree, scene.answer):
        for name in scene.adversary.honest:
            if name in names:
                act(name, attempt, names)


def one_hospitals_values(scene, victim):
    """Take everything off the contribution of ``victim``, and read it as the holder of the CKKS key
    would.
    """
    world, adversary, terms = scene.world, scene.adversary, scene.world.terms()

    def seed_of(dealer, other):
        index = world.usual(dealer, 1)[2].dealing.seed_index(other)
        found = list(adversary.shares[1, dealer, index].items())[: terms.neighbours.share_threshold]
        order = terms.neighbours.holders(dealer)
        return restore(
            np.stack([row for _, row in found])[:, None],
            [order.index(holder) for holder, _ in found],
        )[0]

    pairs = tuple(
        (
            other > victim,
            world.pair_seeds(victim)[other] if other in adversary.own else seed_of(victim, other),
        )
        for other in terms.neighbours.of(victim)
    )
    ring = terms.facts.cipher_layout.ring
    mask = Seeds(pairs, (seed_of(victim, None),)).block(0, 1, ring)
    sent = unpack_bits(world.usual(victim, 1)[1], ring.bits).reshape(1, 2, -1)
    clear = add_mask(sent, subtract(np.zeros_like(mask), mask, np.uint64(ring.modulus)), ring)
    ((messages, _),) = world.keys[1].open_blocks([clear], terms.facts.layout)
    return terms.facts.layout.unpack(messages, world.length, 1)[0]


@pytest.mark.parametrize("degree", DEGREES)
def test_control_without_single_answers_and_signatures_one_hospital_is_opened(degree):
    """Why the rules are there: four sets, each without one other hospital, and the fifth hospital's
    masks are all open.
    """
    scene = everybody_contributed(
        (5, 1, 4),
        degree=degree,
        restraint=OrderRules(one_signature=False, one_answer=False),
    )
    victim = "H0"
    for left_out in ("H1", "H2", "H3"):
        ask_all(scene, 1, [name for name in scene.world.names if name != left_out])
    assert (1, frozenset({victim})) in scene.adversary.opened()
    assert np.array_equal(one_hospitals_values(scene, victim), scene.world.values(victim))


@pytest.mark.parametrize("degree", DEGREES)
def test_with_the_rules_the_same_four_sets_open_one_sum_and_no_hospital(degree):
    scene = everybody_contributed((5, 1, 4), degree=degree)
    ask_all(scene, 1, ["H0", "H2", "H3", "H4"])
    for left_out in ("H2", "H3"):
        with pytest.raises(RoundError):
            ask_all(scene, 1, [name for name in scene.world.names if name != left_out])
    assert scene.adversary.opened() == [(1, frozenset({"H0", "H2", "H3"}))]


def attempts_with_different_losses(**more):
    scene = everybody_contributed((5, 1, 4), **more)
    ask_all(scene, 1, list(scene.world.names))
    for name in scene.adversary.honest:
        scene.contribute(name, 2)
    ask_all(scene, 2, ["H0", "H1", "H2", "H4"])
    return scene.adversary.opened()


def test_control_without_single_answers_two_attempts_open_two_sets():
    """Their difference is one hospital's update, when the same values are sent again."""
    opened = attempts_with_different_losses(restraint=OrderRules(one_answer=False))
    assert opened == [(1, frozenset({"H0", "H1", "H2", "H3"})), (2, frozenset({"H0", "H1", "H2"}))]


def test_with_single_answers_the_second_attempt_gets_none():
    with pytest.raises(RoundError, match="one answer"):
        attempts_with_different_losses()


def test_a_restart_between_write_and_message_does_not_free_the_answer():
    scene = everybody_contributed((5, 1, 4))
    for name in scene.adversary.honest:
        scene.agree(name, 1, list(scene.world.names))
    scene.answer("H0", 1, list(scene.world.names), keep=False)
    scene.crash("H0", written=True)
    with pytest.raises(RoundError, match="one answer"):
        scene.answer("H0", 1, list(scene.world.names))


def test_a_late_frame_of_a_hospital_taken_for_lost_stays_closed():
    scene = Scene(world_of((5, 1, 4)), ["H4"])
    for name in ("H0", "H1", "H2"):
        scene.contribute(name, 1)
    ask_all(scene, 1, ["H0", "H1", "H2", "H4"])
    scene.contribute("H3", 1)  # late: its pair seeds with all survivors are open
    assert all(scene.adversary.knows(1, name, "H3") for name in ("H0", "H1", "H2"))
    assert not scene.adversary.knows(1, "H3", None)
    assert scene.adversary.opened() == [(1, frozenset({"H0", "H1", "H2"}))]


def pieces(honest, threshold, answers, c):
    """The sets that open when each honest holder answered for its own set, without any signature
    (everybody a neighbour).
    """
    known = {i for i in honest if sum(i in u for u in answers) + c >= threshold}

    def pair(i, j):
        return (
            max(
                sum(i in u and j not in u for u in answers),
                sum(j in u and i not in u for u in answers),
            )
            + c
            >= threshold
        )

    left, found = set(honest), []
    while left:
        piece, front = set(), [left.pop()]
        while front:
            one = front.pop()
            piece.add(one)
            front += [
                other
                for other in honest
                if other not in piece and other != one and not pair(one, other)
            ]
        left -= piece
        if piece <= known:
            found.append(piece)
    return found


@pytest.mark.parametrize(
    ("k", "c", "t"),
    [(3, 0, 2), (3, 1, 3), (4, 0, 3), (4, 1, 3), (5, 1, 4), (5, 2, 4), (6, 2, 5), (6, 3, 5)],
)
def test_should_signatures_fail_single_answers_alone_keep_it_at_one_set(k, c, t):
    """Every way in which honest holders can each answer once, for any sets at all."""
    honest = range(k - c)
    sets = [frozenset(u) for size in range(t, k + 1) for u in combinations(range(k), size)]
    choices = [[u for u in sets if h in u] + [frozenset()] for h in honest]
    worst = max(len(pieces(honest, t, answers, c)) for answers in product(*choices))
    assert worst == 1


def test_control_one_contributor_less_than_the_rule_asks_and_two_sets_open():
    """2 t = K + c: five hospitals, one colluder, three needed."""
    honest, t, c = range(4), 3, 1
    sets = [frozenset({0, 1, 4}), frozenset({2, 3, 4})]
    assert len(pieces(honest, t, [sets[0], sets[0], sets[1], sets[1]], c)) == 2


def test_terms_refuse_such_numbers():
    with pytest.raises(SecureFLError):
        World([f"H{i}" for i in range(5)], 3, 1).terms()


def test_reading_a_control_the_usual_round_opens_to_its_exact_sum():
    scene = everybody_contributed((5, 1, 4))
    ask_all(scene, 1, list(scene.world.names))
    proposer = scene.world.proposer()
    for head in scene.heads(1).values():
        proposer.add_contribution(head)
    scene.world.propose(proposer)
    for name, (record, _) in scene.said.items():
        proposer.add_answer(name, record.message)
    frames = {name: b"".join(scene.world.usual(name, 1)[:2]) for name in scene.world.names}
    assert np.array_equal(
        scene.world.opened(proposer.unmasking(), frames), scene.world.truth(scene.world.names)
    )
