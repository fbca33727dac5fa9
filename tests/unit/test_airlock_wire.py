"""The page protocols/wire/airlock.md, held to its vectors: by securefl, and by the standard library with
the primitive. And what passes for ciphertext.
"""

import hashlib
import json
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import securefl
from securefl.errors import MessageError
from securefl.identity import verify
from securefl.party.airlock.ciphertexts import check_looks_sealed
from securefl.party.airlock.kinds import KINDS, place_of
from securefl.party.airlock.manifest import AirlockManifest

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "airlock-vectors.json").read_text("utf-8"))
PUBLIC = json.loads((WIRE / "statement-vectors.json").read_text("utf-8"))["keys"]["signing_public"]


def opened(data):
    return AirlockManifest.open(data, verify=lambda s, m: verify(PUBLIC, s, m), sender="SVI")


def test_a_manifest_is_what_the_page_says():
    data = bytes.fromhex(VECTORS["manifest"]["bytes"])
    found = opened(data)
    fields = VECTORS["manifest"]["fields"]
    assert (found.party, found.to, found.number) == ("SVI", "researcher", 7)
    assert {path: (one.bytes, one.sha256) for path, one in found.objects.items()} == {
        path: (one["bytes"], one["sha256"]) for path, one in fields["objects"].items()
    }
    head, _, payload = data.partition(b"\n")
    signature = bytes.fromhex(head.removeprefix(b"securefl-signed/1 ").decode())
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(PUBLIC)).verify(signature, payload)
    plain = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert payload == plain
    assert hashlib.sha256(data).hexdigest() == VECTORS["manifest"]["sha256"]


@pytest.mark.parametrize("row", VECTORS["refused"], ids=lambda row: row["why"])
def test_what_the_page_refuses(row):
    with pytest.raises(MessageError):
        opened(bytes.fromhex(row["bytes"]))


@pytest.mark.parametrize("row", VECTORS["places"], ids=lambda row: row["path"][-40:])
def test_only_known_names_have_a_place(row):
    if row["kind"]:
        assert place_of(row["path"]).kind.word == row["kind"]
        return
    with pytest.raises(MessageError, match="nothing of that name"):
        place_of(row["path"])


def test_the_page_counts_the_kinds_as_the_decision_does():
    text = (WIRE.parents[1] / "docs/decisions/0067-a-board-by-files.md").read_text("utf-8")
    assert f"{len(KINDS)} kinds" in text


def test_ciphertext_passes_and_plaintext_does_not():
    for size in (48, 100, 353, 1200, 70_000):
        for _ in range(20):
            check_looks_sealed(secrets.token_bytes(size), "x")
    table = b"".join(b"%d,F,yes\n" % n for n in range(40))
    floats = b"".join(n.to_bytes(8, "little") for n in range(1000, 1100))
    for plain in (table, floats, bytes(64), b"a" * 47):
        with pytest.raises(MessageError):
            check_looks_sealed(plain, "x")
