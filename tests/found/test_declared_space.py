"""Declared texts that no cell can ever be, for blank space is taken off: refused with their line."""

import pytest
from conftest import protocol_text
from hospital_folder import typed

EDITS = [
    ('levels = ["F", "M"]', 'levels = ["F ", "M"]', "data.columns.3.levels.1"),
    ('name = "TSH"', 'name = " TSH"', "data.columns.2.name"),
    ('true = "t"', 'true = "t\\u2003"', "data.columns.4.true"),
    ('column = "target"', 'column = "target\\u00a0"', "data.label.column"),
    ('positive = ["E", "F"]', 'positive = ["E", " "]', "data.label.positive.2"),
    ('high = "120"', 'high = "120", missing_codes = ["-9 "]', "data.columns.1.missing_codes.1"),
]


@pytest.mark.parametrize(("old", "new", "place"), EDITS)
def test_a_declared_text_with_blank_space_at_its_ends_is_refused_with_its_line(
    tmp_path, old, new, place
):
    text = protocol_text((old, new))
    line = next(i for i, words in enumerate(text.splitlines(), 1) if new.split("=")[-1] in words)
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    done = typed("study", "check", tmp_path / "p.toml")
    assert done.code != 0
    assert f"line {line}: {place}: has blank space at its ends" in done.error
    assert (
        "at least" not in done.error
    )  # a list is not called too short because an item of it is broken
