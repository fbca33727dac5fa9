"""The page protocols/wire/rounds, held to its vectors twice: by securefl, and by a second
implementation made here from the pages with nothing but the standard library and the primitives.
"""

import hashlib
import hmac
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

import securefl
from securefl.boards.opening import open_board
from securefl.errors import PUBLIC_CODES, MessageError
from securefl.federation import messages, paths
from securefl.federation.group_lot import GroupCommitment, GroupNonce, commitments_sha256
from securefl.federation.hospital_return import Return
from securefl.federation.party_board import MAX_PYSYFT_KEYS
from securefl.federation.sealing import open_model, seal_model, sealed_limit
from securefl.federation.shown_opening import ShownOpening
from securefl.federation.study_board import MAX_EXTRACT
from securefl.federation.study_receipt import Receipt
from securefl.federation.study_request import RequestWay, StudyRequest
from securefl.federation.transcript import MAX_TRANSCRIPT, Transcript
from securefl.identity import Identity, IdentityCard
from securefl.party import audit_extract, pysyft_keys
from securefl.secagg.group_draw import Lot

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
PAGE = (WIRE / "rounds" / "README.md").read_text("utf-8")
VECTORS = json.loads((WIRE / "rounds" / "vectors.json").read_text("utf-8"))
KEYS = json.loads((WIRE / "statement-vectors.json").read_text("utf-8"))["keys"]
STUDY = VECTORS["announcement"]["fields"]["study"]
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["signing_seed"]))
SEALING = X25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["sealing_private"]))
CARD = IdentityCard(
    "SVI",
    "hospital",
    "SVI (test)",
    "svi@example.org",
    KEYS["signing_public"],
    KEYS["sealing_public"],
)
ME = Identity(CARD, SIGNING, SEALING)
COMPLAINED = VECTORS["complaint"]["fields"]
TERMS = SimpleNamespace(
    facts=SimpleNamespace(study=STUDY, round=COMPLAINED["round"], attempt=1),
    round_digest=COMPLAINED["round_digest"],
    cohort=tuple(VECTORS["announcement"]["fields"]["cohort"]),
)


class Holding:
    """A store with one object."""

    def __init__(self, data):
        self.data = data

    def read(self, _path, max_bytes):
        assert len(self.data) <= max_bytes
        return self.data


READ = {
    "announcement": lambda data: messages.Announcement.open(data, study=STUDY, verify=CARD.verify),
    "transcript": lambda data: Transcript.open(
        data, study=STUDY, round=VECTORS["transcript"]["fields"]["round"], verify=CARD.verify
    ),
    "status": lambda data: messages.Status.open(data, study=STUDY, site="SVI", verify=CARD.verify),
    "complaint": lambda data: messages.Complaint.open_in(
        data, terms=TERMS, site="SVI", verify=CARD.verify
    ),
    "call": lambda data: messages.Call.open(data, study=STUDY, verify=CARD.verify),
    "ready": lambda data: messages.Ready.open(data, study=STUDY, site="SVI", verify=CARD.verify),
    "group_commitment": lambda data: GroupCommitment.open(
        data, study=STUDY, site="SVI", verify=CARD.verify
    ),
    "group_nonce": lambda data: GroupNonce.open(data, study=STUDY, site="SVI", verify=CARD.verify),
    "grouped_announcement": lambda data: messages.GroupedAnnouncement.open(
        data, study=STUDY, verify=CARD.verify
    ),
    "return": lambda data: Return.open(data, study=STUDY, site="SVI", verify=CARD.verify),
    "receipt": lambda data: Receipt.open(data, study=STUDY, site="SVI", verify=CARD.verify),
    "end": lambda data: messages.End.open(data, study=STUDY, verify=CARD.verify),
    "invitation": lambda data: messages.Invitation.open(data, study=STUDY, verify=CARD.verify),
    "study_request": lambda data: StudyRequest.open(data, study=STUDY, verify=CARD.verify),
    "request_way": lambda data: RequestWay.open(data, site="SVI", verify=CARD.verify),
    "opening": lambda data: ShownOpening.open(
        data,
        study=STUDY,
        round=VECTORS["opening"]["fields"]["round"],
        attempt=1,
        round_digest=VECTORS["opening"]["fields"]["round_digest"],
        verify=CARD.verify,
    ),
    "pysyft_keys": lambda data: pysyft_keys.signed_fingerprint(
        Holding(data), CARD, "svi@securefl.example"
    ),
}
TYPES = {
    "announcement": "securefl-round-announcement/2",
    "status": "securefl-study-status/2",
    "end": "securefl-study-end/2",
    "invitation": "securefl-study-invitation/1",
    "pysyft_keys": "securefl-pysyft-keys/1",
    "study_request": "securefl-study-request/1",
    "request_way": "securefl-request-way/1",
    "extract": "securefl-audit-extract/1",
    "transcript": "securefl-round-transcript/1",
    "opening": "securefl-round-opening/1",
    "complaint": "securefl-dealing-complaint/1",
    "call": "securefl-study-call/1",
    "ready": "securefl-study-ready/1",
    "return": "securefl-study-return/1",
    "receipt": "securefl-study-receipt/1",
    "group_commitment": "securefl-group-commitment/1",
    "group_nonce": "securefl-group-nonce/1",
    "grouped_announcement": "securefl-grouped-announcement/1",
}
CAPS = {
    "announcement": messages.MAX_ANNOUNCEMENT,
    "status": messages.MAX_SMALL,
    "end": messages.MAX_SMALL,
    "invitation": messages.MAX_SMALL,
    "pysyft_keys": MAX_PYSYFT_KEYS,
    "study_request": StudyRequest.MAX_BYTES,
    "request_way": RequestWay.MAX_BYTES,
    "extract": MAX_EXTRACT,
    "transcript": MAX_TRANSCRIPT,
    "opening": ShownOpening.MAX_BYTES,
    "complaint": messages.MAX_SMALL,
    "call": messages.MAX_SMALL,
    "ready": messages.MAX_SMALL,
    "return": Return.MAX_BYTES,
    "receipt": Receipt.MAX_BYTES,
    "group_commitment": messages.MAX_SMALL,
    "group_nonce": messages.MAX_SMALL,
}


# the second implementation


def statement_2(kind, fields):
    body = json.dumps(
        {"type": kind, **fields}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    return b"securefl-signed/1 " + SIGNING.sign(body).hex().encode() + b"\n" + body


def unseal_2(sealed, info):
    return bytes(
        Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305).decrypt(
            sealed, SEALING, info=info
        )
    )


def open_model_2(data, name, context):
    size = int.from_bytes(data[:4], "big")
    wrapped = bytes.fromhex(json.loads(data[4 : 4 + size])[name])
    key = unseal_2(wrapped, f"securefl/global-model/1/key/{name}/{context}".encode())
    return ChaCha20Poly1305(key).decrypt(
        bytes(12), data[4 + size :], f"securefl/global-model/1{context}".encode()
    )


def seal_model_2(payload, name, context):
    key = hashlib.sha256(b"a content key of this test").digest()
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    wrapped = suite.encrypt(
        key, SEALING.public_key(), info=f"securefl/global-model/1/key/{name}/{context}".encode()
    )
    head = json.dumps({name: bytes(wrapped).hex()}, separators=(",", ":")).encode()
    body = ChaCha20Poly1305(key).encrypt(
        bytes(12), payload, f"securefl/global-model/1{context}".encode()
    )
    return len(head).to_bytes(4, "big") + head + body


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    return [as_json(item) for item in value] if isinstance(value, tuple) else value


def framed_2(*parts):
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def groups_2(vector):
    """The lot's groups by the page alone."""
    nonces = {site: bytes.fromhex(nonce) for site, nonce in vector["nonces"].items()}
    shown = [part for site in sorted(nonces) for part in (site.encode(), nonces[site])]
    least = vector["least"].to_bytes(8, "big")
    facts = (b"securefl group lot v3", vector["study"].encode(), least)
    lot = hashlib.sha256(framed_2(*facts, *shown)).digest()
    order = sorted(nonces, key=lambda site: hmac.digest(lot, site.encode(), "sha256"))
    count = len(order) // vector["least"]
    return sorted(sorted(order[place::count]) for place in range(count))


# statements


@pytest.mark.parametrize("name", TYPES)
def test_a_statement_is_written_byte_for_byte_as_the_vector_says(name):
    assert statement_2(TYPES[name], VECTORS[name]["fields"]).hex() == VECTORS[name]["bytes"]


def test_securefl_writes_the_same_bytes():
    fields = VECTORS["announcement"]["fields"]
    assert (
        messages.Announcement(
            **{**fields, "cohort": tuple(fields["cohort"]), "instances": tuple(fields["instances"])}
        )
        .dump(ME.sign)
        .hex()
        == VECTORS["announcement"]["bytes"]
    )
    fields = VECTORS["transcript"]["fields"]
    assert (
        Transcript(**{**fields, "cohort": tuple(fields["cohort"])}).dump(ME.sign).hex()
        == VECTORS["transcript"]["bytes"]
    )
    for name, kind in (
        ("call", messages.Call),
        ("ready", messages.Ready),
        ("status", messages.Status),
        ("end", messages.End),
        ("invitation", messages.Invitation),
        ("study_request", StudyRequest),
        ("complaint", messages.Complaint),
        ("group_commitment", GroupCommitment),
        ("group_nonce", GroupNonce),
        ("receipt", Receipt),
    ):
        assert kind(**VECTORS[name]["fields"]).dump(ME.sign).hex() == VECTORS[name]["bytes"]
    written = {}

    class Remembering:
        def post(self, path, data):
            written[path] = data

    keys = VECTORS["pysyft_keys"]["fields"]
    pysyft_keys.publish_pysyft_keys(Remembering(), ME, keys["email"], keys["fingerprint"])
    assert written["identities/SVI/pysyft"].hex() == VECTORS["pysyft_keys"]["bytes"]


@pytest.mark.parametrize("name", READ)
def test_a_statement_is_read(name):
    found, fields = READ[name](bytes.fromhex(VECTORS[name]["bytes"])), VECTORS[name]["fields"]
    if name == "pysyft_keys":
        assert found == fields["fingerprint"]
    else:
        assert {k: as_json(v) for k, v in found.__dict__.items()} == fields


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param(name, bytes.fromhex(r["bytes"]), id=f"{name}: {r['why']}")
        for name in READ
        for r in VECTORS[name]["refused"]
    ],
)
def test_what_the_page_refuses_is_refused(name, data):
    with pytest.raises(MessageError):
        READ[name](data)


def test_the_announcements_digest_is_that_of_its_facts():
    canonical = json.dumps(VECTORS["facts"], sort_keys=True, separators=(",", ":")).encode()
    said = VECTORS["announcement"]["fields"]
    assert hashlib.sha256(canonical).hexdigest() == said["round_digest"]
    assert (
        said["model_sha256"]
        == hashlib.sha256(bytes.fromhex(VECTORS["sealed_model"]["payload"])).hexdigest()
    )
    assert (
        said["sealed_sha256"]
        == hashlib.sha256(bytes.fromhex(VECTORS["sealed_model"]["bytes"])).hexdigest()
    )


def test_the_lot_is_that_of_the_page():
    vector = VECTORS["lot"]
    study, site = vector["study"], "SVI"
    nonces = {name: bytes.fromhex(nonce) for name, nonce in vector["nonces"].items()}
    bound = framed_2(b"securefl group nonce v2", study.encode(), site.encode(), nonces[site])
    assert hashlib.sha256(bound).hexdigest() == VECTORS["group_commitment"]["fields"]["commitment"]
    committed = {name: bytes.fromhex(one) for name, one in vector["commitments"].items()}
    lot = Lot.open(study, committed, nonces)
    found = [list(group) for group in lot.groups(vector["least"])]
    assert found == groups_2(vector) == vector["groups"]
    saw = VECTORS["group_nonce"]["fields"]["commitments"]
    assert commitments_sha256(vector["commitments"]) == saw


# what is sealed


def test_a_sealed_model_opens_with_the_key_of_the_vector():
    vector = VECTORS["sealed_model"]
    data, context = bytes.fromhex(vector["bytes"]), vector["context"]
    assert (
        open_model(data, ME, context.encode()).hex()
        == open_model_2(data, "SVI", context).hex()
        == vector["payload"]
    )
    with pytest.raises(MessageError):
        open_model(data, ME, context.replace("/3/", "/4/").encode())
    with pytest.raises(InvalidTag):
        ChaCha20Poly1305(bytes(32)).decrypt(bytes(12), data[-40:], b"")


def test_each_implementation_opens_what_the_other_sealed():
    payload, context = b"\x01\x02" * 40, "ab" * 32 + "/7/1"
    assert open_model_2(seal_model(payload, [CARD], context.encode()), "SVI", context) == payload
    assert open_model(seal_model_2(payload, "SVI", context), ME, context.encode()) == payload


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes.fromhex(r["bytes"]), id=r["why"])
        for r in VECTORS["sealed_model"]["refused"]
    ],
)
def test_a_sealed_model_that_the_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        open_model(data, ME, VECTORS["sealed_model"]["context"].encode())


def test_an_opening_is_read_by_the_page():
    vector = VECTORS["opening"]
    sealed, context = bytes.fromhex(vector["fields"]["sealed"]), vector["context"]
    payload = open_model_2(sealed, "SVI", context)
    assert payload.hex() == vector["payload"]
    coefficients = [(byte >> 2 * place & 3) - 1 for byte in payload[:1024] for place in range(4)]
    assert coefficients == [7919 * i % 3 - 1 for i in range(4096)]
    total = b"".join(v.to_bytes(8, "little", signed=True) for v in vector["total"])
    assert payload[1024:] == hashlib.sha256(total).digest()
    secret, total_hash = READ["opening"](bytes.fromhex(vector["bytes"])).read(ME)
    assert secret.values.tolist() == coefficients
    assert total_hash == hashlib.sha256(total).hexdigest()


def test_an_opening_for_somebody_else_or_of_another_length_is_refused():
    fields = VECTORS["opening"]["fields"]
    context = VECTORS["opening"]["context"].encode()
    for payload, under, match in (
        (bytes(1055), context, "another length"),
        (bytes(1056), context.replace(b"/3/", b"/4/"), "not sealed to this hospital"),
        (b"\xff" * 1056, context, "not ternary"),
    ):
        sealed = bytes(seal_model(payload, [CARD], under))
        with pytest.raises(MessageError, match=match):
            ShownOpening(**{**fields, "sealed": sealed}).read(ME)


def test_an_extract_opens_with_the_key_of_the_vector():
    vector = VECTORS["extract"]
    info, sealed = bytes.fromhex(vector["info"]), bytes.fromhex(vector["sealed"])
    assert info == f"securefl/extract/1/{STUDY}/SVI".encode() == audit_extract._info(STUDY, "SVI")
    assert ME.unseal(sealed, info).hex() == unseal_2(sealed, info).hex() == vector["bytes"]

    class AStudy:
        def participant(self, _):
            return CARD

    assert audit_extract.read_extract(Holding(sealed), ME, STUDY, "SVI", AStudy()) == json.loads(
        vector["fields"]["extract"]
    )


# the page


def section(title):
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Announcement", "announcement"),
        ("Opening", "opening"),
        ("Transcript", "transcript"),
        ("Call", "call"),
        ("Ready", "ready"),
        ("Group commitment", "group_commitment"),
        ("Group nonce", "group_nonce"),
        ("Status", "status"),
        ("Complaint", "complaint"),
        ("End", "end"),
        ("Invitation", "invitation"),
        ("Request", "study_request"),
        ("Request way", "request_way"),
        ("Extract", "extract"),
        ("PySyft keys", "pysyft_keys"),
    ],
)
def test_the_page_names_type_cap_and_fields_as_they_are(title, name):
    text = section(title)
    assert f"`{TYPES[name]}`" in text
    assert f"at most {CAPS[name]} bytes" in text
    assert {
        f
        for row in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
        for f in re.findall(r"`(\w+)`", row)
    } == set(VECTORS[name]["fields"])


def test_the_page_lists_the_codes():
    listed = re.search(r"^Codes: (.*?)\. ", section("Status"), re.MULTILINE | re.DOTALL).group(1)
    assert set(re.findall(r"`([\w-]+)`", listed)) == PUBLIC_CODES


def test_the_page_names_the_limit_of_a_sealed_model():
    assert "8 · parameters + 22 + 256 · hospitals" in PAGE
    assert sealed_limit(1000, 7) == 8 * 1000 + 22 + 256 * 7


def test_the_page_names_every_place_in_the_store(tmp_path):
    at = paths.RoundPaths("<digest>", 1)
    places = [
        paths.study_file("<digest>"),
        paths.invitation("<digest>"),
        paths.request("<digest>"),
        paths.approval("<digest>", "<site>"),
        paths.call("<digest>"),
        paths.ready("<digest>", "<site>"),
        paths.group_commitment("<digest>", "<site>"),
        paths.group_nonce("<digest>", "<site>"),
        at.key,
        at.model,
        at.announcement,
        at.contribution("<site>"),
        at.complaint("<site>"),
        at.sum,
        at.opening,
        at.transcript,
        paths.status("<digest>", "<name>"),
        paths.ending("<digest>"),
        paths.extract("<digest>", "<site>"),
        paths.pysyft_keys("<name>"),
        paths.request_way("<name>"),
    ]
    for place in places:
        assert f"| `{place.replace('00001-1', '<round>-<attempt>')}` |" in PAGE
    store = open_board(str(tmp_path))
    for place in places:  # names are canonical paths of every store
        store.post(
            place.replace("<digest>", "ab" * 32).replace("<site>", "SVI").replace("<name>", "SVI"),
            b"",
        )
