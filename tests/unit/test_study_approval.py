import json

import pytest
from conftest import fixed_identity

from securefl.errors import MessageError
from securefl.signed import canonical, dump_signed
from securefl.study.approval import MAX_BYTES, Approval, open_approval

SVI, SVHC = fixed_identity("SVI", "hospital"), fixed_identity("SVHC", "hospital")
STUDY, OTHER = "a" * 64, "b" * 64
APPROVAL = Approval(STUDY, "SVI", SVI.card.signing_public, "3c" * 32, "2026-01-02T03:04:05Z")
DATA = APPROVAL.dump(SVI.sign)


def opened(data, *, site="SVI", study=STUDY, verify=SVI.card.verify):
    return open_approval(data, site=site, study=study, verify=verify)


def refused(data, why, **more):
    with pytest.raises(MessageError, match=why) as caught:
        opened(data, **more)
    assert caught.value.whose == more.get("site", "SVI")
    assert caught.value.next_step


def with_fields(identity=SVI, **changes):
    return dump_signed({"type": Approval.TYPE, **APPROVAL.__dict__, **changes}, identity.sign)


def test_an_approval_comes_back_as_it_was_signed():
    assert opened(DATA) == APPROVAL


def test_a_wrong_key_is_refused():
    refused(DATA, "signature", verify=SVHC.card.verify)
    refused(APPROVAL.dump(SVHC.sign), "signature")


def test_an_approval_of_another_study_is_refused():
    refused(DATA, "about another study", study=OTHER)


def test_an_approval_by_another_site_is_refused_even_with_the_right_key():
    refused(DATA, "about another site", site="SVHC")


def test_an_approval_that_names_another_key_than_its_own_is_refused():
    for key in (
        SVHC.card.signing_public,
        "",
        "z" * 64,
        SVI.card.signing_public.upper(),
        SVI.card.sealing_public,
    ):
        refused(with_fields(signing_public=key), "not the one that signed it")


def test_an_oversized_approval_is_refused_unread():
    refused(with_fields(at="x" * MAX_BYTES), f"at most {MAX_BYTES} are read")


def test_an_approval_in_another_byte_form_is_refused():
    payload = json.dumps({"type": Approval.TYPE, **APPROVAL.__dict__}, indent=1).encode()
    refused(b"securefl-signed/1 " + SVI.sign(payload).hex().encode() + b"\n" + payload, "canonical")


def test_an_approval_with_a_key_twice_is_refused():
    body = canonical({"type": Approval.TYPE, **APPROVAL.__dict__})
    payload = body.replace(b'"at":', f'"study":"{OTHER}","at":'.encode(), 1)
    refused(b"securefl-signed/1 " + SVI.sign(payload).hex().encode() + b"\n" + payload, "canonical")


@pytest.mark.parametrize("cut", [0, 1, 100, len(DATA) - 1])
def test_a_truncated_approval_is_refused(cut):
    refused(DATA[:cut], "refused")


@pytest.mark.parametrize("field", list(APPROVAL.__dict__))
def test_every_field_is_needed_and_is_text(field):
    body = {"type": Approval.TYPE, **APPROVAL.__dict__}
    refused(
        dump_signed({k: v for k, v in body.items() if k != field}, SVI.sign),
        "unknown or missing fields",
    )
    for value in (None, 1, ["x"], {}):
        refused(with_fields(**{field: value}), f"malformed: {field}")


def test_an_unknown_field_or_kind_is_refused():
    refused(with_fields(more="x"), "unknown or missing fields")
    refused(with_fields(type="securefl-approval/2"), f"not a {Approval.TYPE}")


@pytest.mark.parametrize("key", ["", "c" * 63, "c" * 65, "C" * 64, "g" * 64, "c" * 63 + "\n"])
def test_a_study_key_is_32_bytes_in_hex(key):
    refused(with_fields(study_key=key), "study key is not 32 bytes")


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-01-02T03:04:05Z\n",
        "\x1b[2J",
        "2026-01-02T03:04:05+01:00",
    ],
)
def test_the_time_shown_to_people_is_a_time_in_utc(at):
    refused(with_fields(at=at), "time is not a date and time")


@pytest.mark.parametrize(
    "at", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05+00:00"]
)
def test_the_usual_ways_to_write_utc_are_read(at):
    assert opened(with_fields(at=at)).at == at


def test_a_card_or_another_statement_is_no_approval():
    refused(SVI.signed_card(), f"not a {Approval.TYPE}")
