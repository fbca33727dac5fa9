"""Ten thousand and more altered or crafted messages: each is refused in its sender's name, or the
sum stays exact.
"""

import io
import json
import random
import tracemalloc
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pytest
from mutated_bytes import mutations
from secagg_round import NAMES
from secagg_survivors import COORDINATOR, World, run_round
from secagg_whole import read_contribution, write_contribution

from securefl.errors import MessageError, RoundError
from securefl.secagg import key_shares, shamir, streaming, survivor_contribution, unmasking
from securefl.secagg.envelope import MAGIC, PREFIX_BYTES
from securefl.secagg.ring import unpack_bits
from securefl.secagg.survivors import agrees, read_parts, read_proposal
from securefl.signed import canonical, dump_signed

WORLD = World(NAMES, 4, 1)
TERMS = WORLD.terms()
LEFT = tuple(name for name in NAMES if name != "STMW")
PROPOSER, FRAMES, PARTIES = run_round(WORLD, LEFT)
SET = PROPOSER.survivors
DEALINGS = {name: WORLD.check(data, name).dealing for name, data in FRAMES.items()}
TRUTH = WORLD.truth(LEFT)


def whole_sum():
    spool = io.BytesIO()
    blocks = streaming.add_survivors(
        PROPOSER.unmasking(), {n: io.BytesIO(d) for n, d in FRAMES.items()}, WORLD.verify
    )
    return (
        streaming.write_survivors_sum(SET, blocks, spool, "aggregator", WORLD.aggregator.sign)
        + spool.getvalue()
    )


@dataclass
class Message:
    """A message that is good, who sent it, and how it is read."""

    data: bytes
    sender: str
    read: object


def disk(kind):
    return next(record.message for record in PARTIES["SVI"].disk if record.kind == kind)


SVI = WORLD.verify_by("SVI")
MESSAGES = {
    "contribution": Message(FRAMES["SVI"], "SVI", lambda data: WORLD.check(data, "SVI")),
    "head": Message(disk("contribution"), "SVI", lambda data: WORLD.head(data, "SVI")),
    "proposal": Message(
        WORLD.propose(PROPOSER), COORDINATOR, lambda data: read_proposal(data, TERMS, COORDINATOR, WORLD.coordinator.card.verify)
    ),
    "agreement": Message(disk("signature"), "SVI", lambda data: agrees(data, SET, "SVI", SVI)),
    "answer": Message(disk("answer"), "SVI", lambda data: unmasking.read_answer(data, SET, "SVI", DEALINGS, SVI)),
    "sum": Message(
        whole_sum(), "aggregator",
        lambda data: list(streaming.read_survivors_sum(io.BytesIO(data), SET, "aggregator", WORLD.aggregator.card.verify)),
    ),
}  # fmt: skip
KINDS = pytest.mark.parametrize("kind", MESSAGES)


def refused(message, data):
    with pytest.raises(MessageError) as caught:
        message.read(data)
    assert caught.value.whose == message.sender


@KINDS
def test_control_the_message_itself_is_taken(kind):
    MESSAGES[kind].read(MESSAGES[kind].data)


@KINDS
def test_two_thousand_mutations_of_a_message_are_refused_in_its_senders_name(kind):
    """A contribution's and a sum's are fewer: each costs a hash over 60 kB."""
    message = MESSAGES[kind]
    count = 2000 if len(message.data) < 10_000 else 700
    others = [other.data for other in MESSAGES.values()]
    for data in mutations(message.data, others, count, kind):
        refused(message, data)


@KINDS
def test_every_single_byte_of_the_structured_part_matters(kind):
    message = MESSAGES[kind]
    for at in range(min(len(message.data), 900)):
        refused(
            message, message.data[:at] + bytes([message.data[at] ^ 0x20]) + message.data[at + 1 :]
        )


@KINDS
def test_messages_of_one_kind_or_sender_are_not_taken_for_another(kind):
    for other, message in MESSAGES.items():
        if other != kind and {kind, other} != {"contribution", "head"}:
            refused(MESSAGES[kind], message.data)


@KINDS
def test_messages_of_another_attempt_are_refused(kind):
    """Replayed out of an attempt before: every field is right but the attempt and the digest."""
    elsewhere = WORLD.frame("SVI", 2) if kind in ("contribution", "head") else None
    if elsewhere is None:
        data = MESSAGES[kind].data
        assert b'"attempt":1' in data
        refused(MESSAGES[kind], data.replace(b'"attempt":1', b'"attempt":2'))
    else:
        refused(MESSAGES[kind], elsewhere)


# A rostered hospital, coordinator or aggregator that signs whatever it likes.

VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**53 - 1,
    "",
    "SVI",
    "0" * 64,
    "F" * 64,
    "\u0000",
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    [1] * 50,
]


def body_of(data):
    start = PREFIX_BYTES if data.startswith(MAGIC) else 0
    length = int.from_bytes(data[8:12], "big") if start else len(data)
    signed = data[start : start + length]
    return json.loads(signed[signed.index(b"\n") + 1 :]), start, length


def identity_of(sender):
    return {COORDINATOR: WORLD.coordinator, "aggregator": WORLD.aggregator}.get(
        sender
    ) or WORLD.identities[sender]


def resigned(message, body):
    """The message with another signed body."""
    _, start, length = body_of(message.data)
    statement = dump_signed(body, identity_of(message.sender).sign)
    if not start:
        return statement
    return MAGIC + len(statement).to_bytes(4, "big") + statement + message.data[start + length :]


@KINDS
def test_every_field_with_every_odd_value_is_refused_though_signed(kind):
    message = MESSAGES[kind]
    body, _, _ = body_of(message.data)
    made = 0
    for field, value in ((field, value) for field in body for value in VALUES):
        if canonical(body[field]) != canonical(value):
            assert crafted_is_refused(message, resigned(message, {**body, field: value})), (
                field,
                value,
            )
            made += 1
    assert made > 100


def crafted_is_refused(message, data):
    """True where it is refused in the sender's name; an agreement to another set is a sound
    statement that does not count.
    """
    try:
        outcome = message.read(data)
    except MessageError as error:
        return error.whose == message.sender
    except RoundError:
        return True  # a proposal with too few survivors
    return outcome is False


@KINDS
def test_fields_that_are_missing_or_too_many_are_refused_though_signed(kind):
    message = MESSAGES[kind]
    body, _, _ = body_of(message.data)
    for field in body:
        refused(
            message,
            resigned(message, {name: value for name, value in body.items() if name != field}),
        )
        refused(message, resigned(message, {**body, field + "s": 1}))


@KINDS
def test_the_body_in_another_spelling_is_refused_though_signed(kind):
    """Spaces, another order, a key twice, floats: one statement has one form."""
    message = MESSAGES[kind]
    body, start, length = body_of(message.data)
    text = canonical(body)
    spellings = [
        json.dumps(body).encode(), text.replace(b",", b", ", 1), text[:1] + b'"attempt":1,' + text[1:], text + b" ", b" " + text,
        text.replace(b'"attempt":1', b'"attempt":1.0'), text.replace(b'"attempt":1', b'"attempt":1e0'), b"[" * 5000, b"\xff\xfe", b"",
        text.replace(b'"attempt":1', b'"attempt":NaN'), b"\xef\xbb\xbf" + text, text.replace(b'"attempt":1', b'"attempt":' + b"9" * 30),
        text.replace(b'"attempt":1', b'"attempt":' + b"9" * 5000), text.replace(b'"attempt":1', b'"attempt":-0'), text.replace(b"attempt", b"\\u0061ttempt", 1),
    ]  # fmt: skip
    for spelling in spellings:
        statement = (
            b"securefl-signed/1 "
            + identity_of(message.sender).sign(spelling).hex().encode()
            + b"\n"
            + spelling
        )
        data = (
            MAGIC + len(statement).to_bytes(4, "big") + statement + message.data[start + length :]
            if start
            else statement
        )
        refused(message, data)


@KINDS
def test_no_message_makes_a_reader_take_more_memory_than_its_declared_size(kind):
    message = MESSAGES[kind]
    limit = {
        "contribution": survivor_contribution.contribution_limit(TERMS), "head": survivor_contribution.head_limit(TERMS), "sum": streaming.sum_limit(SET),
        "answer": unmasking.answer_limit(SET, "SVI"),
    }.get(kind, 10_000)  # fmt: skip
    huge = [
        MAGIC + b"\xff\xff\xff\xff" + bytes(100_000),
        MAGIC + (limit + 1).to_bytes(4, "big") + bytes(100_000),
        bytes(5_000_000),
        message.data + bytes(5_000_000),
        b"securefl-signed/1 " + b"0" * 128 + b"\n" + b"[" * 2_000_000,
    ]
    for data in huge:
        if kind == "head" and data.startswith(message.data):
            continue  # what follows a head is not read
        tracemalloc.start()
        refused(message, data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # what the caller hands over as a file is copied by nobody; a block of unpacked residues is
        # 2 MB at most
        assert peak < 2 * limit + len(data) * (kind in ("contribution", "head", "sum")) + 3_000_000


def signed_dealing(data):
    """A contribution of SVI that is good in everything but its dealing."""
    envelope = survivor_contribution.contribution_envelope(TERMS, "SVI")
    hashes = [sha256(data).hexdigest(), *WORLD.head(FRAMES["SVI"], "SVI").head.hashes]
    spool = FRAMES["SVI"][-59392:]
    return envelope.head(hashes, WORLD.identities["SVI"].sign) + data + spool


def test_two_thousand_altered_dealings_are_found_by_their_holders_or_change_nothing():
    """Signed by their dealer: every packet that no longer fits its commitments is refused in the
    dealer's name.

    A commitment to a seed is not a holder's to check; it shows when seeds are restored, or against
    the neighbour's own.
    """
    good = DEALINGS["SVI"].data
    rng = random.Random(8)
    seeds, packets = 5 * 32, 5 * 32 + 25 * 16
    found = {"refused": 0, "taken": 0}
    for _ in range(2000):
        at = rng.randrange(len(good))
        altered = key_shares.Dealing(
            TERMS, "SVI", good[:at] + bytes([good[at] ^ rng.randrange(1, 256)]) + good[at + 1 :]
        )
        touched = (
            None
            if at < seeds
            else (
                sorted(NAMES)[(at - seeds) // 80]
                if at < packets
                else sorted(NAMES)[(at - packets) // 228]
            )
        )
        for holder in NAMES if rng.random() < 0.02 else (touched or "SVI",):
            unseal = WORLD.identities[holder].unseal
            if holder == touched:
                with pytest.raises(MessageError) as caught:
                    altered.open_packet(holder, unseal)
                assert caught.value.whose == "SVI"
                found["refused"] += 1
            else:
                assert np.array_equal(
                    altered.open_packet(holder, unseal), DEALINGS["SVI"].open_packet(holder, unseal)
                )
                found["taken"] += 1
    assert min(found.values()) > 100


def test_a_dealing_of_garbage_in_a_good_frame_is_a_whole_frame_that_no_holder_signs():
    rng = np.random.default_rng(4)
    for _ in range(20):
        data = signed_dealing(rng.bytes(key_shares.dealing_bytes(TERMS)))
        head = WORLD.check(data, "SVI")
        for holder in NAMES:
            with pytest.raises(MessageError) as caught:
                head.dealing.open_packet(holder, WORLD.identities[holder].unseal)
            assert caught.value.whose == "SVI"


def test_two_thousand_answers_with_altered_shares_are_refused_though_signed():
    rng = random.Random(9)
    message = MESSAGES["answer"]
    body, start, length = body_of(message.data)
    shares = message.data[start + length :]
    envelope = unmasking._envelope(SET, "SVI", LEFT)
    sign = WORLD.identities["SVI"].sign
    for _ in range(2000):
        altered = bytearray(shares)
        for _ in range(rng.choice([1, 1, 2, 20])):
            altered[rng.randrange(len(shares))] ^= rng.randrange(1, 256)
        if bytes(altered) != shares:
            refused(message, envelope.write([bytes(altered)], sign, without=[]))
    assert body["without"] == []


def test_lists_of_survivors_made_at_random_are_a_set_or_refused():
    rng = random.Random(10)
    good = SET.parts()
    outcomes = set()
    for _ in range(2000):
        parts = [dict(part) for part in rng.choices(good, k=rng.randrange(6))]
        for part in parts:
            way = rng.randrange(12)
            if way == 0:
                part[rng.choice(["sender", "sha256"])] = rng.choice(VALUES)
            elif way == 1:
                part[rng.choice(["x", ""])] = 1
            elif way == 2:
                part.pop(rng.choice(["sender", "sha256"]))
        if rng.random() < 0.7:
            parts.sort(key=lambda part: str(part.get("sender")))
        try:
            got = read_parts(parts, TERMS, "x")
        except MessageError:
            outcomes.add("refused")
        else:
            outcomes.add("set")
            assert list(got) == sorted(got)
            assert set(got) <= set(NAMES)
            assert len(got) == len(parts)
    assert outcomes == {"refused", "set"}


def test_shares_made_at_random_restore_nothing_that_passes_for_a_seed():
    rng = np.random.default_rng(11)
    for _ in range(500):
        shares = rng.integers(0, shamir.PRIME, (4, 3, 18)).astype(np.uint16)
        for seed in shamir.restore(shares, [0, 1, 2, 3]):
            committed = [DEALINGS["SVI"].seed_commitment(i) for i in range(5)]
            assert seed is None or key_shares.seed_commitment(TERMS, seed) not in committed


def test_after_all_this_the_sum_is_exact_and_frames_of_the_first_version_are_not_taken_for_the_second():
    assert np.array_equal(WORLD.opened(PROPOSER.unmasking(), FRAMES), TRUTH)
    first = write_contribution(
        TERMS.facts,
        "SVI",
        unpack_bits(FRAMES["SVI"][-59392:], 58).reshape(1, 2, -1),
        WORLD.identities["SVI"].sign,
    )
    refused(MESSAGES["contribution"], first)
    with pytest.raises(MessageError):
        read_contribution(FRAMES["SVI"], TERMS.facts, "SVI", SVI)
