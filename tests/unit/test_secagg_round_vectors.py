"""Whole contributions under keys that add up: the product reads, adds and opens what the independent
implementation made, and the other way round.
"""

import io
import json
import runpy
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from secagg_keyed import KeyedRound, by_section
from secagg_round import Round
from test_secagg_vectors import decryptor_of

from securefl.secagg import frame, opening, seal
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.ring import DEGREE, MODULUS, pack_bits
from securefl.secagg.round_context import RoundContext
from securefl.signed import canonical

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "secagg"
SCRIPT = FOLDER / "reference_round.py"
VECTORS = json.loads((FOLDER / "round-vectors.json").read_bytes())
SCRIPTS = ("reference.py", "reference_numbers.py", "reference_round.py", "reference_losses.py")
EACH = pytest.mark.parametrize("number", range(len(VECTORS["cases"])))


@pytest.fixture(scope="module")
def reference():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def played(reference):
    return reference["rounds"]()


def context_of(facts):
    """The product's facts of a round, from the page's."""
    same = ("study", "round", "attempt", "kind", "public_key_sha256", "length", "bound")
    return RoundContext(
        cohort=tuple(facts["cohort"]),
        instances=tuple(facts["instances"]),
        layout=NumberLayout(facts["bits"], len(facts["cohort"]), facts["primes"]),
        model_sha256=facts["model_sha256"],
        **{name: facts[name] for name in same},
    )


def verify_with(public):
    def verify(signature, message):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify


def test_the_file_is_what_the_independent_implementation_writes(reference, played):
    assert (FOLDER / "round-vectors.json").read_text("utf-8") == reference["text"](played)


@EACH
def test_the_round_digest_and_the_shape_are_those_of_the_product(number):
    case = VECTORS["cases"][number]
    facts = context_of(case["facts"])
    assert facts.as_json() == case["facts"]
    assert facts.digest() == case["round_digest"]
    assert [[s.count, *s.item_shape] for s in facts.sections] == case["shape"]


class PublicHalf:
    """The public key of a case is a hash only: its secret half opens."""

    def __init__(self, facts):
        self.sha256 = facts.public_key_sha256
        self.ring = facts.cipher_layout.ring


@EACH
def test_the_product_reads_adds_and_opens_the_frames(reference, played, number):
    case, (told, made) = VECTORS["cases"][number], played[number]
    facts = context_of(told)
    total = None
    for name, data in made.items():
        assert sha256(data).hexdigest() == case["frames"][name]["sha256"]
        verify = verify_with(reference["public_key"](name))
        body = by_section(facts, frame.contribution_blocks(io.BytesIO(data), facts, name, verify))
        total = body if total is None else [
            s.add(a, b) for s, a, b in zip(facts.sections, total, body, strict=True)
        ]  # fmt: skip
    assert [sha256(pack_bits(part, 58)).hexdigest() for part in total] == case["sum_sha256"]
    keys = seal.RoundKeyPair(PublicHalf(facts), decryptor_of(VECTORS["secret_key"]))
    into = np.empty(facts.length, dtype=np.int64)
    opening.open_sum(keys, total, facts, into)
    assert into[:8].tolist() == case["opened_first"]
    assert sha256(canonical(into.tolist())).hexdigest() == case["opened_sha256"]


def secret_of(decryptor):
    """The coordinator's secret key: what the ciphertext (0, 1) decrypts to."""
    unit = np.zeros((2, DEGREE), dtype=np.uint64)
    unit[1, 0] = 1
    values = seal._from_ntt(seal._decrypt_chunk(decryptor, unit)[None])[0].tolist()
    assert set(values) <= {0, 1, MODULUS - 1}
    return {i: (1 if x == 1 else -1) for i, x in enumerate(values) if x}


MADE = {
    "numbers in the ciphertexts": lambda: Round(("A", "B", "C"), 16, 30),
    "one prime": lambda: KeyedRound(("A", "B", "C"), bits=16, length=8300, primes=1),
    "three primes": lambda: KeyedRound(("A", "B", "C"), bits=16, length=100, primes=3),
}


@pytest.mark.parametrize("made", MADE)
def test_the_independent_reader_opens_what_the_product_made(reference, made):
    a_round = MADE[made]()
    values = a_round.values()
    facts = a_round.facts.as_json()
    bodies = []
    for name in a_round.names:
        public = a_round.parties[name].signing.public_key().public_bytes_raw()
        bodies.append(reference["read"](a_round.frame(name, values[name]), facts, name, public))
    total = reference["add"](bodies, facts)
    secret = secret_of(a_round.keys._decryptor)
    assert reference["open_sum"](total, facts, secret) == sum(values.values()).tolist()
    with pytest.raises(ValueError, match="no complete sum"):
        reference["open_sum"](reference["add"](bodies[1:], facts), facts, secret)


def test_the_independent_reader_refuses_what_was_not_signed(reference, played):
    told, made = played[2]
    data, public = made["A"], reference["public_key"]("A")
    assert reference["read"](data, told, "A", public)
    for change in (
        lambda d: d[:-1],
        lambda d: d + b"x",
        lambda d: d[:-1] + bytes([d[-1] ^ 1]),
        lambda d: b"X" + d[1:],
        lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:],
        lambda d: d[:300] + bytes([d[300] ^ 1]) + d[301:],
    ):
        with pytest.raises((ValueError, InvalidSignature)):
            reference["read"](change(data), told, "A", public)
    for elsewhere in ({**told, "round": 8}, {**told, "attempt": 2}):
        with pytest.raises(ValueError, match="another round"):
            reference["read"](data, elsewhere, "A", public)
    with pytest.raises(InvalidSignature):
        reference["read"](made["B"], told, "A", public)


def test_a_folder_of_frames_is_opened_from_the_command_line_without_the_product(tmp_path):
    command = [sys.executable, "-I", str(SCRIPT)]
    subprocess.run([*command, "--example", str(tmp_path)], check=True)
    opened = subprocess.run([*command, str(tmp_path)], check=True, capture_output=True, text=True)
    assert json.loads(opened.stdout)[:8] == VECTORS["cases"][0]["opened_first"]


def test_no_code_of_the_product_is_imported():
    for name in SCRIPTS:
        assert "import securefl" not in (FOLDER / name).read_text("utf-8")
        assert "from securefl" not in (FOLDER / name).read_text("utf-8")
