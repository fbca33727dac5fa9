"""Identifiers that a spreadsheet turned into 1.23E+09: many patients became one, and the owner is
told.
"""

from hospital_folder import register, row, table


def test_rounded_identifiers_are_named_with_their_rows(tmp_path):
    lines = [row("1.23E+09", age=str(50 + i)) for i in range(6)] + [row(f"Q{i}") for i in range(4)]
    done = register(tmp_path, table(*lines))
    assert (
        "WARNING: patient_id: 6 rows have an identifier in scientific notation ('1.23E+09')"
        in done.words
    )
    assert "different patients may have become one" in done.words
