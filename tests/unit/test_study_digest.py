import hashlib
import json
import re

import pytest
from conftest import PROTOCOL, edited, make_study

from securefl.errors import StudyError
from securefl.study.parse import load_raw, plain
from securefl.study.seal import dump_toml
from securefl.study.sealed import SealedStudy

TEXT = make_study()[0]


def test_the_digest_is_the_labelled_sha256_of_the_canonical_json():
    # json.dumps is canonical for what a study holds: ASCII keys, texts, whole numbers, booleans
    canonical = json.dumps(
        plain(load_raw(TEXT)), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert (
        SealedStudy.read(TEXT).digest
        == hashlib.sha256(b"securefl-study-digest/1\n" + canonical.encode()).hexdigest()
    )


def test_the_digest_of_the_small_study_never_moves():
    assert (
        SealedStudy.read(TEXT).digest
        == "0f91742c819f98ffe1963427a78295654d1571a61fc92431a618b83187ee3e81"
    )


@pytest.mark.parametrize(
    "same",
    [
        TEXT.encode(),
        "# a comment\n" + TEXT,
        TEXT.replace("\n", "\r\n"),
        re.sub(r"(?m)^(\w+) = ", r"\1=", TEXT),
        TEXT.replace("\n[", "\n\n  [").replace("]\n", "]  # table\n"),
        edited(TEXT, ("opens = 2026-01-01T00:00:00Z", "opens = 2026-01-01T05:30:00+05:30")),
        edited(TEXT, ('title = "A small study"', "title = '''A small study'''")),
    ],
)
def test_comments_spaces_line_ends_and_ways_to_write_a_value_do_not_count(same):
    assert SealedStudy.read(same).digest == SealedStudy.read(TEXT).digest


def test_the_order_of_tables_and_keys_does_not_count():
    head, *tables = TEXT.split("\n\n[")
    # the order of what is listed counts: stages, with the table of a stage, and participants
    listed = ("[", "stages.")
    plain_tables = [t for t in tables if not t.startswith(listed)]
    arrays = [t for t in tables if t.startswith(listed)]
    turned = "\n\n[".join([head, *arrays, *reversed(plain_tables)]) + "\n"
    assert turned != TEXT
    assert SealedStudy.read(turned).digest == SealedStudy.read(TEXT).digest


def test_the_order_of_participants_counts():
    raw = load_raw(TEXT)
    raw["participants"].reverse()
    assert SealedStudy.read(dump_toml(raw)).digest != SealedStudy.read(TEXT).digest


@pytest.mark.parametrize(
    "edit",
    [
        ('securefl = "0.1.0"', 'securefl = "0.1.1"'),
        ("0" * 64, "0" * 63 + "1"),
        ('epsilon = "1"\nnoise_multiplier', 'epsilon = "1.0"\nnoise_multiplier'),
        ("closes = 2999-01-01T00:00:00Z", "closes = 2999-01-01T00:00:01Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00-00:01"),
        ('id = "small"', 'id = "smalk"'),
        ("bits = 16", "bits = 15"),
        ('unit = "years"', 'unit = "yeazs"'),
    ],
)
def test_the_edit_of_one_value_is_another_study(edit):
    assert SealedStudy.read(edited(TEXT, edit)).digest != SealedStudy.read(TEXT).digest


@pytest.mark.parametrize(
    "text", [PROTOCOL, "", TEXT + "more = 1\n", edited(TEXT, ("bits = 16", "bits = 16.0"))]
)
def test_what_is_no_valid_study_has_no_digest(text):
    with pytest.raises(StudyError):
        SealedStudy.read(text)
