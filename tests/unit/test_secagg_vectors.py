"""securefl against protocols/wire/secagg/vectors.json, which an independent, slow implementation
wrote.
"""

import json
import runpy
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secagg_whole import pairwise_mask, read_contribution, read_sum, write_contribution, write_sum
from tenseal import sealapi

from securefl.identity import verify
from securefl.secagg import frame, masks, ring, seal
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING, cipher_ring
from securefl.secagg.packing import FieldLayout
from securefl.secagg.publickey import PublicKey
from securefl.secagg.round_context import RoundContext

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "secagg"
VECTORS = json.loads((FOLDER / "vectors.json").read_text("utf-8"))


@pytest.fixture(params=VECTORS["rings"], ids=lambda of: of["ring"]["degree"])
def of(request):
    """The vectors of one ring."""
    return request.param


def ring_of(of):
    return cipher_ring(of["ring"]["degree"])


def integers(texts):
    return np.array([int(text) for text in texts], dtype=np.uint64)


def hash_of(values, width):
    return sha256(ring.pack_bits(values, width)).hexdigest()


def round_facts(of):
    facts = of["round"]["facts"]
    return RoundContext(
        study=facts["study"],
        round=facts["round"],
        attempt=facts["attempt"],
        kind=facts["kind"],
        cohort=tuple(facts["cohort"]),
        instances=tuple(facts["instances"]),
        public_key_sha256=facts["public_key_sha256"],
        layout=FieldLayout(facts["bits"], len(facts["cohort"]), ring_of(of).degree),
        length=facts["length"],
        bound=facts["bound"],
        model_sha256=facts["model_sha256"],
    )


def public_key(of):
    key, ring = bytes.fromhex(of["public_key"]["residues_from_key"]), ring_of(of)
    residues = np.empty((2, len(ring.primes), ring.degree), dtype=np.uint64)
    for i, prime in enumerate(ring.primes):
        residues[:, i] = masks.uniform_residues(key, 2 * ring.degree, prime).reshape(2, -1)
    return PublicKey(residues, ring)


def test_the_file_is_what_the_independent_implementation_writes():
    assert (FOLDER / "vectors.json").read_text("utf-8") == runpy.run_path(
        str(FOLDER / "reference.py")
    )["text"]()


def test_the_rings():
    special = [ring.special if ring.special > 1 else 0 for ring in CIPHER_RINGS]
    assert [of["ring"] for of in VECTORS["rings"]] == [
        {"degree": r.degree, "modulus": str(r.modulus), "special_modulus": str(p)}
        for r, p in zip(CIPHER_RINGS, special, strict=True)
    ]


def test_bit_packing(of):
    case = of["bit_packing"]
    assert ring.pack_bits(integers(case["values"]), case["width"]).hex() == case["packed"]


def test_layouts(of):
    for case in of["layouts"]:
        layout = FieldLayout(case["bits"], case["contributors"], ring_of(of).degree)
        assert {
            **{name: getattr(layout, name) for name in case},
            "scale": str(layout.scale),
        } == case


def test_packing(of):
    case = of["packing"]
    layout = FieldLayout(case["bits"], case["contributors"], ring_of(of).degree)
    messages = layout.pack(np.array(case["values"]))
    assert [str(value) for value in messages[0, :7]] == case["first_coefficients"]
    assert hash_of(messages, 64) == case["sha256"]


def test_uniform_residues_by_rejection():
    case = VECTORS["uniform"]
    residues = masks.uniform_residues(
        bytes.fromhex(case["key"]), len(case["residues"]), int(case["modulus"])
    )
    assert residues.tolist() == case["residues"]


def test_the_round_digest(of):
    assert round_facts(of).as_json() == of["round"]["facts"]
    assert round_facts(of).digest() == of["round"]["digest"]


def test_masks(of):
    case, ring = of["masks"], ring_of(of)
    private = {
        name: X25519PrivateKey.from_private_bytes(bytes.fromhex(key))
        for name, key in case["private_keys"].items()
    }
    public = {name: bytes.fromhex(key) for name, key in case["public_keys"].items()}
    secret = masks.pair_secret(private["A"], public["B"])
    assert (
        secret.hex() == masks.pair_secret(private["B"], public["A"]).hex() == case["pair_secret_AB"]
    )
    seed = masks.pair_seed(secret, of["round"]["digest"])
    assert seed.hex() == case["pair_seed_AB"]
    assert [
        masks._hkdf(seed, masks.CHUNK_KEY_LABEL + bytes([0, 0, 0, i])).hex() for i in range(2)
    ] == case["chunk_keys_AB"]
    first = masks.expand_chunk(seed, 0, ring=ring)[:4]
    assert [str(value) for value in first] == case["first_residues_AB"]
    secrets = {"A": secret, "C": masks.pair_secret(private["B"], public["C"])}
    mask = pairwise_mask("B", secrets, round_facts(of))
    assert [hash_of(row, ring.bits) for row in mask] == case["mask_of_B_sha256"]


def test_the_public_key(of):
    key, case = public_key(of), of["public_key"]
    assert (key.sha256, len(key.body)) == (case["sha256"], case["bytes"])


def decryptor_of(secret_key, ring=LARGE_RING):
    """A SEAL decryptor for a secret key given in the clear: its file is the transformed key modulo
    all primes.

    Decryption reads the first prime's half only, so the other may hold anything below its prime.
    """
    context = seal._context(ring)
    coefficients = np.zeros((2, 1, ring.degree), dtype=np.uint64)
    for at, value in secret_key.items():
        coefficients[:, 0, int(at)] = value % ring.modulus
    carrier = sealapi.Ciphertext()
    seal.load_seal_file(
        context, carrier, seal.seal_file(context.first_parms_id(), coefficients, ntt=False)
    )
    sealapi.Evaluator(context).transform_to_ntt_inplace(carrier)
    values = np.zeros(len(ring.primes) * ring.degree, dtype="<u8")
    values[: ring.degree] = seal.read_residues(carrier)[: ring.degree]
    members = struct.pack("<4QQd", *context.key_parms_id(), values.size, 1.0)
    array = seal._seal_header(8 + values.nbytes) + struct.pack("<Q", values.size) + values.tobytes()
    key = sealapi.SecretKey()
    seal.load_seal_file(
        context, key, seal._seal_header(len(members) + len(array)) + members + array
    )
    return sealapi.Decryptor(context, key)


def test_opening_a_ciphertext_of_a_known_key(of):
    case, ring = of["opening"], ring_of(of)
    layout = FieldLayout(case["bits"], case["contributors"], ring.degree)
    step = 1000 if case["bits"] == 16 else 80
    values = np.array([[i * k - step * (i % 3) for i in range(20)] for k in range(1, 6)])
    message = sum(layout.pack(row) for row in values)[0]
    c1 = masks.uniform_residues(bytes.fromhex(case["c1_from_key"]), ring.degree, ring.modulus)
    noise = np.array([(i * 37) % 201 - 100 for i in range(ring.degree)])
    c0 = (layout.scale * message.astype(object) + noise) % ring.modulus
    for at, sign in case["secret_key"].items():  # minus c1·s modulo X^4096 + 1
        rotated = np.roll(c1.astype(object), int(at))
        rotated[: int(at)] *= -1
        c0 = (c0 - sign * rotated) % ring.modulus
    ciphertext = np.stack([c0.astype(np.uint64), c1])[None]
    assert [str(value) for value in ciphertext[0, 0, :4]] == case["c0_first"]
    assert hash_of(ciphertext, ring.bits) == case["ciphertext_hex_sha256"]
    keys = seal.RoundKeyPair(public_key(of), decryptor_of(case["secret_key"], ring))
    messages, _ = keys.open_once(ciphertext, layout)
    opened, canaries = layout.unpack(messages, len(case["opened"]))
    assert opened.tolist() == case["opened"]
    assert canaries.tolist() == [case["contributors"]]


def test_frames_byte_for_byte(of):
    case, facts, ring = of["frames"], round_facts(of), ring_of(of)
    signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["signing_private_key"]))
    shape = (2, 2, ring.degree)
    ciphertext = masks.uniform_residues(
        bytes.fromhex(case["ciphertext_from_key"]), 4 * ring.degree, ring.modulus
    ).reshape(shape)
    parts = {name: sha256(name.encode()).hexdigest() for name in facts.cohort}
    announced = {
        "study": facts.study, "round_number": 7, "attempt": 1, "kind": "update", "sender": "coordinator",
    }  # fmt: skip
    written = {
        "contribution": write_contribution(facts, "B", ciphertext, signing.sign),
        "sum": write_sum(facts, "aggregator", ciphertext, parts, signing.sign),
        "public_key": frame.write_public_key(public_key(of), **announced, sign=signing.sign),
    }
    for name, data in written.items():
        length = int.from_bytes(data[8:12], "big")
        assert data[12 : 12 + length].decode() == case[name]["manifest"]
        assert (len(data), sha256(data).hexdigest()) == (case[name]["bytes"], case[name]["sha256"])

    def trusted(signature, message):
        return verify(signing.public_key().public_bytes_raw().hex(), signature, message)

    assert np.array_equal(
        read_contribution(written["contribution"], facts, "B", trusted).ciphertext, ciphertext
    )
    assert read_sum(written["sum"], facts, "aggregator", trusted).parts == parts
    assert (
        frame.read_public_key(written["public_key"], **announced, verify=trusted, ring=ring).sha256
        == facts.public_key_sha256
    )
