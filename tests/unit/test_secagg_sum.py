"""Contributions are added as they come, each as a whole or not at all; a sum is compared before
anybody decrypts it.
"""

import io
from hashlib import sha256

import numpy as np
import pytest
from secagg_round import NAMES, Party, digest_of, fake_ciphertext, make_facts
from secagg_whole import blocks_of, write_contribution

from securefl.errors import MessageError, RoundError
from securefl.secagg import sections
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.ring import MODULUS
from securefl.secagg.sum import RunningSum, check_parts, same_sum

FACTS = make_facts(length=20_000)  # three ciphertexts
PARTIES = {name: Party(name) for name in NAMES}
CIPHERTEXTS = {name: fake_ciphertext(3, name) for name in NAMES}
FRAMES = {
    name: write_contribution(FACTS, name, CIPHERTEXTS[name], PARTIES[name].sign) for name in NAMES
}
PLAIN = sum(item.astype(object) for item in CIPHERTEXTS.values()) % MODULUS


@pytest.fixture(autouse=True)
def _blocks_of_two(monkeypatch):
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * LARGE_RING.chunk_bytes)


#: In memory, or in files.
PLACES = pytest.mark.parametrize("in_memory", [1 << 20, 0], ids=["in memory", "in files"])


def added(names=NAMES, frames=FRAMES, in_memory=0):
    total = RunningSum(FACTS, io.BytesIO, in_memory)
    for name in names:
        total.add(io.BytesIO(frames[name]), name, PARTIES[name].verify)
    return total


def whole(blocks):
    return np.concatenate(list(blocks))


@pytest.mark.parametrize("order", [NAMES, NAMES[::-1]], ids=["one way", "the other"])
@PLACES
def test_the_sum_is_the_sum_mod_q_in_any_order(order, in_memory):
    total = added(order, in_memory=in_memory)
    for _ in range(2):  # it can be read again, whatever was written on what was read
        found = list(total.blocks())
        assert np.array_equal(whole(found).astype(object), PLAIN)
        for block in found:
            block[:] = 0
    assert total.parts == {name: sha256(FRAMES[name]).hexdigest() for name in NAMES}
    assert total.frame_bytes == max(map(len, FRAMES.values()))
    assert total.missing == ()


def test_a_missing_hospital_fails_the_round_and_is_named():
    with pytest.raises(RoundError, match="No contribution of SVHC, SVI") as caught:
        added([name for name in NAMES if name not in {"SVI", "SVHC"}]).blocks()
    assert caught.value.whose == "SVHC, SVI"
    with pytest.raises(RoundError, match="nothing can be opened"):
        RunningSum(FACTS, io.BytesIO).blocks()


def test_a_second_contribution_of_one_hospital_is_refused():
    total = added()
    with pytest.raises(MessageError, match="second") as caught:
        total.add(io.BytesIO(FRAMES["SVI"]), "SVI", PARTIES["SVI"].verify)
    assert caught.value.whose == "SVI"
    assert np.array_equal(whole(total.blocks()).astype(object), PLAIN)


SPOILED = {
    "cut off": lambda data: data[:-1],
    "altered in its last block": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "something follows": lambda data: data + b"x",
    "another's": lambda data: FRAMES["STMW"],
    "to another round": lambda data: write_contribution(
        make_facts(length=20_000, round=2), "SVI", CIPHERTEXTS["SVI"], PARTIES["SVI"].sign
    ),
}


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@PLACES
def test_a_contribution_that_fails_its_checks_is_added_in_no_part(spoil, first, in_memory):
    made = []

    def spool():
        made.append(io.BytesIO())
        return made[-1]

    total = RunningSum(FACTS, spool, in_memory)
    others = [name for name in NAMES if name != "SVI"]
    for name in () if first else others:
        total.add(io.BytesIO(FRAMES[name]), name, PARTIES[name].verify)
    with pytest.raises(MessageError) as caught:
        total.add(io.BytesIO(SPOILED[spoil](FRAMES["SVI"])), "SVI", PARTIES["SVI"].verify)
    assert caught.value.whose == "SVI"
    assert "SVI" in total.missing
    for name in [*(others if first else ()), "SVI"]:
        total.add(io.BytesIO(FRAMES[name]), name, PARTIES[name].verify)
    assert np.array_equal(whole(total.blocks()).astype(object), PLAIN)
    # One file, however many came; none where memory holds it.
    assert sum(not file.closed for file in made) == (not in_memory)
    total.close()
    total.close()
    assert all(file.closed for file in made)


def test_a_stranger_adds_nothing():
    total = RunningSum(FACTS, io.BytesIO)
    with pytest.raises(MessageError, match="not in the round's cohort"):
        total.add(io.BytesIO(FRAMES["SVI"]), "mallory", PARTIES["SVI"].verify)


def test_an_honest_sum_is_what_was_computed():
    total = added()
    check_parts(dict(total.parts), total.parts, "aggregator")
    assert np.array_equal(
        whole(same_sum(total.blocks(), total.blocks(), "aggregator")).astype(object), PLAIN
    )


def test_a_sum_that_is_not_the_sum_is_the_aggregators():
    total = added()
    crafted = whole(total.blocks())
    crafted[2, 1, 0] ^= np.uint64(1)
    for claimed in (crafted, crafted[:2]):
        with pytest.raises(RoundError, match="not the sum") as caught:
            whole(same_sum(blocks_of(claimed, 2), total.blocks(), "aggregator"))
        assert caught.value.whose == "aggregator"


def test_a_sum_of_other_contributions_is_refused():
    parts = added().parts
    with pytest.raises(
        RoundError, match=f"added another contribution of {NAMES[1]} than"
    ) as caught:
        check_parts({**parts, NAMES[1]: digest_of("x")}, parts, "aggregator")
    assert caught.value.whose == f"aggregator, or {NAMES[1]}"  # either may have shown two
