"""Bytes that TenSEAL or SEAL would take, offered to our readers by a stranger and by a rostered but
hostile hospital.
"""

import random
import subprocess
import sys

import numpy as np
import pytest
from secagg_round import NAMES, Party, digest_of, fake_ciphertext, make_facts
from secagg_whole import read_contribution, write_contribution
from tenseal import sealapi

from securefl.errors import MessageError
from securefl.secagg import frame, ring, seal
from securefl.secagg.envelope import MAGIC
from securefl.secagg.ring import DEGREE, MODULUS

FACTS = make_facts(length=9000)
SVI = Party("SVI")
HONEST = fake_ciphertext(2)
GOOD = write_contribution(FACTS, "SVI", HONEST, SVI.sign)


def seal_accepts(chunk):
    """Whether SEAL's loader takes these residues (uint64[polynomials, 4096]) without a word."""
    context = seal._context()
    try:
        seal.load_seal_file(
            seal._context(),
            sealapi.Ciphertext(),
            seal.seal_file(context.first_parms_id(), chunk[:, None], ntt=False),
        )
    except RuntimeError:
        return False
    return True


def signed_by_a_hospital(ciphertext):
    """A frame that is good in everything but its residues."""
    body = ring.pack_bits(ciphertext, ring.MODULUS_BITS)
    chunks = [body[i : i + ring.CHUNK_BYTES] for i in range(0, len(body), ring.CHUNK_BYTES)]
    return frame._contribution_envelope(FACTS, "SVI").write(chunks, SVI.sign)


def refused(data):
    with pytest.raises(MessageError) as caught:
        read_contribution(data, FACTS, "SVI", SVI.verify)
    assert caught.value.whose == "SVI"
    return caught.value.what


def crafted(change):
    ciphertext = HONEST.copy()
    change(ciphertext)
    return ciphertext


def test_control_the_honest_frame_is_taken():
    assert np.array_equal(
        read_contribution(signed_by_a_hospital(HONEST), FACTS, "SVI", SVI.verify).ciphertext, HONEST
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[1, 1].fill(0),
        lambda c: c[0].fill(0),
        lambda c: c.fill(0),
        lambda c: c[0, 0].fill(5),
        lambda c: c[0, 1, 1:].fill(0),
        lambda c: c[0, 1].fill(MODULUS - 1),
    ],
    ids=["c1 zero", "all zero", "both zero", "c0 constant", "c1 constant term only", "c1 constant"],
)
def test_degenerate_ciphertexts_that_seal_takes_are_refused_though_signed(change):
    ciphertext = crafted(change)
    assert all(seal_accepts(chunk) for chunk in ciphertext)  # the control
    assert "empty or constant" in refused(signed_by_a_hospital(ciphertext))


@pytest.mark.parametrize("residue", [MODULUS, MODULUS + 1, (1 << 58) - 1])
def test_residues_at_or_above_q_are_refused_though_signed(residue):
    assert "prime" in refused(
        signed_by_a_hospital(crafted(lambda c: c[1, 0].__setitem__(7, residue)))
    )


def test_control_seal_takes_flipped_bits_as_silent_garbage():
    rng = random.Random(1)
    taken = 0
    for _ in range(100):
        chunk = HONEST[0].copy()
        chunk.reshape(-1)[rng.randrange(8192)] ^= np.uint64(1 << rng.randrange(58))
        taken += seal_accepts(chunk)
    assert taken > 95


def test_a_thousand_random_mutations_of_a_frame_are_refused():
    rng = random.Random(2)
    for _ in range(1000):
        data = bytearray(GOOD)
        for _ in range(rng.choice([1, 1, 2, 16])):
            at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(1000)
            data[at] ^= rng.randrange(1, 256)
        refused(bytes(data))


def test_truncated_padded_and_shuffled_frames_are_refused():
    rng = random.Random(3)
    for _ in range(200):
        cut = rng.randrange(len(GOOD))
        refused(GOOD[:cut])
        refused(GOOD[:cut] + rng.randbytes(rng.randrange(1, 50)) + GOOD[cut:])
        refused(GOOD[cut:] + GOOD[:cut] if cut else b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + b"\xff" * 4,
        MAGIC + b"\xff\xff\xff\xff" + bytes(1 << 16),
        bytes(10_000_000),
        seal.seal_file(seal._context().first_parms_id(), HONEST[0][:, None], ntt=False),
        seal._seal_header(1 << 62),
    ],
    ids=[
        "nothing",
        "magic only",
        "no manifest",
        "huge manifest",
        "10 MB",
        "a SEAL file",
        "a SEAL header",
    ],
)
def test_files_that_are_no_frames_are_refused(data):
    refused(data)


def test_a_frame_replayed_from_another_attempt_round_or_study_is_refused():
    for changes in ({"attempt": 2}, {"round": 2}, {"study": digest_of("other")}):
        refused(write_contribution(make_facts(length=9000, **changes), "SVI", HONEST, SVI.sign))


def test_another_hospitals_frame_under_a_false_name_is_refused():
    for name in set(NAMES) - {"SVI"}:
        other = Party(name)
        refused(write_contribution(FACTS, name, HONEST, other.sign))
        refused(write_contribution(FACTS, name, HONEST, SVI.sign))


INFLATED = """
import struct, tenseal as ts
context = ts.context(ts.SCHEME_TYPE.CKKS, 4096, coeff_mod_bit_sizes=[54, 55])
context.global_scale = 2**40
good = ts.ckks_vector(context, [1.0] * 8).serialize()
assert good[:3] == b"\\x0a\\x01\\x08", good[:8]
crafted = b"\\x0a\\x02\\xa0\\x1f" + good[3:]          # sizes: 8 becomes 4000
print(len(ts.ckks_vector_from(context, crafted).decrypt()))
"""


def test_control_tenseals_loader_believes_an_inflated_size():
    """Why no foreign bytes meet it: 2048 slots were encrypted, and 4000 floats come back, or the
    process dies.
    """
    result = subprocess.run(
        [sys.executable, "-c", INFLATED], capture_output=True, text=True, check=False
    )
    assert result.returncode < 0 or int(result.stdout) > DEGREE // 2
