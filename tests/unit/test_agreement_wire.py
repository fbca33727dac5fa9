"""The page protocols/wire/agreement.md, held to its vectors by securefl and by code that knows only
the page.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from agreements import agreement_text
from conftest import fixed_identity
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import securefl
from securefl.agreement.sealed import SealedAgreement
from securefl.agreement.signatures import AgreementSignature, LeavingNotice
from securefl.identity import Verifier
from securefl.party.invitation import MAX_INVITATION
from securefl.party.vouch import MOST_DAYS, Vouch
from securefl.statement import MAX_SMALL
from securefl.study.parse import MAX_BYTES

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "agreement-vectors.json").read_text("utf-8"))
PAGE = (WIRE / "agreement.md").read_text("utf-8")
SIGNER = fixed_identity("SVI", "hospital")
KINDS = {"signature": AgreementSignature, "notice": LeavingNotice}


def test_securefl_writes_exactly_the_vectors():
    assert agreement_text() == VECTORS["text"]
    assert SealedAgreement.read(VECTORS["text"].encode()).digest == VECTORS["digest"]
    assert SIGNER.card.signing_public == VECTORS["signing_public"]
    for name, kind in KINDS.items():
        made = kind(VECTORS["digest"], "SVI", VECTORS["at"])
        assert made.dump(SIGNER.sign).hex() == VECTORS[name]


@pytest.mark.parametrize("name", KINDS)
def test_the_vectors_are_read(name):
    found = KINDS[name].open(
        bytes.fromhex(VECTORS[name]),
        verify=Verifier("SVI", VECTORS["signing_public"]),
        sender="SVI",
        agreement=VECTORS["digest"],
        party="SVI",
    )
    assert found.at == VECTORS["at"]


def test_the_vouch_is_written_read_and_stated():
    card = fixed_identity("SVHC", "hospital").card
    said = (card.name, card.role, card.legal_name, card.email, card.fingerprint)
    made = Vouch("SVI", *said, VECTORS["at"], "2026-04-02T03:04:05Z")
    assert made.dump(SIGNER.sign).hex() == VECTORS["vouch"]
    head, _, body = bytes.fromhex(VECTORS["vouch"]).partition(b"\n")
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(VECTORS["signing_public"]))
    key.verify(bytes.fromhex(head.rsplit(b" ", 1)[1].decode()), body)
    fields = json.loads(body)
    assert fields.pop("type") == Vouch.TYPE
    assert all(f"`{name}`" in PAGE for name in fields)
    assert f"at most {MOST_DAYS} days" in PAGE


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_reader_that_knows_only_the_page_comes_to_the_same():
    values = plain(tomllib.loads(VECTORS["text"]))
    digest = hashlib.sha256(b"securefl-agreement-digest/1\n" + canonical(values)).hexdigest()
    assert digest == VECTORS["digest"]
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(VECTORS["signing_public"]))
    for name, kind in (("signature", "signature"), ("notice", "leaving")):
        head, _, body = bytes.fromhex(VECTORS[name]).partition(b"\n")
        key.verify(bytes.fromhex(head.rsplit(b" ", 1)[1].decode()), body)
        assert json.loads(body) == {
            "type": f"securefl-agreement-{kind}/1",
            "agreement": digest,
            "party": "SVI",
            "at": VECTORS["at"],
        }
        assert canonical(json.loads(body)) == body


def test_the_page_states_the_constants():
    for text in (
        AgreementSignature.TYPE,
        LeavingNotice.TYPE,
        Vouch.TYPE,
        "securefl-agreement-digest/1",
        f"at most {MAX_BYTES:,} bytes",
        f"at most {MAX_SMALL} bytes",
        f"at most {MAX_INVITATION // 2**20} MiB",
    ):
        assert text in PAGE
