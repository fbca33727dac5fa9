"""The page in protocols/wire/ledger: vectors with fixed keys, checked with ours and with code that
knows only the page.
"""

import hashlib
import json
import re
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from ledger_site import vector_ledger, verify, verify_next

from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import NANO
from securefl.privacy.ledger_chain import Row, follow_all, read_checkpoint
from securefl.privacy.ledger_file import LedgerFile

FOLDER = Path(__file__).parents[2] / "protocols" / "wire" / "ledger"
VECTORS = json.loads((FOLDER / "vectors.json").read_text())
PAGE = (FOLDER / "README.md").read_text()


def test_the_ledger_writes_exactly_the_vectors(tmp_path):
    vector_ledger(tmp_path / "x").close()
    rows = [row.__dict__ for row in LedgerFile.open(tmp_path / "x").rows()]
    assert rows == VECTORS["rows"]


def test_the_vectors_are_read_and_mean_what_the_page_says():
    head = follow_all([Row(**r) for r in VECTORS["rows"]], verify)
    assert follow_all([Row(**r) for r in VECTORS["rows"]], verify_next) == head
    assert head.hash == VECTORS["head"]
    budget = head.state.budgets["thyroid"]
    assert [budget.order, budget.cap, head.state.used("thyroid")] == [
        VECTORS["order"],
        VECTORS["cap"],
        VECTORS["used"],
    ]
    assert {s.approval.id: s.status for s in head.state.studies.values()} == VECTORS["studies"]
    checkpoint = read_checkpoint(VECTORS["checkpoint"].encode(), site="SVI", verify=verify_next)
    assert (checkpoint.size, checkpoint.head) == (len(VECTORS["rows"]), head.hash)


def test_a_reader_that_knows_only_the_page_comes_to_the_same():
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["signing_key"])).public_key()
    assert (
        key.public_bytes_raw().hex()
        == VECTORS["public_key"]
        == json.loads(VECTORS["rows"][0]["body"])["key"]
    )
    prev, in_force = "0" * 64, VECTORS["public_key"]
    for number, row in enumerate(VECTORS["rows"], 1):
        assert row["seq"] == number
        assert row["prev"] == prev
        text = f"securefl-ledger-row/1\n{number}\n{prev}\n{row['body']}".encode()
        prev = hashlib.sha256(text).hexdigest()
        assert row["hash"] == prev
        signed = b"securefl-ledger-signature/1\n" + bytes.fromhex(prev)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(in_force)).verify(
            bytes.fromhex(row["signature"]), signed
        )
        event = json.loads(row["body"])
        assert rfc8785.dumps(event).decode() == row["body"]
        if event["kind"] == "rotate":
            vouched = f"securefl-ledger-rotation/1\nSVI\n{in_force}\n{event['key']}\n{number}\n{row['prev']}".encode()
            in_force = event["key"]
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(in_force)).verify(
                bytes.fromhex(event["proof"]), vouched
            )
    assert in_force == VECTORS["last_key"] != VECTORS["public_key"]


def test_every_kind_of_event_is_in_the_vectors_and_on_the_page():
    kinds = set(ev._ADAPTER.core_schema["choices"])
    assert {json.loads(r["body"])["kind"] for r in VECTORS["rows"]} == kinds
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == kinds


@pytest.mark.parametrize("kind", sorted(ev._ADAPTER.core_schema["choices"]))
def test_the_page_names_every_field(kind):
    (line,) = [text for text in PAGE.splitlines() if text.startswith(f"| `{kind}` |")]
    fields = next(
        json.loads(r["body"]) for r in VECTORS["rows"] if json.loads(r["body"])["kind"] == kind
    )
    assert set(re.findall(r"`([a-z0-9_]+)`", line.split("|")[2])) == set(fields) - {"kind", "at"}


def test_the_page_states_the_constants():
    assert f"{NANO:,}" in PAGE
    assert ev.FORMAT in PAGE
    for label in (
        "securefl-ledger-row/1",
        "securefl-ledger-signature/1",
        "securefl-ledger-rotation/1",
        "securefl-checkpoint/1",
        "0x73666C31",
    ):
        assert label in PAGE
