"""The page protocols/wire/question.md, held to its vectors: by securefl, and by the standard library
with the primitive.
"""

import hashlib
import json
import re
import unicodedata
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import securefl
from securefl.errors import MessageError
from securefl.federation import paths
from securefl.federation.offers import Offer
from securefl.federation.questions import Place, Question, Reply
from securefl.identity import verify

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "question-vectors.json").read_text("utf-8"))
HOSPITAL = json.loads((WIRE / "statement-vectors.json").read_text("utf-8"))["keys"][
    "signing_public"
]
COORDINATOR = VECTORS["coordinator"]["signing_public"]
STUDY, SITE = VECTORS["study"], VECTORS["site"]
ASKED = bytes.fromhex(VECTORS["question"]["bytes"])
KEYS = {"question": HOSPITAL, "reply": COORDINATOR, "offer": HOSPITAL}
PLACE = Place(STUDY, SITE, 1)


def opened(kind, data):
    """The statement as securefl reads it at its place."""

    def by(signature, message):
        return verify(KEYS[kind], signature, message)

    if kind == "question":
        return PLACE.question(data, by)
    if kind == "reply":
        return PLACE.reply(data, ASKED, by)
    return Offer.open(data, verify=by, study=STUDY, site=SITE)


# the second reader, made from the page

FIELDS = {
    "question": {"type", "study", "site", "number", "text", "at"},
    "reply": {"type", "study", "site", "number", "question", "text", "at"},
    "offer": {"type", "study", "site", "epsilon", "closes", "at"},
}


def read_2(kind, data):
    """Fields of the statement, or ValueError."""
    head, _, payload = data.partition(b"\n")
    signature = bytes.fromhex(head.removeprefix(b"securefl-signed/1 ").decode())
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEYS[kind])).verify(signature, payload)
    except InvalidSignature:
        raise ValueError("signature") from None
    fields = json.loads(payload)
    right = fields["type"] == f"securefl-study-{kind}/1" and set(fields) == FIELDS[kind]
    right = right and (fields["study"], fields["site"]) == (STUDY, SITE)
    right = right and len(fields["at"]) <= 40
    if kind == "offer":
        for name, form in (
            ("epsilon", r"([0-9]{1,4}(\.[0-9]{1,6})?)?"),
            ("closes", r"(\d{4}-\d\d-\d\d)?"),
        ):
            right = (
                right and isinstance(fields[name], str) and bool(re.fullmatch(form, fields[name]))
            )
    else:
        text = fields.get("text", "")
        signs = {unicodedata.category(sign) for sign in text if sign != "\n"}
        right = right and fields.get("number") == 1 and bool(text.strip())
        right = right and len(text) <= 2000 and not signs & {"Cc", "Cs"}
    if kind == "reply":
        right = right and fields["question"] == hashlib.sha256(ASKED).hexdigest()
    if not right:
        raise ValueError("fields")
    return fields


GOOD = [
    *((kind, VECTORS[kind]) for kind in ("question", "reply", "offer")),
    *(("offer", row) for row in VECTORS["offers"]),
]


@pytest.mark.parametrize(("kind", "row"), GOOD)
def test_a_statement_is_what_the_page_says(kind, row):
    data = bytes.fromhex(row["bytes"])
    found = opened(kind, data)
    assert read_2(kind, data) == row["fields"]
    for name, value in row["fields"].items():
        if name != "type":
            assert getattr(found, name) == value
    plain = json.dumps(row["fields"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data.partition(b"\n")[2] == plain.encode()


@pytest.mark.parametrize("row", VECTORS["refused"], ids=lambda row: f"{row['kind']}: {row['why']}")
def test_what_the_page_refuses_both_readers_refuse(row):
    data = bytes.fromhex(row["bytes"])
    with pytest.raises(MessageError):
        opened(row["kind"], data)
    with pytest.raises(ValueError, match=r"signature|fields"):
        read_2(row["kind"], data)


def test_an_answer_belongs_to_the_bytes_of_one_question():
    assert hashlib.sha256(ASKED).hexdigest() == VECTORS["question"]["sha256"]
    # the same words signed at another time are another question
    with pytest.raises(MessageError):
        PLACE.reply(
            bytes.fromhex(VECTORS["reply"]["bytes"]),
            ASKED + b" ",
            lambda s, m: verify(COORDINATOR, s, m),
        )


def test_the_page_has_the_places_caps_and_types_of_the_program():
    page = (WIRE / "question.md").read_text("utf-8")
    for kind, place in (
        (Question, paths.question("STUDY", "SITE", 1).replace("01", "NN")),
        (Reply, paths.reply("STUDY", "SITE", 1).replace("01", "NN")),
        (Offer, paths.offer("STUDY", "SITE")),
    ):
        row = next(line for line in page.splitlines() if f"`{kind.TYPE}`" in line)
        assert f"`{place}`" in row
        assert row.endswith(f"| {kind.MAX_BYTES} |")
