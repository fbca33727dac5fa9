"""A coordinator that tells hospitals different things: nothing opens, even with an aggregator that
works for it.

In each case one hospital is told something else than the others, in an announcement that the
coordinator really signed. The honest aggregator adds nothing; one that works for the coordinator
adds ring elements without any check, and the masks, which are bound to what each hospital was told,
do not cancel. Controls: the same with equal facts.
"""

import dataclasses

import numpy as np
import pytest
from in_process_federation import INSTANCES, NAMES, Room, added, announced_context, in_memory
from secagg_whole import modulus_of, open_sum, read_contribution

from securefl.errors import MessageError, RoundError
from securefl.secagg import seal
from securefl.secagg.ring import sum_mod_q

VICTIM = NAMES[0]


class Lies:
    """A study in its second round, where models are no longer fixed by the approval."""

    def __init__(self):
        self.room = Room()
        self.values = {
            site: np.arange(self.room.plan.parameters, dtype=np.int64) * (i + 1)
            for i, site in enumerate(NAMES)
        }
        self.hospitals = {}
        _, first = self.room.announce(1)
        for site in NAMES:
            self.hospitals[site] = self.room.participant(
                site, trainer=lambda *_, s=site: self.values[s], keeper=in_memory
            )
            self.hospitals[site].answer(first)

    def frames(self, told):
        """Round 2: each hospital answers what it was told (site → Broadcast)."""
        return {site: self.hospitals[site].answer(told[site]).read() for site in NAMES}

    def raw_sum(self, frames, told):
        """What an aggregator that checks nothing makes of them."""
        parts = [
            read_contribution(
                frames[site],
                announced_context(self.room.plan, told[site].announcement),
                site,
                self.room.identities[site].card.verify,
            ).ciphertext
            for site in NAMES
        ]
        facts = announced_context(self.room.plan, told[NAMES[0]].announcement)
        return sum_mod_q(parts, modulus_of(facts))


@pytest.fixture
def lies():
    return Lies()


def test_the_control_opens(lies):
    keys, given = lies.room.announce(2)
    told = dict.fromkeys(NAMES, given)
    frames = lies.frames(told)
    facts = announced_context(lies.room.plan, given.announcement)
    added(lies.room, given.announcement, frames)
    assert np.array_equal(
        open_sum(keys, lies.raw_sum(frames, told), facts).values, sum(lies.values.values())
    )


def nothing_opens(lies, keys, told, more_keys=()):
    frames = lies.frames(told)
    for site in NAMES:  # whichever announcement the honest aggregator goes by
        with pytest.raises(RoundError, match="nothing was added"):
            added(lies.room, told[site].announcement, frames)
    total = lies.raw_sum(frames, told)
    truth = sum(lies.values.values())
    for pair in (keys, *more_keys):
        layout = lies.room.plan.facts(2, pair.public.sha256, "1" * 64, instances=INSTANCES).layout
        ring = layout.ring
        noisy = seal._from_ntt(
            np.stack([seal._decrypt_chunk(pair._decryptor, chunk, ring) for chunk in total]), ring
        )  # no check at all
        low = np.uint64((1 << layout.field_bits) - 1)
        read = (((noisy + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)) & low).astype(
            np.int64
        )
        assert not np.array_equal(np.diff(read[0, 1 : 1 + len(truth)]), np.diff(truth))
        for site in (VICTIM, NAMES[1]):
            said = announced_context(lies.room.plan, told[site].announcement)
            if said.public_key_sha256 == pair.public.sha256 and not pair.erased:
                with pytest.raises(RoundError, match="nothing was released"):
                    open_sum(pair, total, said)


def test_different_global_models_for_one_hospital_open_nothing(lies):
    keys, honest = lies.room.announce(2)
    _, other = lies.room.announce(2, theta=lies.room.theta + 3.0, keys=keys)
    nothing_opens(lies, keys, {site: other if site == VICTIM else honest for site in NAMES})


def test_a_key_of_its_own_for_one_hospital_opens_nothing(lies):
    keys, honest = lies.room.announce(2)
    others, other = lies.room.announce(2)
    nothing_opens(
        lies, keys, {site: other if site == VICTIM else honest for site in NAMES}, [others]
    )


def test_a_hospital_that_is_told_of_a_smaller_cohort_does_not_answer(lies):
    _, other = lies.room.announce(2, cohort=NAMES[:2])
    with pytest.raises(RoundError, match="not the one that the study describes"):
        lies.hospitals[VICTIM].answer(other)


def test_the_sealed_model_of_another_announcement_is_refused(lies):
    _, honest = lies.room.announce(2)
    _, other = lies.room.announce(2, theta=lies.room.theta + 3.0)
    with pytest.raises(MessageError, match="not the one announced"):
        lies.hospitals[VICTIM].answer(dataclasses.replace(honest, model=other.model))


def test_the_same_round_is_not_answered_again_under_another_key_or_model(lies):
    """Two answers to one round would be two releases, and their difference might open."""
    _, honest = lies.room.announce(2)
    lies.hospitals[VICTIM].answer(honest)
    for again in (
        lies.room.announce(2)[1],
        lies.room.announce(2, theta=lies.room.theta + 3.0)[1],
        lies.room.announce(2, attempt=2)[1],
    ):
        with pytest.raises(RoundError, match="One contribution is given per round"):
            lies.hospitals[VICTIM].answer(again)


def test_a_round_that_misses_a_hospital_does_not_open(lies):
    keys, given = lies.room.announce(2)
    frames = lies.frames(dict.fromkeys(NAMES, given))
    facts = announced_context(lies.room.plan, given.announcement)
    parts = [
        read_contribution(frames[s], facts, s, lies.room.identities[s].card.verify).ciphertext
        for s in NAMES[1:]
    ]
    with pytest.raises(RoundError, match="nothing was released"):
        open_sum(keys, sum_mod_q(parts, modulus_of(facts)), facts)
