"""A whole study whose numbers travel under keys that add up, and everything that coordinator,
aggregator, store and colluding hospitals have of it.

The attacker keeps the secret half of every round's CKKS key, reads every object that was ever in
the store, and has the study keys of those who collude. Controls: the same reading with a hospital's
masks off, of the complete sum, and of a hospital against whom all others collude.
"""

import io

import numpy as np
import pytest
from in_process_federation import NAMES, Room, announced_context, sealed_study
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
from secagg_keyed import by_section
from test_coordinator_opens_only_sums import InStore, KeepingKeys

from securefl.boards.opening import open_board
from securefl.errors import MessageError
from securefl.federation import paths, round_plan
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.hospital_keys import pair_secrets
from securefl.federation.messages import Invitation
from securefl.secagg import frame
from securefl.secagg.masks import Seeds, pair_seed, pairwise_seeds
from securefl.secagg.number_layout import NumberLayout

#: 3073 numbers a round.
TEXT, PLAN = sealed_study(
    ('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [384]'),
    ("rounds = 4", "rounds = 2"),
    ("steps = 4", "steps = 2"),
)
EACH = pytest.mark.parametrize("site", NAMES)
ROUNDS = pytest.mark.parametrize("number", [1, 2])


class Attacker:
    """Coordinator, aggregator and store together; hospitals may join them."""

    def __init__(self, room, store, decryptors):
        self.room, self.board, self.decryptors = room, store, decryptors

    def facts(self, number):
        at = paths.RoundPaths(PLAN.digest, number)
        return announced_context(PLAN, self.board.read(at.announcement, 1 << 20))

    def frame(self, number, site):
        return self.board.read(paths.RoundPaths(PLAN.digest, number).contribution(site), 1 << 24)

    def body(self, number, site):
        facts, verify = self.facts(number), self.room.identities[site].card.verify
        data = io.BytesIO(self.frame(number, site))
        return by_section(facts, frame.contribution_blocks(data, facts, site, verify))

    def key(self, number, ciphertexts, contributors=1):
        facts = self.facts(number)
        decryptor = self.decryptors[facts.public_key_sha256]
        return key_out_of(facts, decryptor, ciphertexts, contributors)

    def sum_of_keys(self, number):
        """What the coordinator learns in an honest round."""
        total = added(self.facts(number), [self.body(number, site) for site in NAMES])
        return self.key(number, total[0], len(NAMES))

    def read(self, number, body, key, contributors=1):
        return read_with(self.facts(number), body[1:], key, contributors)

    def secrets_of(self, site):
        """Pair secrets of a hospital, from its own study key."""
        return pair_secrets(PLAN, site, self.room.study_keys[site], self.room.approvals)

    def key_of_colluder(self, number, site):
        """Its own key: a colluder takes its own masks off."""
        facts = self.facts(number)
        mask = pairwise_seeds(site, self.secrets_of(site), facts).block(0, facts.chunks)
        return self.key(number, take_off(self.body(number, site)[0], mask))

    def without_masks_of(self, number, site, colluders):
        """Ciphertexts of ``site`` without what it shares with these."""
        facts = self.facts(number)
        pairs = tuple(
            (peer > site, pair_seed(self.secrets_of(peer)[site], facts.digest()))
            for peer in colluders
        )
        mask = Seeds(pairs, ()).block(0, facts.chunks)
        return take_off(self.body(number, site)[0], mask)


@pytest.fixture(scope="module", params=[1, 3], ids=["1 prime", "3 primes"])
def world(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            round_plan, "layout_for", lambda bits, k, length: NumberLayout(bits, k, request.param)
        )
        yield played(open_board(str(tmp_path_factory.mktemp("store"))))


def played(store):
    """A study run to its end; ``(attacker, site → round → what it sent)``."""
    room = Room(PLAN)
    room.cipher = KeepingKeys()
    rng = np.random.default_rng(7)
    produced = {site: {} for site in NAMES}

    def trainer(site):
        def train(kind, model, length, largest):
            number = len(produced[site]) + 1
            produced[site][number] = rng.integers(
                -largest // 2, largest // 2, length, endpoint=True
            )
            return produced[site][number]

        return train

    room.hospitals = {site: trainer(site) for site in NAMES}
    store.post(paths.study_file(PLAN.digest), TEXT.encode())
    invitation = Invitation(PLAN.digest, "Researcher").dump(room.researcher.sign)
    store.post(paths.invitation(PLAN.digest), invitation)
    for site in NAMES:
        approval = room.approvals[site].dump(room.identities[site].sign)
        store.post(paths.approval(PLAN.digest, site), approval)

    class Book:
        def cards(self):
            return {"Researcher": room.researcher.card}

    service = AggregatorService(store, room.operator, Book(), lambda _: None)
    service.look()
    room.coordinator(InStore(room, store, service)).run()
    return Attacker(room, store, room.cipher.pairs), produced


def test_control_the_complete_sum_is_read(world):
    attacker, produced = world
    for number in (1, 2):
        assert attacker.facts(number).numbers is not None
        total = added(attacker.facts(number), [attacker.body(number, site) for site in NAMES])
        read = attacker.read(number, total, attacker.sum_of_keys(number), len(NAMES))
        assert np.array_equal(read, sum(produced[site][number] for site in NAMES))


@EACH
@ROUNDS
def test_coordinator_aggregator_and_store_read_no_contribution(world, number, site):
    attacker, produced = world
    body, truth = attacker.body(number, site), produced[site][number]
    bare = attacker.key_of_colluder(number, site)
    assert np.array_equal(attacker.read(number, body, bare), truth)  # the control: no masks
    whole = attacker.sum_of_keys(number)
    share = key_from(attacker.facts(number), np.rint(whole.values / len(NAMES)))
    for key in (attacker.key(number, body[0]), whole, share, no_key(attacker.facts(number))):
        assert likeness(attacker.read(number, body, key), truth) < BY_CHANCE


@EACH
def test_with_one_hospital_more_they_read_only_the_sum_of_the_honest_two(world, site):
    """The colluder takes off its masks and its key; of two honest keys the sum is left."""
    attacker, produced = world
    colluder, other = (name for name in NAMES if name != site)
    body, truth = attacker.body(1, site), produced[site][1]
    stripped = attacker.without_masks_of(1, site, [colluder])
    assert likeness(attacker.read(1, body, attacker.key(1, stripped)), truth) < BY_CHANCE
    pair = attacker.sum_of_keys(1).values - attacker.key_of_colluder(1, colluder).values
    facts = attacker.facts(1)
    for guess in (pair, pair // 2, pair - pair // 2):
        read = attacker.read(1, body, key_from(facts, guess))
        assert likeness(read, truth) < BY_CHANCE
    both = added(facts, [body, attacker.body(1, other)])
    honest = attacker.read(1, both, key_from(facts, pair), 2)
    assert np.array_equal(honest, truth + produced[other][1])


@EACH
def test_control_with_all_other_hospitals_they_read_the_last(world, site):
    attacker, produced = world
    others = [name for name in NAMES if name != site]
    known = sum(attacker.key_of_colluder(1, name).values for name in others)
    last = key_from(attacker.facts(1), attacker.sum_of_keys(1).values - known)
    assert np.array_equal(attacker.read(1, attacker.body(1, site), last), produced[site][1])
    stripped = attacker.without_masks_of(1, site, others)
    assert np.array_equal(attacker.key(1, stripped).values, last.values)


@pytest.mark.parametrize("kept", [NAMES[:2], NAMES[1:], (NAMES[0], NAMES[2])], ids="+".join)
def test_no_part_of_a_cohort_opens(world, kept):
    attacker, produced = world
    part = added(attacker.facts(1), [attacker.body(1, site) for site in kept])
    truth = sum(produced[site][1] for site in kept)
    for key in (attacker.key(1, part[0], len(kept)), attacker.sum_of_keys(1)):
        assert likeness(attacker.read(1, part, key, len(kept)), truth) < BY_CHANCE


def test_two_rounds_do_not_help_to_read_each_other(world):
    attacker, produced = world
    ring = attacker.facts(1).numbers.ring
    for site in NAMES:
        first, second = (attacker.body(number, site) for number in (1, 2))
        difference = [
            second[0],
            *(ring.subtract(b, a) for a, b in zip(first[1:-1], second[1:-1], strict=True)),
            ring.subtract(second[-1], first[-1]),
        ]
        truth = produced[site][2] - produced[site][1]
        keys = [attacker.sum_of_keys(number) for number in (1, 2)]
        for key in (*keys, no_key(attacker.facts(2))):
            assert likeness(attacker.read(2, difference, key, 0), truth) < BY_CHANCE


@EACH
def test_a_frame_of_another_round_is_refused_and_would_open_nothing(world, site):
    attacker, produced = world
    verify = attacker.room.identities[site].card.verify
    data = io.BytesIO(attacker.frame(1, site))
    with pytest.raises(MessageError) as caught:
        list(frame.contribution_blocks(data, attacker.facts(2), site, verify))
    assert caught.value.whose == site
    # Should that check fail: keys of two rounds are under two CKKS keys, numbers under two a.
    bodies = [attacker.body(1 if name == site else 2, name) for name in NAMES]
    total = added(attacker.facts(2), bodies)
    truth = produced[site][1] + sum(produced[name][2] for name in NAMES if name != site)
    key = attacker.key(2, total[0], len(NAMES))
    assert likeness(attacker.read(2, total, key, len(NAMES)), truth) < BY_CHANCE
    known = sum(attacker.key_of_colluder(1 if name == site else 2, name).values for name in NAMES)
    read = attacker.read(2, total, key_from(attacker.facts(2), known), len(NAMES))
    assert likeness(read, truth) < BY_CHANCE


def test_nothing_in_the_store_holds_a_number_or_a_key_of_numbers(world):
    attacker, produced = world
    for number in (1, 2):
        for site in NAMES:
            data = attacker.frame(number, site)
            key = attacker.key_of_colluder(number, site).values
            for secret in (produced[site][number], key):
                for form in ("<i8", "<i4", "<i2", "i1"):
                    assert secret.astype(form).tobytes()[:32] not in data
