"""The coordinator opens only sums: an attacker with its keys, the aggregator's keys and the whole
store reads no contribution.

The attacker holds the coordinator's identity, the secret half of every round's CKKS key (it never
erased one), the aggregator's identity, every object that was ever in the store, and the true global
models. The control takes the same values to the same keys without masks, and reads them all.
"""

import fsspec
import numpy as np
import pytest
from in_process_federation import NAMES, Room, announced_context, sealed_study
from secagg_whole import pairwise_mask, read_contribution

from securefl.boards.opening import open_board
from securefl.federation import paths
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.checked_round import Broadcast
from securefl.federation.hospital_keys import pair_secrets
from securefl.federation.messages import Announcement, Invitation
from securefl.federation.store_exchange import StoreExchange
from securefl.secagg import masks, seal
from securefl.secagg.masks import add_mask
from securefl.secagg.ring import sum_mod_q

#: 2817 parameters: a correlation by chance stays below 0.1 (5 standard deviations).
TEXT, PLAN = sealed_study(
    ('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [256]'),
    ("rounds = 4", "rounds = 2"),
    ("steps = 4", "steps = 2"),
)
BY_CHANCE = 0.1


class KeepingKeys(seal.CkksIntegers):
    """A coordinator that does not erase."""

    def __init__(self):
        self.pairs = {}

    def generate(self, ring):
        keys = super().generate(ring)
        self.pairs[keys.public.sha256] = keys._decryptor
        return keys


class InStore(StoreExchange):
    """Rounds through a store, everybody in this process."""

    def __init__(self, room, store, service):
        super().__init__(store, room.plan)
        self.board, self.service, self.everybody = store, service, room.participants()

    def collect(self, arrivals, seconds):
        facts = arrivals.facts
        at = paths.RoundPaths(facts.study, facts.round)
        given = Broadcast(
            *(self.board.read(p, 1 << 24) for p in (at.announcement, at.key, at.model))
        )
        for participant in self.everybody:
            self.board.post(at.contribution(participant.name), participant.answer(given).read())
        self.service.step()
        return super().collect(arrivals, seconds)


class Attacker:
    """What a coordinator and an aggregator that work together with the store's operator have."""

    def __init__(self, room, store, pairs):
        self.room, self.board, self.pairs = room, store, pairs

    def facts(self, number):
        data = self.board.read(paths.RoundPaths(PLAN.digest, number).announcement, 1 << 20)
        Announcement.open(data, study=PLAN.digest, verify=self.room.researcher.card.verify)
        return announced_context(PLAN, data)

    def ring(self, number):
        return self.facts(number).cipher_layout.ring

    def ciphertext(self, number, site):
        facts = self.facts(number)
        frame = self.board.read(paths.RoundPaths(PLAN.digest, number).contribution(site), 1 << 24)
        return read_contribution(
            frame, facts, site, self.room.identities[site].card.verify
        ).ciphertext

    def read(self, number, ciphertext):
        """int64[values], read with the round's secret key and no check at all."""
        facts = self.facts(number)
        layout = facts.layout
        decryptor, ring = self.pairs[facts.public_key_sha256], layout.ring
        noisy = seal._from_ntt(
            np.stack([seal._decrypt_chunk(decryptor, chunk, ring) for chunk in ciphertext]), ring
        )
        messages = (noisy + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
        low = np.uint64((1 << layout.field_bits) - 1)
        fields = np.stack(
            [(messages >> np.uint64(i * layout.field_bits)) & low for i in range(layout.fields)],
            axis=1,
        )
        return fields.reshape(-1).astype(np.int64)[1 : 1 + facts.length]


def correlation(read, truth):
    return abs(float(np.corrcoef(read, truth)[0, 1]))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    store = open_board(str(tmp_path_factory.mktemp("store")))
    room = Room(PLAN)
    room.cipher = KeepingKeys()
    rng = np.random.default_rng(5)
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
    store.post(
        paths.invitation(PLAN.digest),
        Invitation(PLAN.digest, "Researcher").dump(room.researcher.sign),
    )
    for site in NAMES:
        store.post(
            paths.approval(PLAN.digest, site), room.approvals[site].dump(room.identities[site].sign)
        )

    class Book:
        def cards(self):
            return {"Researcher": room.researcher.card}

    service = AggregatorService(store, room.operator, Book(), lambda _: None)
    service.look()
    outcome = room.coordinator(InStore(room, store, service)).run()
    assert len(outcome.records) == 3
    return Attacker(room, store, room.cipher.pairs), produced


@pytest.mark.parametrize("site", NAMES)
@pytest.mark.parametrize("number", [1, 2])
def test_no_contribution_opens_with_everything_that_coordinator_aggregator_and_store_have(
    world, site, number
):
    attacker, produced = world
    truth = produced[site][number]
    mask = _mask(attacker, number, site)
    control = take_off(attacker.ciphertext(number, site), mask, attacker.ring(number))
    assert correlation(attacker.read(number, control), truth) > 0.999
    assert correlation(attacker.read(number, attacker.ciphertext(number, site)), truth) < BY_CHANCE


def take_off(ciphertext, mask, ring):
    return add_mask(
        ciphertext, masks.subtract(np.zeros_like(mask), mask, np.uint64(ring.modulus)), ring
    )


def _mask(attacker, number, site):
    """The mask itself, from study keys that no attacker has."""
    room = attacker.room
    return pairwise_mask(
        site,
        pair_secrets(PLAN, site, room.study_keys[site], room.approvals),
        attacker.facts(number),
    )


@pytest.mark.parametrize("kept", [NAMES[:2], NAMES[1:], (NAMES[0], NAMES[2])], ids="+".join)
def test_no_part_of_a_cohort_opens(world, kept):
    attacker, produced = world
    modulus = np.uint64(attacker.ring(1).modulus)
    part = sum_mod_q((attacker.ciphertext(1, site) for site in kept), modulus)
    assert correlation(attacker.read(1, part), sum(produced[site][1] for site in kept)) < BY_CHANCE
    whole = sum_mod_q(
        (attacker.ciphertext(1, site) for site in NAMES), modulus
    )  # the control: the complete sum opens
    assert correlation(attacker.read(1, whole), sum(produced[site][1] for site in NAMES)) > 0.999


def test_contributions_of_two_rounds_do_not_unmask_each_other(world):
    attacker, produced = world
    for site in NAMES:
        difference = masks.subtract(
            attacker.ciphertext(2, site),
            attacker.ciphertext(1, site),
            np.uint64(attacker.ring(1).modulus),
        )
        for number in (1, 2):
            assert (
                correlation(
                    attacker.read(number, difference), produced[site][2] - produced[site][1]
                )
                < BY_CHANCE
            )


def test_keys_that_the_attacker_has_make_no_mask(world):
    """Study keys are agreed between hospitals: with the attacker's own X25519 keys other masks come
    out.
    """
    attacker, produced = world
    site = NAMES[0]
    for mine in (attacker.room.researcher._sealing, attacker.room.operator._sealing):
        secrets = pair_secrets(PLAN, site, mine, attacker.room.approvals)
        mask = pairwise_mask(site, secrets, attacker.facts(1))
        for change in (take_off, add_mask):
            stripped = change(attacker.ciphertext(1, site), mask, attacker.ring(1))
            assert correlation(attacker.read(1, stripped), produced[site][1]) < BY_CHANCE


def test_nothing_in_the_store_holds_a_private_key_or_an_update(world):
    attacker, produced = world
    secrets = [key.private_bytes_raw() for key in attacker.room.study_keys.values()]
    secrets += [i._signing.private_bytes_raw() for i in attacker.room.identities.values()]
    secrets += [i._sealing.private_bytes_raw() for i in attacker.room.identities.values()]
    secrets += [
        values.astype("<i8").tobytes()[:64]
        for rounds in produced.values()
        for values in rounds.values()
    ]
    fs, root = fsspec.core.url_to_fs(attacker.board.url)
    files = fs.find(root)
    assert len(files) > 20
    for file in files:
        data = fs.cat_file(file)
        assert not any(s in data or s.hex().encode() in data for s in secrets), file
