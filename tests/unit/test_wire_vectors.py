"""The pages signed-statement.md, identity-card.md and approval.md, held to their vectors twice: by
securefl, and by a second implementation made here from the pages with nothing but the standard
library and the primitives.
"""

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

import securefl
from securefl.errors import MessageError
from securefl.identity import MAX_CARD_BYTES, Identity, read_card
from securefl.partners import MAX_BOOK_BYTES
from securefl.signed import canonical, dump_signed, open_signed
from securefl.study.approval import MAX_BYTES, Approval, open_approval
from securefl.study.sealed import SealedStudy

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "statement-vectors.json").read_text("utf-8"))
KEYS = VECTORS["keys"]
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["signing_seed"]))
SEALING = X25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["sealing_private"]))
STATEMENT, CARD, APPROVAL, STUDY, SEALED, SUCCESSOR = (
    VECTORS[k] for k in ("statement", "card", "approval", "study", "sealing", "successor")
)


def by_why(section):
    return [pytest.param(bytes.fromhex(r["bytes"]), id=r["why"]) for r in section["refused"]]


def by_the_key(signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEYS["signing_public"])).verify(
            signature, message
        )
    except InvalidSignature:
        return False
    return True


# the second implementation


def canonical_2(value):
    """RFC 8785 for objects whose keys are ASCII and whose numbers are whole: what the vectors hold."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def statement_2(body):
    payload = canonical_2(body)
    return b"securefl-signed/1 " + SIGNING.sign(payload).hex().encode() + b"\n" + payload


def extract(salt, ikm):
    mac = HMAC(salt or bytes(32), SHA256())
    mac.update(ikm)
    return mac.finalize()


def unseal_2(sealed, info):
    """RFC 9180 base mode, sections 4.1, 5.1 and 6.1, for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
    ChaCha20-Poly1305.
    """

    def labeled_extract(suite, salt, label, ikm):
        return extract(salt, b"HPKE-v1" + suite + label + ikm)

    def labeled_expand(suite, prk, label, context, length):
        return HKDFExpand(
            SHA256(), length, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        ).derive(prk)

    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    enc, ciphertext = sealed[:32], sealed[32:]
    shared = SEALING.exchange(X25519PublicKey.from_public_bytes(enc))
    own = SEALING.public_key().public_bytes_raw()
    secret = labeled_expand(
        kem, labeled_extract(kem, b"", b"eae_prk", shared), b"shared_secret", enc + own, 32
    )
    context = (
        b"\x00"
        + labeled_extract(suite, b"", b"psk_id_hash", b"")
        + labeled_extract(suite, b"", b"info_hash", info)
    )
    prk = labeled_extract(suite, secret, b"secret", b"")
    key, nonce = (
        labeled_expand(suite, prk, label, context, n)
        for label, n in ((b"key", 32), (b"base_nonce", 12))
    )
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, b"")


def study_digest_2(text):
    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return (
            value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            if isinstance(value, datetime)
            else value
        )

    return hashlib.sha256(
        b"securefl-study-digest/1\n" + canonical_2(plain(tomllib.loads(text)))
    ).hexdigest()


# keys


def test_the_public_keys_follow_from_the_seeds():
    assert SIGNING.public_key().public_bytes_raw().hex() == KEYS["signing_public"]
    assert SEALING.public_key().public_bytes_raw().hex() == KEYS["sealing_public"]
    study = X25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["study_private"]))
    assert study.public_key().public_bytes_raw().hex() == KEYS["study_public"]


# statements


def opened(data):
    fields = frozenset(STATEMENT["body"]) - {"type"}
    return open_signed(
        data,
        kind=STATEMENT["body"]["type"],
        fields=fields,
        verify=by_the_key,
        sender="SVI",
        max_bytes=4096,
    )


def test_a_statement_is_written_byte_for_byte_as_the_vector_says():
    body = STATEMENT["body"]
    assert canonical(body).hex() == canonical_2(body).hex() == STATEMENT["canonical"]
    assert SIGNING.sign(canonical_2(body)).hex() == STATEMENT["signature"]
    assert dump_signed(body, SIGNING.sign).hex() == statement_2(body).hex() == STATEMENT["bytes"]


def test_a_statement_is_read():
    assert opened(bytes.fromhex(STATEMENT["bytes"])) == {
        k: v for k, v in STATEMENT["body"].items() if k != "type"
    }


@pytest.mark.parametrize("data", by_why(STATEMENT))
def test_what_the_statement_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        opened(data)


# cards


def test_a_card_is_written_and_read_as_the_vector_says():
    card = read_card(bytes.fromhex(CARD["bytes"]))
    assert card.fields() == CARD["fields"]
    assert Identity(card, SIGNING, SEALING).signed_card().hex() == CARD["bytes"]
    assert statement_2({"type": "securefl-card/1", **CARD["fields"]}).hex() == CARD["bytes"]


def test_a_fingerprint_is_the_hash_of_the_five_lines():
    fields = CARD["fields"]
    lines = [
        "securefl-fingerprint/1",
        fields["role"],
        fields["name"],
        fields["signing_public"],
        fields["sealing_public"],
    ]
    fingerprint = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    card = read_card(bytes.fromhex(CARD["bytes"]))
    assert card.fingerprint == fingerprint == CARD["fingerprint"]
    assert (
        card.spoken == CARD["spoken"] == " ".join(fingerprint[i : i + 4] for i in range(0, 40, 4))
    )


@pytest.mark.parametrize("data", by_why(CARD))
def test_what_the_card_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        read_card(data)


# successors


def test_a_successor_card_is_written_and_read_as_the_vector_says():
    signing, sealing = (
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SUCCESSOR["signing_seed"])),
        X25519PrivateKey.from_private_bytes(bytes.fromhex(SUCCESSOR["sealing_private"])),
    )
    fields, (word,) = SUCCESSOR["fields"], SUCCESSOR["earlier"]
    assert signing.public_key().public_bytes_raw().hex() == fields["signing_public"]
    lines = [
        "securefl-succession/1",
        fields["role"],
        fields["name"],
        KEYS["signing_public"],
        fields["signing_public"],
        word["until"],
    ]
    assert SUCCESSOR["message"] == "\n".join(lines).encode().hex()
    assert word == {
        "signing_public": KEYS["signing_public"],
        "until": word["until"],
        "signature": SIGNING.sign(bytes.fromhex(SUCCESSOR["message"])).hex(),
    }
    payload = canonical_2({"type": "securefl-card/2", **fields, "earlier": [word]})
    assert (
        b"securefl-signed/1 " + signing.sign(payload).hex().encode() + b"\n" + payload
    ).hex() == SUCCESSOR["bytes"]
    card = read_card(bytes.fromhex(SUCCESSOR["bytes"]))
    assert card.fields() == fields
    assert [dict(e.__dict__) for e in card.earlier] == [word]
    assert Identity(card, signing, sealing).signed_card().hex() == SUCCESSOR["bytes"]
    assert card.fingerprint == SUCCESSOR["fingerprint"]


@pytest.mark.parametrize("data", by_why(SUCCESSOR))
def test_what_the_successor_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        read_card(data)


def test_a_sealed_payload_opens_as_rfc_9180_says():
    sealed, info = bytes.fromhex(SEALED["sealed"]), bytes.fromhex(SEALED["info"])
    identity = Identity(read_card(bytes.fromhex(CARD["bytes"])), SIGNING, SEALING)
    assert identity.unseal(sealed, info).hex() == unseal_2(sealed, info).hex() == SEALED["payload"]
    assert unseal_2(identity.card.seal(b"fresh", info), info) == b"fresh"
    with pytest.raises(MessageError):
        identity.unseal(sealed, info + b"\x00")


# approvals


def approved(data):
    return open_approval(data, site="SVI", study=STUDY["digest"], verify=by_the_key)


def test_the_digest_of_the_study_is_that_of_the_page():
    assert (
        SealedStudy.read(STUDY["text"]).digest == study_digest_2(STUDY["text"]) == STUDY["digest"]
    )


def test_an_approval_is_written_and_read_as_the_vector_says():
    fields = APPROVAL["fields"]
    assert fields["study"] == STUDY["digest"]
    assert fields["study_key"] == KEYS["study_public"]
    assert approved(bytes.fromhex(APPROVAL["bytes"])) == Approval(**fields)
    assert Approval(**fields).dump(SIGNING.sign).hex() == APPROVAL["bytes"]
    assert statement_2({"type": "securefl-approval/1", **fields}).hex() == APPROVAL["bytes"]


@pytest.mark.parametrize("data", by_why(APPROVAL))
def test_what_the_approval_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        approved(data)


# the pages


def test_the_caps_on_the_page_are_those_of_the_code():
    page = (WIRE / "signed-statement.md").read_text("utf-8")
    for kind, cap in (
        ("card/1", MAX_CARD_BYTES),
        ("card/2", MAX_CARD_BYTES),
        ("approval/1", MAX_BYTES),
        ("partners/1", MAX_BOOK_BYTES),
    ):
        assert f"| `securefl-{kind}` | {cap} |" in page


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("identity-card.md", CARD["fields"]),
        ("approval.md", APPROVAL["fields"]),
        ("successor-card.md", SUCCESSOR["earlier"][0]),
    ],
)
def test_each_page_lists_exactly_the_fields_that_travel(page, fields):
    rows = [
        line.split("`")[1]
        for line in (WIRE / page).read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]
    assert sorted(rows) == sorted(fields)
