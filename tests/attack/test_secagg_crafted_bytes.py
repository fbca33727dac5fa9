"""Bytes that TenSEAL or SEAL would take, offered to our readers by a stranger and by a rostered but
hostile hospital.
"""

import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from secagg_round import BITS, DEGREES, NAMES, Party, digest_of, fake_ciphertext, make_facts
from secagg_whole import read_contribution, write_contribution
from tenseal import sealapi

from securefl.errors import MessageError
from securefl.secagg import frame, ring, seal
from securefl.secagg.cipher_ring import cipher_ring
from securefl.secagg.envelope import MAGIC
from securefl.secagg.ring import DEGREE

SVI = Party("SVI")


class Frames:
    """An honest frame of two ciphertexts in the ring of that degree."""

    def __init__(self, degree):
        self.ring = cipher_ring(degree)
        small = make_facts(bits=BITS[degree], degree=degree)
        length = small.layout.values_per_chunk + 10
        self.facts = make_facts(bits=BITS[degree], degree=degree, length=length)
        self.honest = fake_ciphertext(2, ring=self.ring)
        self.good = write_contribution(self.facts, "SVI", self.honest, SVI.sign)


OF = {degree: Frames(degree) for degree in DEGREES}


@pytest.fixture(params=DEGREES)
def frames(request):
    return OF[request.param]


def seal_accepts(chunk, ring):
    """Whether SEAL's loader takes these residues (uint64[polynomials, degree]) without a word."""
    context = seal._context(ring)
    try:
        seal.load_seal_file(
            context,
            sealapi.Ciphertext(),
            seal.seal_file(context.first_parms_id(), chunk[:, None], ntt=False),
        )
    except RuntimeError:
        return False
    return True


def signed_by_a_hospital(ciphertext, frames):
    """A frame that is good in everything but its residues."""
    body = ring.pack_bits(ciphertext, frames.ring.bits)
    size = frames.ring.chunk_bytes
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    return frame._contribution_envelope(frames.facts, "SVI").write(chunks, SVI.sign)


def refused(data, frames):
    with pytest.raises(MessageError) as caught:
        read_contribution(data, frames.facts, "SVI", SVI.verify)
    assert caught.value.whose == "SVI"
    return caught.value.what


def crafted(change, frames):
    ciphertext = frames.honest.copy()
    change(ciphertext)
    return ciphertext


def test_control_the_honest_frame_is_taken(frames):
    data = signed_by_a_hospital(frames.honest, frames)
    read = read_contribution(data, frames.facts, "SVI", SVI.verify)
    assert np.array_equal(read.ciphertext, frames.honest)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[1, 1].fill(0),
        lambda c: c[0].fill(0),
        lambda c: c.fill(0),
        lambda c: c[0, 0].fill(5),
        lambda c: c[0, 1, 1:].fill(0),
        lambda c: c[0, 1].fill(33_550_336),
    ],
    ids=["c1 zero", "all zero", "both zero", "c0 constant", "c1 constant term only", "c1 constant"],
)
def test_degenerate_ciphertexts_that_seal_takes_are_refused_though_signed(change, frames):
    ciphertext = crafted(change, frames)
    assert all(seal_accepts(chunk, frames.ring) for chunk in ciphertext)  # the control
    assert "empty or constant" in refused(signed_by_a_hospital(ciphertext, frames), frames)


@pytest.mark.parametrize("above", [0, 1, None])
def test_residues_at_or_above_q_are_refused_though_signed(above, frames):
    residue = (1 << frames.ring.bits) - 1
    if above is not None:
        residue = frames.ring.modulus + above
    ciphertext = crafted(lambda c: c[1, 0].__setitem__(7, residue), frames)
    assert "prime" in refused(signed_by_a_hospital(ciphertext, frames), frames)


def test_control_seal_takes_flipped_bits_as_silent_garbage(frames):
    rng = random.Random(1)
    taken = 0
    for _ in range(100):
        chunk = frames.honest[0].copy()
        place, bit = rng.randrange(chunk.size), rng.randrange(frames.ring.bits)
        chunk.reshape(-1)[place] ^= np.uint64(1 << bit)
        taken += seal_accepts(chunk, frames.ring)
    assert taken > 95


def test_a_thousand_random_mutations_of_a_frame_are_refused(frames):
    rng = random.Random(2)
    for _ in range(1000):
        data = bytearray(frames.good)
        for _ in range(rng.choice([1, 1, 2, 16])):
            at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(1000)
            data[at] ^= rng.randrange(1, 256)
        refused(bytes(data), frames)


def test_truncated_padded_and_shuffled_frames_are_refused(frames):
    rng = random.Random(3)
    good = frames.good
    for _ in range(200):
        cut = rng.randrange(len(good))
        refused(good[:cut], frames)
        refused(good[:cut] + rng.randbytes(rng.randrange(1, 50)) + good[cut:], frames)
        refused(good[cut:] + good[:cut] if cut else b"", frames)


def test_a_frame_of_another_ring_is_refused(frames):
    for other in OF.values():
        if other is not frames:
            refused(other.good, frames)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAGIC,
        MAGIC + b"\xff" * 4,
        MAGIC + b"\xff\xff\xff\xff" + bytes(1 << 16),
        bytes(10_000_000),
        seal.seal_file(seal._context().first_parms_id(), OF[4096].honest[0][:, None], ntt=False),
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
def test_files_that_are_no_frames_are_refused(data, frames):
    refused(data, frames)


def test_a_frame_replayed_from_another_attempt_round_or_study_is_refused(frames):
    for changes in ({"attempt": 2}, {"round": 2}, {"study": digest_of("other")}):
        facts = replace(frames.facts, **changes)
        refused(write_contribution(facts, "SVI", frames.honest, SVI.sign), frames)


def test_another_hospitals_frame_under_a_false_name_is_refused(frames):
    for name in set(NAMES) - {"SVI"}:
        other = Party(name)
        refused(write_contribution(frames.facts, name, frames.honest, other.sign), frames)
        refused(write_contribution(frames.facts, name, frames.honest, SVI.sign), frames)


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
