import doctest

import pytest

from securefl.learning.features import EXTRA_ROW
from securefl.report import rows
from securefl.report.rows import RowCount, rows_warning, rows_words


def test_the_examples_hold():
    assert doctest.testmod(rows).failed == 0


def test_reasons_stand_with_the_most_frequent_first():
    words = rows_words(RowCount(10, 4, 2, {"a: not a number": 1, "b: not recorded": 5}))
    assert words == "10 rows, 4 can be used (2 positive); 5 set aside (b: not recorded); 1 set aside (a: not a number)."


@pytest.mark.parametrize(
    ("count", "warning"),
    [
        (RowCount(0, 0, 0, {}), "NO ROW"),
        (RowCount(9, 0, 0, {"x": 9}), "NO ROW"),
        (RowCount(9, 4, 2, {"x": 5}), "FEW ROWS of your table can be used: 4 of 9"),
        (RowCount(9, 5, 2, {"x": 4}), None),
        (RowCount(9, 3, 2, {EXTRA_ROW: 6}), None),
        (RowCount(9, 9, 0, {}), "0 of 9 are positive"),
        (RowCount(9, 9, 9, {}), "9 of 9 are positive"),
    ],
)
def test_the_owner_is_warned_where_a_study_would_learn_next_to_nothing(count, warning):
    found = rows_warning(count)
    assert found is None if warning is None else warning in found
