"""Column names that look right and are not: the characters that make the difference are named."""

import pytest
from hospital_folder import HEADER, register, row

COMBINED, COMPOSED = "gro\u0308\u00dfe", "gr\u00f6\u00dfe"


def test_a_name_in_combining_characters_is_told_by_code_point(tmp_path):
    header = HEADER.replace("age", COMBINED)
    done = register(
        tmp_path,
        f"{header}\n{row('p1')}\n".encode(),
        edits=(('name = "age"', f'name = "{COMPOSED}"'),),
    )
    assert f"the table has no column {COMPOSED}" in done.words
    assert (
        "There is 'gro<U+0308>\u00dfe', which differs in characters that are not seen."
        in done.words
    )


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (HEADER.replace("TSH", "\u200bTSH"), "'<U+200B>TSH'"),
        (HEADER.replace("TSH", "T\u00adSH"), "'T<U+00AD>SH'"),
        (HEADER.replace("TSH", "\ufeffTSH"), "'<U+FEFF>TSH'"),
    ],
)
def test_an_invisible_character_in_a_feature_column_is_named(tmp_path, header, shown):
    done = register(tmp_path, f"{header}\n{row('p1')}\n".encode())
    assert "the table has no column TSH; studies that need it cannot run here." in done.words
    assert f"There is {shown}" in done.words


def test_an_invisible_character_in_the_patients_column_is_named_in_the_refusal(tmp_path):
    done = register(
        tmp_path,
        f"{HEADER.replace('patient_id', 'patient' + chr(0x2060) + '_id')}\n{row('p1')}\n".encode(),
    )
    assert "no column 'patient_id'" in done.error
    assert "There is 'patient<U+2060>_id'" in done.error


def test_another_case_is_named_too(tmp_path):
    done = register(tmp_path, f"{HEADER.replace('TSH', 'tsh')}\n{row('p1')}\n".encode())
    assert "There is 'tsh': upper and lower case count." in done.words
