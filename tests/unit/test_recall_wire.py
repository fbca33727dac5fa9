"""The page protocols/wire/recall.md, held to its vectors by securefl and by a reader that knows only the
page.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

import securefl
from securefl.errors import MessageError
from securefl.identity import verify
from securefl.learning.model_notices import Recall

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "recall-vectors.json").read_text("utf-8"))
KEYS = json.loads((WIRE / "statement-vectors.json").read_text("utf-8"))["keys"]
ABOUT = {name: VECTORS[name] for name in ("study", "model", "site")}
GOOD = bytes.fromhex(VECTORS["recall"]["bytes"])
FORMS = {
    "type": re.compile(r"securefl-model-recall/1"),
    "study": re.compile(r"[0-9a-f]{64}"),
    "model": re.compile(r"[0-9a-f]{64}"),
    "site": re.compile(r".+"),
    "reason": re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,400}"),
    "at": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
}


def opened(data):
    def by_hospital(signature, message):
        return verify(KEYS["signing_public"], signature, message)

    return Recall.open(data, verify=by_hospital, **ABOUT)


def read_2(data):
    """The fields of a recall; None for what the page refuses."""
    first_line = re.match(rb"securefl-signed/1 ([0-9a-f]{128})\n", data)
    if len(data) > 4096 or first_line is None:
        return None
    payload = data[first_line.end() :]
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEYS["signing_public"]))
        key.verify(bytes.fromhex(first_line[1].decode()), payload)
    except InvalidSignature:
        return None
    body = json.loads(payload)
    again = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if again.encode() != payload or set(body) != set(FORMS):
        return None
    if not all(isinstance(body[n], str) and form.fullmatch(body[n]) for n, form in FORMS.items()):
        return None
    return body if ABOUT.items() <= body.items() else None


def test_both_read_the_vector():
    fields = VECTORS["recall"]["fields"]
    assert read_2(GOOD) == fields
    found = opened(GOOD)
    assert {"type": found.TYPE, **found.__dict__} == fields


def test_securefl_writes_exactly_the_vector():
    fields = {name: text for name, text in VECTORS["recall"]["fields"].items() if name != "type"}
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["signing_seed"]))
    assert Recall(**fields).dump(key.sign) == GOOD


@pytest.mark.parametrize("row", VECTORS["refused"], ids=lambda row: row["why"])
def test_what_the_page_refuses_both_refuse(row):
    data = bytes.fromhex(row["bytes"])
    assert read_2(data) is None
    with pytest.raises(MessageError):
        opened(data)
