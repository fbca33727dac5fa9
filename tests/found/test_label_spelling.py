"""A label in a spelling that nobody declared is no "no": its row is set aside, and the owner sees
which text it was.
"""

import pytest
from hospital_folder import LETTERS, register, row, table

from securefl.learning.features import prepare
from securefl.learning.table import read_table
from securefl.study.parse import parse_protocol

EQUALS = ((LETTERS, 'kind = "equals"\npositive = ["1"]\nnegative = ["0"]\n'),)
JA = ((LETTERS, 'kind = "equals"\npositive = ["ja"]\nnegative = ["nein"]\n'),)


def used(edits, *targets):
    from conftest import protocol_text

    spec = parse_protocol(protocol_text(*edits)).data
    lines = [row(f"p{i}", target) for i, target in enumerate(targets)]
    prepared = prepare(read_table(table(*lines)), spec, b"s" * 32)
    return dict(zip(prepared.patients, prepared.y.tolist(), strict=True))


def test_numbers_compare_as_numbers_and_nothing_else_is_guessed():
    targets = ("1", "1.0", "1e0", "True", "yes", "01", "unknown", "pending", "0", "0.00", "-0")
    assert used(EQUALS, *targets) == {"p0": 1, "p1": 1, "p2": 1, "p8": 0, "p9": 0, "p10": 0}


def test_the_owner_sees_what_was_found_how_often_and_what_it_would_match(tmp_path):
    targets = ["ja"] * 5 + ["Ja "] * 4 + ["nein"] * 6 + ["unbekannt"] * 3 + ["NEIN"]
    done = register(tmp_path, table(*(row(f"p{i}", t) for i, t in enumerate(targets))), edits=JA)
    assert (
        "19 rows, 11 can be used (5 positive); 8 set aside (target: neither declared as"
        in done.words
    )
    assert "found 'Ja' 4 times, first in line 7, would match 'ja'" in done.words
    assert "found 'unbekannt' 3 times, first in line 17" in done.words
    assert "found 'NEIN' once, first in line 20, would match 'nein'" in done.words


def test_a_letter_out_of_a_word_is_no_positive_letter():
    assert used((), "F", "K|F", "-", "PENDING", "unknown", "FT", "A B", "E | K") == {
        "p0": 1,
        "p1": 1,
        "p2": 0,
        "p6": 0,
        "p7": 1,
    }


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("at-least", {"p0": 0, "p1": 1, "p2": 1}),
        ("above", {"p0": 0, "p1": 0, "p2": 1}),
        ("at-most", {"p0": 1, "p1": 1, "p2": 0}),
        ("below", {"p0": 1, "p1": 0, "p2": 0}),
    ],
)
def test_a_number_outside_its_range_and_a_missing_code_are_neither_above_nor_below(kind, outcome):
    number = f'kind = "{kind}"\nvalue = "6.5"\nlow = "3"\nhigh = "20"\nmissing_codes = ["9.9"]\n'
    assert used(((LETTERS, number),), "5", "6.50", "7", "9999", "-9", "9.9", "high", "?") == outcome


def test_a_label_out_of_two_columns_is_unknown_where_what_is_missing_could_change_it():
    from conftest import protocol_text

    parts = (
        '{ column = "target", kind = "equals", positive = ["yes"], negative = ["no"] }, '
        '{ column = "lactate", kind = "at-least", value = "4", low = "0", high = "30" }'
    )
    lines = ["yes,9", "yes,1", "yes,", "no,9", "no,1", "no,", ",9", ",1", ",", "maybe,9", "yes,99"]
    content = "patient_id,age,TSH,sex,sick,target,lactate\n" + "\n".join(
        f"p{i},30,1,F,f,{line}" for i, line in enumerate(lines)
    )
    found = {}
    for kind in ("any-of", "all-of"):
        text = protocol_text(
            (f'column = "target"\n{LETTERS}', f'kind = "{kind}"\nconditions = [{parts}]\n')
        )
        prepared = prepare(read_table(content.encode()), parse_protocol(text).data, b"s" * 32)
        found[kind] = dict(zip(prepared.patients, prepared.y.tolist(), strict=True))
        assert prepared.set_aside["target: neither declared as positive nor as negative"] == 1
        assert prepared.set_aside["lactate: outside 0 to 30"] == 1
    assert found["any-of"] == {"p0": 1, "p1": 1, "p2": 1, "p3": 1, "p4": 0, "p6": 1}
    assert found["all-of"] == {"p0": 1, "p1": 0, "p3": 0, "p4": 0, "p5": 0, "p7": 0}
