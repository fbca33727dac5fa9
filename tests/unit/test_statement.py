"""A signed statement is read in one order of checks, and its refusal names fields, never what stood
in them.
"""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from conftest import fixed_identity

from securefl.errors import MessageError
from securefl.identity import Verifier
from securefl.signed import dump_signed
from securefl.statement import Count, Hex32, HexBytes, Positive, Statement

ME, STRANGER = fixed_identity("SVI", "hospital"), fixed_identity("Stranger", "hospital")
BY_ME = Verifier("SVI", ME.card.signing_public)


@dataclass(frozen=True)
class Word(Statement):
    """A statement with a field of each kind."""

    TYPE: ClassVar[str] = "securefl-test-word/1"
    WHAT: ClassVar[str] = "A word"
    MAX_BYTES: ClassVar[int] = 600

    study: Hex32
    site: str
    number: Positive
    seen: Count
    names: tuple[str, ...]
    data: HexBytes = b""

    def contradiction(self) -> str:
        return "" if self.seen <= self.number else "ahead of itself"


GOOD = Word("ab" * 32, "SVI", 3, 2, ("A", "B"), b"\x00\xff")
BODY = {
    "type": "securefl-test-word/1",
    "study": "ab" * 32,
    "site": "SVI",
    "number": 3,
    "seen": 2,
    "names": ["A", "B"],
    "data": "00ff",
}


def opened(data, **expected):
    return Word.open(data, verify=BY_ME, **({"site": "SVI"} | expected))


def refused(why, data, **expected):
    with pytest.raises(MessageError, match=why) as caught:
        opened(data, **expected)
    assert caught.value.whose == "SVI"
    assert caught.value.next_step
    return str(caught.value)


def test_it_comes_back_as_it_was_said():
    assert GOOD.dump(ME.sign) == dump_signed(BODY, ME.sign)
    assert opened(GOOD.dump(ME.sign)) == GOOD


def test_the_signature_comes_before_all_that_is_in_it():
    refused("signature", dump_signed(BODY | {"number": "private"}, STRANGER.sign))
    refused("at most 600", dump_signed(BODY | {"site": "x" * 600}, ME.sign))
    refused("not a securefl-test-word/1", dump_signed(BODY | {"type": "other/1"}, ME.sign))
    refused("unknown or missing", dump_signed(BODY | {"more": 1}, ME.sign))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("study", "AB" * 32),
        ("study", "ab" * 32 + "\n"),
        ("study", None),
        ("number", 0),
        ("number", True),
        ("number", "3"),
        ("number", 1 << 31),
        ("seen", -1),
        ("names", "AB"),
        ("names", [1]),
        ("data", "00FF"),
        ("data", "0"),
        ("data", "0 0f"),
        ("data", 7),
    ],
    ids=str,
)
def test_a_malformed_field_is_named_and_not_shown(field, value):
    said = refused(f"malformed: {field}", dump_signed(BODY | {field: value}, ME.sign))
    if isinstance(value, str) and len(value) > 2:
        assert value not in said


def test_it_must_be_about_what_the_reader_expects():
    refused("about another study", GOOD.dump(ME.sign), study="cd" * 32)
    with pytest.raises(MessageError, match="about another site"):
        Word.open(GOOD.dump(ME.sign), verify=BY_ME, site="SVHC")


def test_what_fields_say_together_is_checked_last():
    refused("ahead of itself", dump_signed(BODY | {"seen": 4}, ME.sign))


def test_who_makes_one_may_say_anything_and_nobody_reads_it():
    wrong = Word("no digest", "SVI", 3, 2, ())
    refused("malformed: study", wrong.dump(ME.sign))
