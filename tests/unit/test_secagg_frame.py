import io
import json
from dataclasses import replace

import numpy as np
import pytest
from secagg_round import NAMES, Party, digest_of, fake_ciphertext, make_facts
from secagg_whole import read_contribution, read_sum, write_contribution, write_sum

from securefl.errors import MessageError, UsageError
from securefl.secagg import frame
from securefl.secagg.envelope import MAGIC, PREFIX_BYTES
from securefl.secagg.masks import uniform_residues
from securefl.secagg.publickey import PublicKey
from securefl.secagg.ring import DEGREE, MODULUS, MODULUS_BITS, SPECIAL_MODULUS, pack_bits

FACTS = make_facts(length=9000)
SVI, AGGREGATOR, COORDINATOR = Party("SVI"), Party("aggregator"), Party("coordinator")
CIPHERTEXT = fake_ciphertext(2)
PARTS = {name: digest_of(name) for name in NAMES}
ANNOUNCED = {
    "study": FACTS.study,
    "round_number": 1,
    "attempt": 1,
    "kind": "update",
    "sender": "coordinator",
}


def manifest_of(data):
    length = int.from_bytes(data[len(MAGIC) : PREFIX_BYTES], "big")
    return json.loads(data[PREFIX_BYTES : PREFIX_BYTES + length].split(b"\n", 1)[1])


def some_public_key():
    residues = np.empty((2, 2, DEGREE), dtype=np.uint64)
    residues[:, 0] = uniform_residues(bytes(32), 2 * DEGREE, MODULUS).reshape(2, DEGREE)
    residues[:, 1] = uniform_residues(bytes(32), 2 * DEGREE, SPECIAL_MODULUS).reshape(2, DEGREE)
    return PublicKey(residues)


def test_a_contribution_survives_its_frame():
    data = write_contribution(FACTS, "SVI", CIPHERTEXT, SVI.sign)
    assert len(data) <= frame.contribution_bytes(FACTS)
    read = read_contribution(data, FACTS, "SVI", SVI.verify)
    assert np.array_equal(read.ciphertext, CIPHERTEXT)
    assert (read.sender, read.round_digest) == ("SVI", FACTS.digest())


def test_a_contribution_says_nothing_but_what_the_round_is():
    manifest = manifest_of(write_contribution(FACTS, "SVI", CIPHERTEXT, SVI.sign))
    assert set(manifest) == {
        "attempt", "chunks", "kind", "round", "round_digest", "sender", "shape", "study", "type",
    }  # fmt: skip


def test_a_sum_survives_its_frame():
    data = write_sum(FACTS, "aggregator", CIPHERTEXT, PARTS, AGGREGATOR.sign)
    assert len(data) <= frame.sum_bytes(FACTS)
    read = read_sum(data, FACTS, "aggregator", AGGREGATOR.verify)
    assert np.array_equal(read.ciphertext, CIPHERTEXT)
    assert read.parts == PARTS


def test_a_public_key_survives_its_frame():
    key = some_public_key()
    data = frame.write_public_key(key, **ANNOUNCED, sign=COORDINATOR.sign)
    assert len(data) <= frame.public_key_bytes()
    assert frame.read_public_key(data, **ANNOUNCED, verify=COORDINATOR.verify).sha256 == key.sha256


@pytest.mark.parametrize(
    ("name", "value"),
    [("study", digest_of("other")), ("round_number", 2), ("attempt", 2), ("kind", "evaluation")],
)
def test_a_public_key_for_another_round_is_refused(name, value):
    data = frame.write_public_key(some_public_key(), **ANNOUNCED, sign=COORDINATOR.sign)
    with pytest.raises(MessageError, match="is not this round's"):
        frame.read_public_key(data, **{**ANNOUNCED, name: value}, verify=COORDINATOR.verify)


def test_signed_bytes_that_make_no_key_are_refused_in_the_senders_name(monkeypatch):
    monkeypatch.setattr(PublicKey, "body", b"\xff" * 81920)
    data = frame.write_public_key(some_public_key(), **ANNOUNCED, sign=COORDINATOR.sign)
    monkeypatch.undo()
    with pytest.raises(MessageError, match="above its prime") as caught:
        frame.read_public_key(data, **ANNOUNCED, verify=COORDINATOR.verify)
    assert caught.value.whose == "coordinator"


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 2},
        {"attempt": 2},
        {"kind": "evaluation"},
        {"study": digest_of("other")},
        {"model_sha256": digest_of("other")},
        {"public_key_sha256": digest_of("other")},
        {"bound": 101},
    ],
)
def test_a_contribution_from_other_facts_is_refused_and_says_which(changes):
    data = write_contribution(replace(FACTS, **changes), "SVI", CIPHERTEXT, SVI.sign)
    with pytest.raises(MessageError) as caught:
        read_contribution(data, FACTS, "SVI", SVI.verify)
    assert caught.value.whose == "SVI"
    assert any(name in caught.value.what for name in (*changes, "round_digest"))


def test_a_frame_of_one_hospital_is_not_anothers():
    data = write_contribution(FACTS, "SVI", CIPHERTEXT, SVI.sign)
    with pytest.raises(MessageError, match="sender") as caught:
        read_contribution(data, FACTS, "STMW", SVI.verify)
    assert caught.value.whose == "STMW"


def test_a_frame_signed_by_another_key_is_refused():
    data = write_contribution(FACTS, "SVI", CIPHERTEXT, AGGREGATOR.sign)
    with pytest.raises(MessageError, match="signature"):
        read_contribution(data, FACTS, "SVI", SVI.verify)


def test_a_sum_does_not_pass_for_a_contribution():
    data = write_sum(FACTS, "SVI", CIPHERTEXT, PARTS, SVI.sign)
    with pytest.raises(MessageError):
        read_contribution(data, FACTS, "SVI", SVI.verify)


def test_hospitals_outside_the_cohort_neither_write_nor_are_read():
    with pytest.raises(UsageError):
        write_contribution(FACTS, "mallory", CIPHERTEXT, SVI.sign)
    with pytest.raises(MessageError, match="cohort"):
        read_contribution(b"", FACTS, "mallory", SVI.verify)


def test_a_sum_that_does_not_list_the_cohort_cannot_be_written():
    with pytest.raises(UsageError):
        write_sum(FACTS, "aggregator", CIPHERTEXT, {"SVI": digest_of("x")}, AGGREGATOR.sign)


@pytest.mark.parametrize(
    "parts",
    [
        5,
        [],
        [5] * 5,
        [{"sender": name, "sha256": "x"} for name in sorted(NAMES)],
        [{"sender": name, "sha256": digest_of(name)} for name in sorted(NAMES)][::-1],
        [{"sender": name, "sha256": digest_of(name)} for name in sorted(NAMES)[1:]],
        [{"sender": name, "sha256": digest_of(name), "more": 1} for name in sorted(NAMES)],
    ],
)
def test_a_signed_sum_whose_list_is_not_the_cohort_is_refused(parts):
    envelope = frame._sum_envelope(FACTS, "aggregator")
    data = envelope.write(
        [pack_bits(one, MODULUS_BITS) for one in CIPHERTEXT], AGGREGATOR.sign, parts=parts
    )
    with pytest.raises(MessageError, match="cohort"):
        read_sum(data, FACTS, "aggregator", AGGREGATOR.verify)


@pytest.mark.parametrize(
    "ciphertext",
    [CIPHERTEXT[:1], CIPHERTEXT + np.uint64(MODULUS), CIPHERTEXT.astype(np.int64)],
    ids=["short", "q", "int64"],
)
def test_only_ciphertexts_of_the_round_are_written(ciphertext):
    with pytest.raises(UsageError):
        write_contribution(FACTS, "SVI", ciphertext, SVI.sign)


@pytest.mark.parametrize(
    ("bits", "full", "whole"), [(16, 7.26, 7.32), (12, 4.84, 4.88), (8, 3.63, 3.69)]
)
def test_bytes_per_parameter_are_those_of_the_design(bits, full, whole):
    """``full``: with every ciphertext full.

    ``whole``: at 1e6 parameters, where the last one is partly padding.
    """
    facts = make_facts(bits=bits, length=1_000_000)
    filled = replace(facts, length=facts.chunks * facts.layout.values_per_chunk)
    data = write_contribution(filled, "SVI", fake_ciphertext(facts.chunks), SVI.sign)
    assert len(data) / filled.length < full
    assert len(data) / facts.length < whole
    assert len(data) <= frame.contribution_bytes(facts)


def test_a_list_of_parts_with_one_that_is_none_is_refused():
    for wrong in (
        {"sender": sorted(NAMES)[1], "sha256": "x"},
        {"sender": sorted(NAMES)[1], "sha256": digest_of("x"), "more": 1},
    ):
        parts = [{"sender": name, "sha256": digest_of(name)} for name in sorted(NAMES)]
        parts[1] = wrong
        data = frame._sum_envelope(FACTS, "aggregator").write(
            [pack_bits(one, MODULUS_BITS) for one in CIPHERTEXT], AGGREGATOR.sign, parts=parts
        )
        with pytest.raises(MessageError, match="cohort"):
            read_sum(data, FACTS, "aggregator", AGGREGATOR.verify)


def test_caps_leave_room_for_the_longest_names_and_little_more():
    names = [f"{i:02}" + "\N{GRINNING FACE}" * 62 for i in range(20)]
    facts = make_facts(names, length=9000)
    data = write_sum(
        facts, "aggregator", CIPHERTEXT, {name: digest_of(name) for name in names}, AGGREGATOR.sign
    )
    assert len(data) <= frame.sum_bytes(facts) < len(data) + 10_000
    assert frame.public_key_bytes() < 81920 + 3000


def test_blocks_of_another_shape_or_too_few_of_them_are_no_contribution():
    for blocks in (
        [CIPHERTEXT[:, :1]],
        [CIPHERTEXT[:1]],
        [],
        [CIPHERTEXT, CIPHERTEXT[:1]],
        [CIPHERTEXT.reshape(-1, 4, DEGREE)],
    ):
        with pytest.raises(UsageError, match="ciphertext of this round"):
            frame.write_contribution(FACTS, "SVI", iter(blocks), io.BytesIO(), SVI.sign)
