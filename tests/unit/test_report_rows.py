import doctest

import pytest
from small_study import row_count

from securefl.learning.encoding import MALFORMED
from securefl.learning.features import EXTRA_ROW, Found
from securefl.report import rows
from securefl.report.rows import found_lines, rows_warning, rows_words, shown_cell


def test_the_examples_hold():
    assert doctest.testmod(rows).failed == 0


def test_reasons_stand_with_the_most_frequent_first():
    words = rows_words(row_count(10, 4, 2, {"a: not a number": 1, "b: not recorded": 5}))
    assert (
        words
        == "10 rows, 4 can be used (2 positive); 5 set aside (b: not recorded); 1 set aside (a: not"
        " a number)."
    )


@pytest.mark.parametrize(
    ("count", "warning"),
    [
        (row_count(0, 0, 0, {}), "NO ROW"),
        (row_count(9, 0, 0, {"x": 9}), "NO ROW"),
        (row_count(9, 4, 2, {"x": 5}), "FEW ROWS of your table can be used: 4 of 9"),
        (row_count(9, 5, 2, {"x": 4}), None),
        (row_count(9, 3, 2, {EXTRA_ROW: 6}), None),
        (row_count(9, 9, 0, {}), "the same outcome: 0 positive of 9"),
        (row_count(9, 9, 9, {}), "the same outcome: 9 positive of 9"),
    ],
)
def test_the_owner_is_warned_where_a_study_would_learn_next_to_nothing(count, warning):
    found = rows_warning(count)
    assert found is None if warning is None else warning in found


def test_what_was_found_is_told_with_its_number_its_line_and_what_it_would_match():
    assert found_lines(
        [
            Found("target: neither", "Yes", 132, 7, "would match 'yes'"),
            Found("age: not a number", "x", 1),
            Found(MALFORMED, "it has 1 values, the header names 2", 2, 9),
        ]
    ) == [
        "target: neither: found 'Yes' 132 times, first in line 7, would match 'yes'",
        "age: not a number: found 'x' once",
        "no record: it has 1 values, the header names 2 (2 times, first in line 9)",
    ]


def test_a_long_list_ends_with_how_many_more_there_are():
    lines = found_lines([Found("age: not a number", f"x{i}", 1) for i in range(23)])
    assert (len(lines), lines[-1]) == (21, "and 3 more")


def test_a_cell_is_shown_in_short_and_without_what_a_screen_obeys():
    assert shown_cell("x" * 41) == "x" * 40 + "..."
    assert shown_cell("a\n\x1b[2Jb\u202e") == "a<U+000A><U+001B>[2Jb<U+202E>"
