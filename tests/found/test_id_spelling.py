"""One patient in four spellings counts as four: the owner is told, and nothing is merged in
silence.
"""

from hospital_folder import register, row, table

IDS = ("100", "100.0", "000100", "100\u200b")


def test_spellings_that_would_fall_together_are_counted_for_the_owner(tmp_path):
    done = register(tmp_path, table(*(row(name) for name in (*IDS, "7"))))
    assert "5 rows, 5 can be used" in done.words
    assert (
        "WARNING: patient_id: 3 of 5 identifiers differ from another one only in case, blanks,"
        " invisible" in done.words
    )
    assert "'100<U+200B>'" in done.words or "'100.0'" in done.words
    assert "Each spelling counts as a patient of its own" in done.words


def test_identifiers_that_differ_truly_give_no_warning(tmp_path):
    done = register(tmp_path, table(*(row(name) for name in ("100", "1000", "a100", "010a"))))
    assert "identifiers differ" not in done.words
