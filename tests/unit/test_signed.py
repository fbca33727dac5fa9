import json

import pytest
from conftest import fixed_identity

from securefl.errors import MessageError
from securefl.signed import canonical, dump_signed, open_signed, peek_signed

KIND = "securefl-test/1"
SVI = fixed_identity("SVI", "hospital")
BODY = {"type": KIND, "n": 3, "s": "é", "list": [None, True, {"a": 1}]}
FIELDS = frozenset(BODY) - {"type"}
DATA = dump_signed(BODY, SVI.sign)


def opened(data, *, kind=KIND, fields=FIELDS, verify=SVI.card.verify, max_bytes=4096):
    return open_signed(
        data, kind=kind, fields=fields, verify=verify, sender="SVI", max_bytes=max_bytes
    )


def signed(payload: bytes) -> bytes:
    return b"securefl-signed/1 " + SVI.sign(payload).hex().encode() + b"\n" + payload


def test_what_was_signed_is_what_is_read():
    assert opened(DATA) == {k: v for k, v in BODY.items() if k != "type"}


def test_a_refusal_names_the_sender_and_the_next_step():
    with pytest.raises(MessageError) as caught:
        opened(b"")
    assert caught.value.whose == "SVI"
    assert "SVI" in caught.value.next_step


def test_too_many_bytes_are_refused_before_the_signature_is_looked_at():
    def never(signature, message):
        raise AssertionError("must not be asked")

    with pytest.raises(MessageError, match="at most 10 are read"):
        opened(DATA, verify=never, max_bytes=10)


def test_a_wrong_signature_is_refused_before_anything_is_parsed():
    with pytest.raises(MessageError, match="signature"):
        opened(b"securefl-signed/1 " + b"0" * 128 + b"\n{not json")


def test_another_key_is_refused():
    with pytest.raises(MessageError, match="signature"):
        opened(DATA, verify=fixed_identity("SVHC", "hospital").card.verify)


@pytest.mark.parametrize("i", range(len(DATA)))
def test_every_altered_byte_is_refused(i):
    with pytest.raises(MessageError):
        opened(DATA[:i] + bytes([DATA[i] ^ 1]) + DATA[i + 1 :])


@pytest.mark.parametrize("cut", [0, 5, 17, 18, 100, 146, 147, 148, len(DATA) - 1])
def test_a_truncated_statement_is_refused(cut):
    with pytest.raises(MessageError):
        opened(DATA[:cut])


def test_a_signature_has_one_spelling():
    head, rest = DATA[:18], DATA[18:]
    upper = head + rest[:128].upper() + rest[128:]
    assert upper != DATA
    with pytest.raises(MessageError, match="not a signed statement"):
        opened(upper)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"type":"securefl-test/1",}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "not JSON"),
        (b"1" * 5_000, "not JSON"),
        (b'{"a":1.5}', "not JSON"),
        (b'{"a":-0.0}', "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":9007199254740993}', "not JSON"),
        (b'{"a":"\\ud800"}', "not JSON"),
        (b'{"a": 1}', "canonical"),
        (b'{"b":1,"a":1}', "canonical"),
        (b'{"a":1,"a":1}', "canonical"),
        (b'{"a":1,"a":2}', "canonical"),
        (b'{"a":"\\u0041"}', "canonical"),
        (b'{"a":-0}', "canonical"),
        ('{"a":1}'.encode("utf-16"), "canonical"),
        (b"[]", "canonical"),
        (b'"text"', "canonical"),
        (b"{}", "not a securefl-test/1"),
        (b'{"type":["securefl-test/1"]}', "not a securefl-test/1"),
        (b'{"type":"securefl-other/1"}', "not a securefl-test/1"),
        (b'{"type":"securefl-test/1"}', "unknown or missing fields"),
        (canonical(BODY | {"more": 1}), "unknown or missing fields"),
    ],
)
def test_even_a_rightly_signed_statement_must_be_canonical_and_of_the_kind_and_fields_expected(
    payload, why
):
    with pytest.raises(MessageError, match=why):
        opened(signed(payload), max_bytes=1 << 20)


def test_a_statement_of_one_kind_does_not_pass_for_another():
    with pytest.raises(MessageError, match="not a securefl-else/1"):
        opened(DATA, kind="securefl-else/1")


def test_canonical_json_sorts_keys_and_keeps_letters():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


def test_a_self_signed_statement_is_handed_over_with_what_was_signed():
    body, signature, message = peek_signed(DATA, forms={KIND: FIELDS}, sender="SVI", max_bytes=4096)
    assert body["n"] == 3
    assert SVI.card.verify(signature, message)
    assert json.loads(message)["type"] == KIND


def test_peeking_checks_size_and_form_as_opening_does():
    for data in (DATA[:-1], DATA + b" ", DATA * 40):
        with pytest.raises(MessageError):
            peek_signed(data, forms={KIND: FIELDS}, sender="SVI", max_bytes=4096)
