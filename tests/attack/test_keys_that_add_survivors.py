"""Numbers under keys that add up in rounds that survive losses: what a coordinator gains that asks
twice, and what becomes of a hospital that is lost.

Real encryption throughout. Controls: hospitals without the rule of single answers, whose two sets
give one hospital's numbers away.
"""

import io

import numpy as np
import pytest
from keyed_attacker import (
    BY_CHANCE,
    added,
    key_from,
    key_out_of,
    likeness,
    no_key,
    read_with,
    take_off,
)
from mutated_bytes import mutations
from secagg_keyed import KeyedWorld, by_section
from secagg_survivors import Party

from securefl.errors import MessageError, RoundError
from securefl.secagg import streaming
from securefl.secagg.holder import OrderRules
from securefl.secagg.masks import Seeds
from securefl.secagg.shamir import restore
from securefl.secagg.survivor_contribution import ciphertext_blocks, read_head

NAMES = ("A", "B", "C", "D", "E")
LENGTH = 4000
PRIMES = pytest.mark.parametrize("primes", [1, 3])


class Scene:
    """Hospitals and what an adversary sees as coordinator, aggregator and store; E works for it."""

    def __init__(self, primes, **more):
        self.world = KeyedWorld(NAMES, 4, 1, length=LENGTH, primes=primes)
        self.parties = {name: Party(self.world, name, **more) for name in NAMES}
        self.frames = {}

    def contribute(self, attempt):
        for name in NAMES:
            self.frames[attempt, name] = self.parties[name].contribute(attempt)

    def unmasked(self, attempt, names):
        """Ask the hospitals of one set for everything: the body of their sum, masks off."""
        world = self.world
        proposer = world.proposer(attempt)
        heads = {name: world.check(self.frames[attempt, name], name, attempt) for name in names}
        for head in heads.values():
            proposer.add_contribution(head)
        proposal = world.propose(proposer)
        for name in names:
            proposer.add_agreement(name, self.parties[name].agree(proposal, heads, attempt))
        for name in names:
            answer = self.parties[name].answer(proposer.survivors, proposer.agreements, heads)
            proposer.add_answer(name, answer)
        files = {name: io.BytesIO(self.frames[attempt, name]) for name in names}
        blocks = streaming.add_survivors(proposer.unmasking(), files, world.verify)
        return by_section(world.terms(attempt).facts, blocks)

    def read(self, attempt, body, key, contributors=1):
        terms = self.world.terms(attempt)
        return read_with(terms.facts, body[1:], key, contributors, terms.round_digest)

    def key(self, attempt, ciphertexts, contributors=1):
        """What is read in ciphertexts with the attempt's CKKS key, which nobody erased."""
        decryptor = self.world.keys[attempt]._decryptor
        facts = self.world.terms(attempt).facts
        return key_out_of(facts, decryptor, ciphertexts, contributors)

    def sent(self, attempt, name):
        """A frame's body as it lies in the store."""
        terms = self.world.terms(attempt)
        file = io.BytesIO(self.frames[attempt, name])
        head = read_head(file, terms, name, self.world.verify_by(name))
        return by_section(terms.facts, ciphertext_blocks(file, terms, head))

    def truth(self, names):
        return sum(self.world.values(name) for name in names)

    def seed_of(self, attempt, dealer, other=None):
        """A seed restored from the packets of as many holders as it takes: its own, or a pair's."""
        world, terms = self.world, self.world.terms(attempt)
        dealing = world.check(self.frames[attempt, dealer], dealer, attempt).dealing
        order = terms.neighbours.holders(dealer)
        holders = order[: terms.neighbours.share_threshold]
        index = dealing.seed_index(other)
        rows = [dealing.open_packet(h, world.identities[h].unseal)[index] for h in holders]
        return restore(np.stack(rows)[:, None], [order.index(h) for h in holders])[0]


WITHOUT_RULES = OrderRules(one_signature=False, one_answer=False)
FOUR = ("A", "B", "C", "E")


@PRIMES
def test_control_one_set_opens_to_its_sum(primes):
    scene = Scene(primes)
    scene.contribute(1)
    total = scene.unmasked(1, FOUR)
    assert np.array_equal(scene.read(1, total, scene.key(1, total[0], 4), 4), scene.truth(FOUR))


@PRIMES
def test_control_two_sets_in_one_attempt_give_one_key_and_its_numbers(primes):
    scene = Scene(primes, restraint=WITHOUT_RULES)
    scene.contribute(1)
    whole, fewer = scene.unmasked(1, NAMES), scene.unmasked(1, FOUR)
    facts = scene.world.terms(1).facts
    last = scene.key(1, whole[0], 5).values - scene.key(1, fewer[0], 4).values
    read = scene.read(1, scene.sent(1, "D"), key_from(facts, last))
    assert np.array_equal(read, scene.world.values("D"))


@PRIMES
def test_a_coordinator_that_asks_for_a_second_set_in_one_attempt_gets_none(primes):
    scene = Scene(primes)
    scene.contribute(1)
    whole = scene.unmasked(1, NAMES)
    with pytest.raises(RoundError, match="signed in this attempt already"):
        scene.unmasked(1, FOUR)
    # What it can do without answers: add the four frames, whose masks stay on.
    facts = scene.world.terms(1).facts
    fewer = added(facts, [scene.sent(1, name) for name in FOUR])
    last = scene.key(1, whole[0], 5).values - scene.key(1, fewer[0], 4).values
    for guess in (last, scene.key(1, whole[0], 5).values):
        read = scene.read(1, scene.sent(1, "D"), key_from(facts, guess))
        assert likeness(read, scene.world.values("D")) < BY_CHANCE


@PRIMES
def test_control_without_single_answers_two_attempts_give_one_hospitals_numbers(primes):
    scene = Scene(primes, restraint=WITHOUT_RULES)
    opened = []
    for attempt, names in ((1, NAMES), (2, FOUR)):
        scene.contribute(attempt)
        total = scene.unmasked(attempt, names)
        key = scene.key(attempt, total[0], len(names))
        opened.append(scene.read(attempt, total, key, len(names)))
    assert np.array_equal(opened[0] - opened[1], scene.world.values("D"))


@PRIMES
def test_a_second_attempt_after_an_answer_opens_nothing(primes):
    scene = Scene(primes)
    scene.contribute(1)
    scene.unmasked(1, NAMES)
    scene.contribute(2)
    with pytest.raises(RoundError, match="one answer"):
        scene.unmasked(2, FOUR)
    facts = scene.world.terms(2).facts
    total = added(facts, [scene.sent(2, name) for name in FOUR])
    for key in (scene.key(2, total[0], 4), no_key(facts)):
        assert likeness(scene.read(2, total, key, 4), scene.truth(FOUR)) < BY_CHANCE


@PRIMES
def test_two_attempts_use_two_keys_and_their_difference_shows_nothing(primes):
    """The same numbers are sent again: under one key and the same a they would cancel."""
    scene = Scene(primes)
    scene.contribute(1)
    scene.contribute(2)
    first, second = scene.sent(1, "A"), scene.sent(2, "A")
    ring = scene.world.terms(1).facts.numbers.ring
    assert scene.world.terms(1).round_digest != scene.world.terms(2).round_digest
    difference = ring.subtract(first[-1], second[-1])
    small = ring.to_words(difference)[:, -1] >> np.uint64(40)
    assert np.count_nonzero(small) > 0.9 * small.size


def test_asked_again_a_hospital_says_the_same_bytes_and_makes_no_second_frame():
    scene = Scene(1)
    scene.contribute(1)
    party = scene.parties["A"]
    digest = scene.world.terms(1).round_digest
    said = party.holder.resend("contribution", digest)
    party.restart()
    assert party.holder.resend("contribution", digest) == said
    assert scene.frames[1, "A"].startswith(said)
    with pytest.raises(RoundError, match="has a contribution already"):
        party.contribute(1, values=np.zeros(LENGTH, dtype=np.int64))


@PRIMES
def test_a_hospital_that_was_lost_stays_closed_though_its_pair_seeds_are_known(primes):
    """D contributed and was not in the set: survivors gave its pair seeds away, and never its
    self-mask seed.
    """
    scene = Scene(primes)
    scene.contribute(1)
    total = scene.unmasked(1, FOUR)
    world, terms = scene.world, scene.world.terms(1)
    body, truth = scene.sent(1, "D"), world.values("D")
    pairs = tuple((other > "D", world.pair_seeds("D")[other]) for other in FOUR)
    chunks = terms.facts.chunks
    stripped = take_off(body[0], Seeds(pairs, ()).block(0, chunks))
    for key in (scene.key(1, stripped), scene.key(1, total[0], 4)):
        assert likeness(scene.read(1, body, key), truth) < BY_CHANCE
    whole = Seeds(pairs, (scene.seed_of(1, "D"),))
    bare = scene.key(1, take_off(body[0], whole.block(0, chunks)))
    assert np.array_equal(scene.read(1, body, bare), truth)  # the control: its own seed as well


def test_a_thousand_mutations_of_a_frame_that_survives_losses_are_refused():
    scene = Scene(3)
    scene.contribute(1)
    data = scene.frames[1, "A"]
    world, others = scene.world, [scene.frames[1, "B"]]
    assert world.check(data, "A").sender == "A"  # the control
    for mutant in mutations(data, others, 1000, "survivors"):
        with pytest.raises(MessageError) as caught:
            world.check(mutant, "A")
        assert caught.value.whose == "A"
