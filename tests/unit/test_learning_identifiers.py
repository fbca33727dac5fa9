import pytest

from securefl.learning.identifiers import told_apart


def test_identifiers_that_all_differ_give_no_warning():
    assert told_apart(["p1", "p2", "p10", "10", "1", "010a", None, "p1"], "id") == []


@pytest.mark.parametrize(
    "other", ["100.0", "000100", "100\u200b", "100,00", "1 00", "\uff11\uff10\uff10"]
)
def test_spellings_of_one_identifier_are_counted_and_shown(other):
    (warning,) = told_apart(["100", other, "7"], "patient_id")
    assert warning.startswith("patient_id: 1 of 3 identifiers differ from another one only in")
    assert "'100'" in warning
    assert "\u200b" not in warning


def test_case_and_letters_are_compared_too_and_the_count_is_of_identifiers_not_rows():
    (warning,) = told_apart(["ab1", "AB1", "AB1", "Ab1", "x"], "id")
    assert warning.startswith("id: 2 of 4 identifiers")


def test_scientific_notation_is_named_with_its_rows():
    (warning,) = told_apart(["1.23E+09"] * 6 + ["1,5e3", "Q0", "E12", "1E"], "id")
    assert warning.startswith(
        "id: 7 rows have an identifier in scientific notation ('1,5e3', '1.23E+09')"
    )


def test_many_are_shown_by_a_few_examples():
    (warning,) = told_apart(
        [f"{zeros}{i}" for i in range(1, 9) for zeros in ("", "0", "00", "000", "0000")], "id"
    )
    assert "32 of 40" in warning
    assert warning.count("'") < 30
