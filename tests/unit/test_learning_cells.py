import pytest

from securefl.learning.cells import NOT_RECORDED, DeclaredNumbers, DeclaredTexts, plain_number


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        ("1", 0),
        ("1.0", 0),
        ("1e0", 0),
        ("+1", 0),
        ("01", None),
        ("1,0", None),
        ("one", None),
        ("None", 1),
        ("none", None),
        ("NA", NOT_RECORDED),
        ("?", NOT_RECORDED),
        (None, NOT_RECORDED),
        ("9.00", NOT_RECORDED),
        ("k.A.", NOT_RECORDED),
        ("K.A.", None),
        ("01x", 2),
        ("1x", None),
    ],
)
def test_a_cell_is_a_declared_text_a_missing_one_or_neither(cell, place):
    assert DeclaredTexts(("1", "None", "01x"), ("9", "k.A.")).place(cell) == place


@pytest.mark.parametrize(
    ("cell", "near"),
    [
        ("yes", "Yes"),
        ("YES", "Yes"),
        ("Y es", "Yes"),
        ("Yes\u200b", "Yes"),
        ("\uff39es", "Yes"),
        ("01", "1"),
        ("001.0", "1"),
        ("gro\u0308\u00dfe", "gr\u00f6\u00dfe"),
        ("no", None),
        ("11", None),
        ("10", None),
    ],
)
def test_the_declared_text_that_a_cell_seems_to_mean_is_named(cell, near):
    assert DeclaredTexts(("Yes", "1", "gr\u00f6\u00dfe")).near(cell) == near


def test_a_decimal_comma_counts_where_the_owner_said_so():
    assert DeclaredTexts(("1", "2.5"), (), ",").place("2,50") == 1
    assert DeclaredTexts(("1", "2.5"), (), ".").place("2,50") is None
    assert DeclaredTexts(("a,b", "c"), (), ",").place("a,b") == 0


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("3.5", ".", 3.5),
        ("3,5", ".", None),
        ("3,5", ",", 3.5),
        ("3.5", ",", None),
        ("1.234,5", ",", None),
        ("1,234.5", ".", None),
        ("1,234,5", ",", None),
        ("7", ",", 7.0),
        ("1e3", ".", 1000.0),
        ("inf", ".", None),
        ("nan", ".", None),
        ("1_000", ".", None),
        ("-0,5", ",", -0.5),
    ],
)
def test_a_number_is_written_plainly_with_the_tables_own_decimal_sign(cell, decimal, value):
    assert plain_number(cell, decimal) == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0", NOT_RECORDED),
        ("0.00", NOT_RECORDED),
        ("-9", NOT_RECORDED),
        ("-9.0", NOT_RECORDED),
        ("k.A.", NOT_RECORDED),
        ("9", 9.0),
        ("NA", NOT_RECORDED),
        (None, NOT_RECORDED),
        ("<1", None),
        ("K.A.", None),
    ],
)
def test_missing_codes_of_a_number_compare_as_numbers(cell, value):
    assert DeclaredNumbers(("0", "-9", "k.A.")).value(cell) == value
