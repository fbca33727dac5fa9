"""Levels like "None" and "NA": what a study declares wins over the words that mean "not recorded"."""

import pytest
from hospital_folder import row, table

from securefl.learning.features import prepare
from securefl.learning.table import read_table
from securefl.study.parse import parse_protocol


def prepared(levels, flag, *sexes):
    from conftest import protocol_text

    old = 'levels = ["F", "M"], missing = "flag"'
    text = protocol_text((old, f"levels = {levels}{flag}"))
    lines = [row(f"p{i}", sex=sex) for i, sex in enumerate(sexes)]
    return prepare(read_table(table(*lines)), parse_protocol(text).data, b"s" * 32)


@pytest.mark.parametrize("flag", ["", ', missing = "flag"'])
@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "?", "N/A"])
def test_a_declared_level_is_a_level_whatever_word_it_is(word, flag):
    found = prepared(f'["{word}", "Former", "Current"]', flag, word, "Former", "Current")
    assert found.set_aside == {}
    assert found.X[:, 3:5].tolist() == [[0, 0], [1, 0], [0, 1]]


def test_a_word_for_not_recorded_that_is_spelled_like_a_level_is_set_aside_and_named():
    found = prepared('["None", "Former"]', ', missing = "flag"', "none", "NA", "", "Former", "None")
    assert found.set_aside == {"sex: not one of the declared levels": 1}
    assert [(f.text, f.near) for f in found.found] == [("none", "would match 'None'")]
    assert len(found.y) == 4
    assert found.X[:, 4].sum() == 2  # NA and the empty cell


def test_labels_and_yes_and_no_may_be_such_words_too():
    from conftest import protocol_text

    text = protocol_text(
        ('true = "t", false = "f"', 'true = "NA", false = "None"'),
        ('kind = "any-of-letters"\npositive = ["E", "F"]', 'kind = "equals"\npositive = ["null"]'),
        (
            'negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]',
            'negative = ["none"]',
        ),
    )
    lines = ["p0,30,1,F,NA,null", "p1,30,1,F,None,none", "p2,30,1,F,?,none", "p3,30,1,F,NA,?"]
    found = prepare(read_table(table(*lines)), parse_protocol(text).data, b"s" * 32)
    assert dict(zip(found.patients, found.y.tolist(), strict=True)) == {"p0": 1, "p1": 0}
    assert found.set_aside == {"sick: not recorded": 1, "label is not recorded": 1}
