"""A hospital answers the next round of the approved study, once; everything else it refuses before
it trains.
"""

import dataclasses

import numpy as np
import pytest
from conftest import fixed_identity
from in_process_federation import INSTANCES, NAMES, Room, in_memory

from securefl.errors import MessageError, NotApprovedError, RoundError, TwoCopiesError, UsageError
from securefl.federation.checked_round import Broadcast
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.round_plan import card_of
from securefl.study.training import training_of

ME = NAMES[0]
STRANGER = fixed_identity("Stranger", "researcher")


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture
def me(room):
    """A participant whose trainer and keeper must not be reached."""

    def unreachable(*_):
        pytest.fail("a refused round was trained for")

    return room.participant(ME, trainer=unreachable, keeper=unreachable)


def spoiled(given, **changes):
    return dataclasses.replace(given, **changes)


def refused(me, given, kind, match):
    with pytest.raises(kind, match=match) as caught:
        me.answer(given)
    assert caught.value.whose
    assert me.done == 0


def test_nothing_begins_before_every_hospital_has_approved(room):
    with pytest.raises(NotApprovedError, match=NAMES[2]) as refusal:
        room.participant(ME, approvals={n: a for n, a in room.approvals.items() if n != NAMES[2]})
    assert refusal.value.whose == NAMES[2]


def test_an_announcement_by_somebody_else_is_refused(room, me):
    refused(me, room.announce(sign=STRANGER.sign)[1], MessageError, "signature")


def test_an_announcement_of_another_study_is_refused(room, me):
    refused(me, room.announce(study="ab" * 32)[1], MessageError, "another study")


@pytest.mark.parametrize("number", [2, 5, 6])
def test_a_round_cannot_be_skipped(room, me, number):
    refused(me, room.announce(number)[1], RoundError, "expects round 1")


def test_a_second_attempt_is_refused(room, me):
    refused(me, room.announce(attempt=2)[1], RoundError, "attempt 2")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "evaluation"},
        {"cohort": NAMES[:2]},
        {"cohort": (*NAMES, "SVI")},
        {"cohort": tuple(reversed(NAMES))},
        {"length": 8},
        {"parameters": 3},
    ],
    ids=str,
)
def test_a_round_that_the_study_does_not_describe_is_refused(room, me, changes):
    refused(me, room.announce(**changes)[1], RoundError, "not the one that the study describes")


def test_round_1_starts_from_the_approved_weights(room, me):
    refused(
        me,
        room.announce(theta=room.theta + 1.0)[1],
        RoundError,
        "initial weights that were approved",
    )


def test_a_round_digest_of_other_facts_is_refused(room, me):
    refused(me, room.announce(round_digest="5" * 64)[1], RoundError, "round digest")


def test_an_altered_public_key_is_refused(room, me):
    _, given = room.announce()
    altered = bytearray(given.key)
    altered[-1] ^= 1
    refused(me, spoiled(given, key=bytes(altered)), MessageError, "hash that was signed")
    refused(me, spoiled(given, key=given.key[:-1]), MessageError, "parts add up")
    refused(me, spoiled(given, key=b""), MessageError, "no frame")


def test_a_public_key_by_somebody_else_is_refused(room, me):
    refused(me, room.announce(key_signer=STRANGER.sign)[1], MessageError, "signature")


def test_another_public_key_than_the_announced_one_is_refused(room, me):
    _, given = room.announce()
    _, other = (
        room.announce()
    )  # signed by the coordinator too: a key of its own, but of another announcement
    refused(me, spoiled(given, key=other.key), MessageError, "not the one announced")


def test_an_altered_sealed_model_is_refused(room, me):
    _, given = room.announce()
    refused(
        me,
        spoiled(given, model=given.model[:-1]),
        MessageError,
        "sealed model is not the one announced",
    )


def test_a_model_sealed_to_others_is_refused(room, me):
    others = [card_of(p) for p in room.plan.study.participants if p.name != ME]
    refused(me, room.announce(readers=others)[1], MessageError, "not sealed to this hospital")


def test_a_model_sealed_for_another_round_is_refused(room, me):
    refused(
        me,
        room.announce(sealed_under=room.plan.context(2))[1],
        MessageError,
        "not sealed to this hospital for this round",
    )


def test_another_model_inside_the_seal_than_the_announced_one_is_refused(room, me):
    _, given = room.announce(
        theta=room.theta + 1.0, said_model=training_of(room.plan.study).model.initial_sha256
    )
    refused(me, given, MessageError, "another global model")


def test_an_oversized_announcement_is_refused(room, me):
    _, given = room.announce()
    refused(
        me,
        spoiled(given, announcement=given.announcement + b" " * MAX_ANNOUNCEMENT),
        MessageError,
        "at most",
    )


def test_an_announcement_that_is_not_canonical_is_refused(room, me):
    _, given = room.announce()
    payload = given.announcement.split(b"\n", 1)[1] + b"\n"
    data = b"securefl-signed/1 " + room.researcher.sign(payload).hex().encode() + b"\n" + payload
    refused(me, spoiled(given, announcement=data), MessageError, "canonical")


def test_a_refused_round_can_still_be_announced_rightly(room):
    me = room.participant(ME, keeper=in_memory)
    with pytest.raises(MessageError):
        me.answer(room.announce(sign=STRANGER.sign)[1])
    assert me.answer(room.announce()[1]).read()


def test_a_round_is_answered_once(room):
    me = room.participant(ME, keeper=in_memory)
    _, given = room.announce()
    me.answer(given)
    with pytest.raises(RoundError, match="expects round 2"):
        me.answer(given)
    with pytest.raises(RoundError, match="expects round 2"):
        me.answer(room.announce()[1])  # a fresh announcement of the same round, with another key
    assert me.done == 1


def test_after_the_evaluation_nothing_is_answered(room):
    me = room.participant(ME)
    me.done = room.plan.last_round
    with pytest.raises(RoundError):
        me.answer(room.announce(room.plan.last_round)[1])


def test_what_the_keeper_refuses_does_not_come_out_and_is_not_made_again(room):
    trained = []

    def keeper(facts, frame):
        raise RoundError("The disk is full.", whose="this hospital")

    def trainer(number, model, length, largest):
        trained.append(number)
        return np.zeros(length, dtype=np.int64)

    me = room.participant(ME, keeper=keeper, trainer=trainer)
    _, given = room.announce()
    with pytest.raises(RoundError, match="disk is full"):
        me.answer(given)
    with pytest.raises(RoundError, match="not tried again"):
        me.answer(given)
    assert trained == [1]
    assert me.done == 0


def test_a_trainer_that_failed_is_not_asked_again(room):
    calls = []

    def trainer(*_):
        calls.append(1)
        raise RoundError("The worker process ended unexpectedly.", whose="this hospital")

    me = room.participant(ME, trainer=trainer)
    for _ in range(2):
        with pytest.raises(RoundError):
            me.answer(room.announce()[1])
    assert calls == [1]


def test_the_keeper_has_the_frame_before_it_comes_out(room):
    seen = []

    def keeper(facts, write):
        file = in_memory(facts, write)
        seen.append((facts.round, file.getvalue()))
        return file

    me = room.participant(ME, keeper=keeper)
    frame = me.answer(room.announce()[1]).read()
    assert seen == [(1, frame)]


def test_the_trainer_gets_the_announced_model_and_the_layouts_limit(room):
    asked = []

    def trainer(number, model, length, largest):
        asked.append((number, len(model), length, largest))
        return np.zeros(length, dtype=np.int64)

    room.participant(ME, trainer=trainer, keeper=in_memory).answer(room.announce()[1])
    assert asked == [(1, 8 * room.plan.parameters, room.plan.parameters, 2**15 - 1)]


def test_a_broadcast_is_three_blobs():
    assert [f.name for f in dataclasses.fields(Broadcast)] == ["announcement", "key", "model"]


def test_a_run_that_was_not_announced_answers_nothing(room):
    before = len(room.hospitals[ME].produced)
    copy = room.participant(ME, instance="c" * 64)
    with pytest.raises(TwoCopiesError, match="Another copy of this hospital runs") as error:
        copy.answer(room.announce()[1])
    assert error.value.next_step
    assert len(room.hospitals[ME].produced) == before


def test_another_run_of_a_partner_than_in_the_first_round_is_named(room):
    me, other = (
        room.participant(ME, trainer=room.hospitals[ME], keeper=in_memory),
        next(n for n in NAMES if n != ME),
    )
    me.answer(room.announce()[1])
    with pytest.raises(RoundError, match=f"another run of the agent of {other}") as error:
        me.answer(room.announce(2, instances={**INSTANCES, other: "d" * 64})[1])
    assert error.value.whose == other


def test_without_a_trainer_nothing_is_accepted(room):
    with pytest.raises(UsageError, match="no trainer"):
        room.participant(ME, trainer=None).answer(room.announce()[1])
