"""securefl against protocols/wire/secagg/survivors-vectors.json, which an independent, slow
implementation wrote.
"""

import io
import json
import runpy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from securefl.identity import Identity, IdentityCard
from securefl.secagg import masks, ring, shamir, survivor_contribution, survivors, unmasking
from securefl.secagg.key_shares import Dealing, deal
from securefl.secagg.packing import FieldLayout
from securefl.secagg.round_context import RoundContext
from securefl.secagg.survivor_terms import SurvivorTerms

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "secagg"
VECTORS = json.loads((FOLDER / "survivors-vectors.json").read_text("utf-8"))
NAMES = ("A", "B", "C")


def key(kind, name):
    return bytes([16 * kind + NAMES.index(name)] * 32)


def identity(name):
    signing, sealing = (
        Ed25519PrivateKey.from_private_bytes(key(3, name)),
        X25519PrivateKey.from_private_bytes(key(2, name)),
    )
    publics = (k.public_key().public_bytes_raw().hex() for k in (signing, sealing))
    return Identity(
        IdentityCard(name, "hospital", name, "x@example.org", *publics), signing, sealing
    )


WHO = {name: identity(name) for name in NAMES}
STUDY = {name: X25519PrivateKey.from_private_bytes(key(1, name)) for name in NAMES}


def terms():
    facts = VECTORS["terms"]
    kept = (
        "study",
        "round",
        "attempt",
        "kind",
        "public_key_sha256",
        "length",
        "bound",
        "model_sha256",
    )
    return SurvivorTerms(
        RoundContext(**{name: facts[name] for name in kept}, cohort=NAMES, instances=tuple(facts["instances"]), layout=FieldLayout(facts["bits"], 3)),
        facts["min_contributors"], facts["colluders"],
    )  # fmt: skip


TERMS = terms()
SET = survivors.Survivors(TERMS, VECTORS["frame_sha256"])


def stream(aes_key):
    encryptor = Cipher(algorithms.AES256(aes_key), modes.CTR(bytes(16))).encryptor()
    return lambda size: encryptor.update(bytes(size))


def pair_seeds(name):
    return {
        other: masks.pair_seed(masks.pair_secret(STUDY[name], STUDY[other].public_key().public_bytes_raw()), TERMS.round_digest)
        for other in NAMES if other != name
    }  # fmt: skip


def dealing(name):
    return Dealing(TERMS, name, bytes.fromhex(VECTORS["dealings"][name]))


def test_the_file_is_what_the_independent_implementation_writes():
    assert (FOLDER / "survivors-vectors.json").read_text("utf-8") == runpy.run_path(
        str(FOLDER / "reference_survivors.py")
    )["text"]()


def test_the_round_digest():
    assert TERMS.as_json() == VECTORS["terms"]
    assert TERMS.round_digest == VECTORS["round_digest"]


def test_pair_seeds_and_self_masks():
    assert {a + b: seed.hex() for a in NAMES for b, seed in pair_seeds(a).items()} == VECTORS[
        "pair_seeds"
    ]
    first = masks.expand_chunk(key(6, "A"), 0, masks.SELF_MASK_LABEL)[:4]
    assert [str(value) for value in first] == VECTORS["self_mask_first_residues_A"]


def test_shares():
    seeds = [key(6, "A"), *pair_seeds("A").values()]
    shares = shamir.split(seeds, 3, 2, stream(key(5, "A")))
    assert [shamir.share_bytes(row).hex() for row in shares] == VECTORS["shares_A"]
    assert shamir.restore(shares[[0, 2]], [0, 2]) == seeds


@pytest.mark.parametrize("name", ["A", "C"])
def test_dealings(name):
    cards = {n: who.card for n, who in WHO.items()}
    written = deal(
        TERMS, name, key(6, name), pair_seeds(name), cards=cards, draw=stream(key(5, name))
    )
    commitments = 3 * 32 + 9 * 16
    assert written[:commitments].hex() == VECTORS["dealings"][name][: 2 * commitments]
    assert 2 * len(written) == len(VECTORS["dealings"][name])
    for (
        holder,
        who,
    ) in (
        WHO.items()
    ):  # HPKE draws its own ephemeral key: the packets differ, what is in them does not
        ours = Dealing(TERMS, name, written).open_packet(holder, who.unseal)
        assert np.array_equal(dealing(name).open_packet(holder, who.unseal), ours)


@pytest.mark.parametrize("name", ["A", "C"])
def test_contributions_byte_for_byte(name):
    ciphertext = masks.uniform_residues(key(7, name), 2 * ring.DEGREE, ring.MODULUS)
    spool = io.BytesIO()
    dealt = dealing(name).data
    hashes = [
        sha256(dealt).hexdigest(),
        *TERMS.facts.sections[0].write(ciphertext.reshape(1, 2, -1), spool),
    ]
    head = survivor_contribution.contribution_envelope(TERMS, name).head(hashes, WHO[name].sign)
    data = head + dealt + spool.getvalue()
    assert head[12:].decode() == VECTORS["contributions"][name]["manifest"]
    assert sha256(data).hexdigest() == VECTORS["contributions"][name]["sha256_of_all_bytes"]
    read = survivor_contribution.check_contribution(
        io.BytesIO(data), TERMS, name, WHO[name].card.verify
    )
    assert read.sha256 == VECTORS["frame_sha256"][name]


def test_statements_byte_for_byte():
    assert SET.sha256 == VECTORS["survivors_sha256"]
    assert (
        survivors.write_proposal(SET, "coordinator", WHO["B"].sign).decode() == VECTORS["proposal"]
    )
    assert survivors.write_agreement(SET, "A", WHO["A"].sign).decode() == VECTORS["agreement_A"]


def test_answers_byte_for_byte_and_what_they_restore():
    dealings = {name: dealing(name) for name in ("A", "C")}
    answers = {}
    for name in ("A", "C"):
        data = unmasking.write_answer(
            SET, name, dealings, unseal=WHO[name].unseal, sign=WHO[name].sign
        )
        assert data.hex() == VECTORS["answers"][name]
        answers[name] = unmasking.read_answer(data, SET, name, dealings, WHO[name].card.verify)
    seeds = unmasking.unmask(SET, answers, dealings).seeds
    assert seeds.own == (key(6, "A"), key(6, "C"))
    assert seeds.pairs == ((True, pair_seeds("A")["B"]), (False, pair_seeds("C")["B"]))
