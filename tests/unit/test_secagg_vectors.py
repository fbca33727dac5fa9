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
from securefl.secagg.packing import FieldLayout
from securefl.secagg.publickey import PublicKey
from securefl.secagg.round_context import RoundContext

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "secagg"
VECTORS = json.loads((FOLDER / "vectors.json").read_text("utf-8"))


def integers(texts):
    return np.array([int(text) for text in texts], dtype=np.uint64)


def hash_of(values, width):
    return sha256(ring.pack_bits(values, width)).hexdigest()


def round_facts():
    facts = VECTORS["round"]["facts"]
    return RoundContext(
        study=facts["study"],
        round=facts["round"],
        attempt=facts["attempt"],
        kind=facts["kind"],
        cohort=tuple(facts["cohort"]),
        instances=tuple(facts["instances"]),
        public_key_sha256=facts["public_key_sha256"],
        layout=FieldLayout(facts["bits"], len(facts["cohort"])),
        length=facts["length"],
        bound=facts["bound"],
        model_sha256=facts["model_sha256"],
    )


def public_key():
    key = bytes.fromhex(VECTORS["public_key"]["residues_from_key"])
    residues = np.empty((2, 2, ring.DEGREE), dtype=np.uint64)
    residues[:, 0] = masks.uniform_residues(key, 2 * ring.DEGREE, ring.MODULUS).reshape(2, -1)
    residues[:, 1] = masks.uniform_residues(key, 2 * ring.DEGREE, ring.SPECIAL_MODULUS).reshape(
        2, -1
    )
    return PublicKey(residues)


def test_the_file_is_what_the_independent_implementation_writes():
    assert (FOLDER / "vectors.json").read_text("utf-8") == runpy.run_path(
        str(FOLDER / "reference.py")
    )["text"]()


def test_the_ring():
    assert VECTORS["ring"] == {
        "degree": ring.DEGREE,
        "modulus": str(ring.MODULUS),
        "special_modulus": str(ring.SPECIAL_MODULUS),
    }


def test_bit_packing():
    case = VECTORS["bit_packing"]
    assert ring.pack_bits(integers(case["values"]), case["width"]).hex() == case["packed"]


@pytest.mark.parametrize(
    "case", VECTORS["layouts"], ids=lambda case: f"{case['bits']} bits, {case['contributors']}"
)
def test_layouts(case):
    layout = FieldLayout(case["bits"], case["contributors"])
    assert {**{name: getattr(layout, name) for name in case}, "scale": str(layout.scale)} == case


def test_packing():
    case = VECTORS["packing"]
    messages = FieldLayout(case["bits"], case["contributors"]).pack(np.array(case["values"]))
    assert [str(value) for value in messages[0, :7]] == case["first_coefficients"]
    assert hash_of(messages, 64) == case["sha256"]


def test_uniform_residues_by_rejection():
    case = VECTORS["uniform"]
    residues = masks.uniform_residues(
        bytes.fromhex(case["key"]), len(case["residues"]), int(case["modulus"])
    )
    assert residues.tolist() == case["residues"]


def test_the_round_digest():
    assert round_facts().as_json() == VECTORS["round"]["facts"]
    assert round_facts().digest() == VECTORS["round"]["digest"]


def test_masks():
    case = VECTORS["masks"]
    private = {
        name: X25519PrivateKey.from_private_bytes(bytes.fromhex(key))
        for name, key in case["private_keys"].items()
    }
    public = {name: bytes.fromhex(key) for name, key in case["public_keys"].items()}
    secret = masks.pair_secret(private["A"], public["B"])
    assert (
        secret.hex() == masks.pair_secret(private["B"], public["A"]).hex() == case["pair_secret_AB"]
    )
    seed = masks.pair_seed(secret, VECTORS["round"]["digest"])
    assert seed.hex() == case["pair_seed_AB"]
    assert [
        masks._hkdf(seed, masks.CHUNK_KEY_LABEL + bytes([0, 0, 0, i])).hex() for i in range(2)
    ] == case["chunk_keys_AB"]
    assert [str(value) for value in masks.expand_chunk(seed, 0)[:4]] == case["first_residues_AB"]
    secrets = {"A": secret, "C": masks.pair_secret(private["B"], public["C"])}
    mask = pairwise_mask("B", secrets, round_facts())
    assert [hash_of(row, ring.MODULUS_BITS) for row in mask] == case["mask_of_B_sha256"]


def test_the_public_key():
    key = public_key()
    assert (key.sha256, len(key.body)) == (
        VECTORS["public_key"]["sha256"],
        VECTORS["public_key"]["bytes"],
    )


def decryptor_of(secret_key):
    """A SEAL decryptor for a secret key given in the clear: its file is the transformed key modulo
    both primes.

    Decryption reads the first prime's half only, so the other may hold anything below its prime.
    """
    context = seal._context()
    coefficients = np.zeros((2, 1, ring.DEGREE), dtype=np.uint64)
    for at, value in secret_key.items():
        coefficients[:, 0, int(at)] = value % ring.MODULUS
    carrier = sealapi.Ciphertext()
    seal.load_seal_file(
        seal._context(), carrier, seal.seal_file(context.first_parms_id(), coefficients, ntt=False)
    )
    sealapi.Evaluator(context).transform_to_ntt_inplace(carrier)
    values = np.zeros(2 * ring.DEGREE, dtype="<u8")
    values[: ring.DEGREE] = seal.read_residues(carrier)[: ring.DEGREE]
    members = struct.pack("<4QQd", *context.key_parms_id(), values.size, 1.0)
    array = seal._seal_header(8 + values.nbytes) + struct.pack("<Q", values.size) + values.tobytes()
    key = sealapi.SecretKey()
    seal.load_seal_file(
        seal._context(), key, seal._seal_header(len(members) + len(array)) + members + array
    )
    return sealapi.Decryptor(context, key)


def test_opening_a_ciphertext_of_a_known_key():
    case = VECTORS["opening"]
    layout = FieldLayout(case["bits"], case["contributors"])
    values = np.array([[i * k - 1000 * (i % 3) for i in range(20)] for k in range(1, 6)])
    message = sum(layout.pack(row) for row in values)[0]
    c1 = masks.uniform_residues(bytes.fromhex(case["c1_from_key"]), ring.DEGREE, ring.MODULUS)
    noise = np.array([(i * 37) % 201 - 100 for i in range(ring.DEGREE)])
    c0 = (layout.scale * message.astype(object) + noise) % ring.MODULUS
    for at, sign in case["secret_key"].items():  # minus c1·s modulo X^4096 + 1
        rotated = np.roll(c1.astype(object), int(at))
        rotated[: int(at)] *= -1
        c0 = (c0 - sign * rotated) % ring.MODULUS
    ciphertext = np.stack([c0.astype(np.uint64), c1])[None]
    assert [str(value) for value in ciphertext[0, 0, :4]] == case["c0_first"]
    assert hash_of(ciphertext, ring.MODULUS_BITS) == case["ciphertext_hex_sha256"]
    keys = seal.RoundKeyPair(public_key(), decryptor_of(case["secret_key"]))
    messages, _ = keys.open_once(ciphertext, layout)
    opened, canaries = layout.unpack(messages, len(case["opened"]))
    assert opened.tolist() == case["opened"]
    assert canaries.tolist() == [case["contributors"]]


def test_frames_byte_for_byte():
    case, facts = VECTORS["frames"], round_facts()
    signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["signing_private_key"]))
    shape = (2, 2, ring.DEGREE)
    ciphertext = masks.uniform_residues(
        bytes.fromhex(case["ciphertext_from_key"]), 4 * ring.DEGREE, ring.MODULUS
    ).reshape(shape)
    parts = {name: sha256(name.encode()).hexdigest() for name in facts.cohort}
    announced = {
        "study": facts.study, "round_number": 7, "attempt": 1, "kind": "update", "sender": "coordinator",
    }  # fmt: skip
    written = {
        "contribution": write_contribution(facts, "B", ciphertext, signing.sign),
        "sum": write_sum(facts, "aggregator", ciphertext, parts, signing.sign),
        "public_key": frame.write_public_key(public_key(), **announced, sign=signing.sign),
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
        frame.read_public_key(written["public_key"], **announced, verify=trusted).sha256
        == facts.public_key_sha256
    )
