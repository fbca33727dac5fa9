"""A whole study in one process: what the coordinator holds at the end is the sum of what the
hospitals made, and never less.
"""

import dataclasses
import io
from functools import reduce

import numpy as np
import pytest
from binary_models import Server
from conftest import fixed_identity
from in_process_federation import INSTANCES, NAMES, Room, added, histogram_of, sealed_study
from secagg_whole import modulus_of, read_contribution, write_sum

from securefl.errors import MessageError, RoundError, StudyError
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.round_plan import RoundPlan
from securefl.secagg.ring import sum_mod_q
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of


@pytest.fixture(scope="module")
def done():
    room = Room()
    seen = []
    return room, room.coordinator().run(seen.append), seen


def test_the_whole_study_is_the_exact_sum_of_what_the_hospitals_made(done):
    room, outcome, _ = done
    sums = [
        reduce(np.add, parts)
        for parts in zip(*(h.produced for h in room.hospitals.values()), strict=True)
    ]
    assert len(sums) == room.plan.last_round
    state = reduce(lambda s, v: s.apply(v), sums[:-1], Server.start(room.plan.study, room.theta))
    assert np.array_equal(outcome.theta, state.theta)
    assert np.array_equal(histogram_of(outcome), sums[-1])
    assert any(np.any(s) for s in sums)


def test_the_noise_is_there_and_is_fresh_in_every_round(done):
    room, _, _ = done
    for hospital in room.hospitals.values():
        assert len({v.tobytes() for v in hospital.produced}) == len(hospital.produced)


def test_the_records_hold_hashes_and_sizes_only(done):
    room, outcome, seen = done
    assert tuple(seen) == outcome.records
    assert [(r.round, r.kind) for r in seen] == [
        (1, "update"),
        (2, "update"),
        (3, "update"),
        (4, "update"),
        (5, "evaluation"),
    ]
    for record in seen:
        assert set(record.contributions) == set(NAMES)
        text = [
            record.round_digest,
            record.model_sha256,
            record.sum_sha256,
            *record.contributions.values(),
        ]
        assert all(len(t) == 64 for t in text)
        assert record.upload_bytes == max(len(room.kept[site, record.round]) for site in NAMES)


def test_each_hospital_gave_one_contribution_a_round(done):
    room, _, _ = done
    assert set(room.kept) == {(site, number) for site in NAMES for number in range(1, 6)}


def test_two_local_steps_add_up_exactly_too():
    plan = sealed_study(("rounds = 4", "rounds = 2"), ("local_steps = 1", "local_steps = 2"))[1]
    room = Room(plan)
    outcome = room.coordinator().run()
    sums = [
        reduce(np.add, parts)
        for parts in zip(*(h.produced for h in room.hospitals.values()), strict=True)
    ]
    state = reduce(lambda s, v: s.apply(v), sums[:-1], Server.start(plan.study, room.theta))
    assert np.array_equal(outcome.theta, state.theta)


@dataclasses.dataclass(frozen=True)
class Replies:
    """What comes back in a round: the aggregator's frame, and the contributions by the name they
    came under.
    """

    sum: bytes
    contributions: dict


class Spoiling(LocalExchange):
    """An aggregator or a store that changes what comes back in round 2."""

    def __init__(self, room, spoil):
        super().__init__(room.participants(), room.aggregator)
        self.room, self.spoil, self.earlier = room, spoil, None

    def collect(self, arrivals, seconds):
        frames = {p.name: p.answer(self._given).read() for p in self._participants}
        replies = Replies(added(self.room, self._given.announcement, frames), frames)
        if arrivals.facts.round == 2:
            replies = self.spoil(replies, arrivals.facts, self.earlier)
        self.earlier = replies
        for site, frame in replies.contributions.items():
            arrivals.add_frame(site, io.BytesIO(frame))
        return arrivals.check_sum(io.BytesIO(replies.sum))


def run_spoiled(spoil):
    """The error of the run, after checking that round 2 was not opened."""
    room = Room()
    opened = []
    with pytest.raises((RoundError, MessageError)) as caught:
        room.coordinator(Spoiling(room, lambda *a: spoil(room, *a))).run(opened.append)
    assert [r.round for r in opened] == [1]
    return caught.value


def ciphertexts(room, replies, facts):
    return {
        site: read_contribution(frame, facts, site, room.identities[site].card.verify)
        for site, frame in replies.contributions.items()
    }


def claimed(room, facts, added, parts=None, sign=None):
    """A sum frame of these ciphertexts, signed by the aggregator."""
    parts = parts or {c.sender: c.sha256 for c in added}
    total = sum_mod_q((c.ciphertext for c in added), modulus_of(facts))
    return write_sum(facts, "Aggregator", total, parts, sign or room.operator.sign)


def dropped(room, replies, facts, _):
    read = ciphertexts(room, replies, facts)
    kept = [read[s] for s in NAMES[1:]]
    return dataclasses.replace(
        replies, sum=claimed(room, facts, kept, {s: c.sha256 for s, c in read.items()})
    )


def doubled(room, replies, facts, _):
    read = ciphertexts(room, replies, facts)
    return dataclasses.replace(
        replies,
        sum=claimed(
            room, facts, [*read.values(), read[NAMES[0]]], {s: c.sha256 for s, c in read.items()}
        ),
    )


def altered(room, replies, facts, _):
    read = ciphertexts(room, replies, facts)
    other = read[NAMES[0]].ciphertext.copy()
    other[0, 0, 0] ^= np.uint64(1)
    changed = dataclasses.replace(read[NAMES[0]], ciphertext=other)
    return dataclasses.replace(
        replies,
        sum=claimed(
            room,
            facts,
            [changed, *(read[s] for s in NAMES[1:])],
            {s: c.sha256 for s, c in read.items()},
        ),
    )


@pytest.mark.parametrize("spoil", [dropped, doubled, altered])
def test_an_aggregator_that_cheats_is_refused_before_anything_is_decrypted(spoil):
    error = run_spoiled(spoil)
    assert error.whose == "Aggregator"
    assert "not decrypted" in error.what


def test_a_sum_by_somebody_else_is_refused():
    stranger = fixed_identity("Stranger", "aggregator")

    def spoil(room, replies, facts, _):
        return dataclasses.replace(
            replies,
            sum=claimed(
                room, facts, list(ciphertexts(room, replies, facts).values()), sign=stranger.sign
            ),
        )

    assert run_spoiled(spoil).whose == "Aggregator"


def test_contributions_swapped_in_the_store_are_refused():
    def spoil(_room, replies, _facts, _):
        a, b, c = NAMES
        return dataclasses.replace(
            replies,
            contributions={
                a: replies.contributions[b],
                b: replies.contributions[a],
                c: replies.contributions[c],
            },
        )

    assert run_spoiled(spoil).whose == ", ".join(NAMES[:2])


def test_a_contribution_of_an_earlier_round_is_refused():
    def spoil(_room, replies, _facts, earlier):
        return dataclasses.replace(
            replies,
            contributions={**replies.contributions, NAMES[0]: earlier.contributions[NAMES[0]]},
        )

    error = run_spoiled(spoil)
    assert error.whose == NAMES[0]
    assert "round" in error.what


def test_the_sum_of_an_earlier_round_is_refused():
    assert (
        run_spoiled(
            lambda _room, replies, _facts, earlier: Replies(earlier.sum, replies.contributions)
        ).whose
        == "Aggregator"
    )


def test_a_missing_contribution_names_its_hospital():
    def spoil(_room, replies, _facts, _):
        return dataclasses.replace(
            replies, contributions={s: f for s, f in replies.contributions.items() if s != NAMES[1]}
        )

    error = run_spoiled(spoil)
    assert NAMES[1] in error.what
    assert "nothing can be opened" in error.what


def test_a_contribution_under_a_strangers_name_is_not_in_the_sum():
    room = Room()

    def spoil(replies, _facts, _):
        return dataclasses.replace(
            replies, contributions={"Stranger": b"x", **replies.contributions}
        )

    outcome = room.coordinator(Spoiling(room, spoil)).run()
    assert all(set(r.contributions) == set(NAMES) for r in outcome.records)


def test_the_key_of_a_round_is_erased_also_when_the_round_fails():
    room, made = Room(), []

    class Remembering(type(room.cipher)):
        def generate(self, ring):
            made.append(super().generate(ring))
            return made[-1]

    room.cipher = Remembering()

    class Silent(LocalExchange):
        def collect(self, facts, seconds):
            raise RoundError("Nobody came.", whose="everybody")

    with pytest.raises(RoundError, match="Nobody came"):
        room.coordinator(Silent([], room.aggregator)).run()
    assert len(made) == 1
    assert all(key.erased for key in made)


def test_initial_weights_that_are_not_those_of_the_study_are_refused():
    room = Room()
    sealed = room.plan.sealed
    true = training_of(sealed.study).model.initial_sha256.encode()
    room.plan = RoundPlan(SealedStudy.read(sealed.text.replace(true, b"1" * 64)))
    with pytest.raises(MessageError, match="initial weights"):
        room.coordinator().run()


def test_facts_that_contradict_each_other_are_an_error_of_ours():
    plan = sealed_study()[1]
    with pytest.raises(StudyError):
        plan.facts(1, "no hash", "1" * 64, instances=INSTANCES)
