"""Columns of a study in words: for the owner's page, and beside a hospital's own registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.learning.tasks import task_of
from securefl.report.words import decimal_words
from securefl.study import meanings
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.columns import Column
    from securefl.study.schema import Template


def column_rows(study: Template) -> list[tuple[str, str]]:
    """The columns by kind, label and text."""
    data = study.data
    numbers = [
        f"{c.name} ({decimal_words(c.low)} to"
        f" {decimal_words(c.high)}{f' {c.unit}' if c.unit else ''}{_noted(c)})"
        for c in data.columns
        if c.kind == "numeric"
    ]
    choices = [
        f"{c.name} ({', '.join(c.levels)}{_noted(c)})" for c in data.columns if c.kind == "category"
    ]
    yes_no = [
        f"{c.name}{f' ({codes})' if (codes := meanings.column_notes(c)) else ''}"
        for c in data.columns
        if c.kind == "boolean"
    ]
    missing = [c.name for c in data.columns if c.missing == "flag"]
    aim = "to be predicted"
    if not makes_model(study):
        aim = "counted apart"
    # the row is quoted for its column's name, so no renderer finds our words in it
    inside = study.words.say("used inside the hospital only")
    rows = [
        ("numbers", ", ".join(numbers)),
        ("choices", ", ".join(choices)),
        ("yes or no", ", ".join(yes_no)),
        ("may be missing", ", ".join(missing)),
        (aim, task_of(data).words()),
        ("tells patients apart", f"{data.patient} ({inside}, never sent)"),
    ]
    return [(label, text) for label, text in rows if text]


def column_words(column: Mapping[str, Any]) -> str:
    """One declared column as a hospital shows it: its name with range and unit, or levels.

    Args:
        column: the fields of a column of ``[data]``, from a statement that was verified; a field
            that is not there is left out.

    >>> column_words({"name": "age", "low": "0", "high": "120", "unit": "years"}), column_words({"name": "sex", "levels": ["F", "M"]})
    ('age (0 to 120 years)', 'sex (F, M)')
    """
    if "low" in column and "high" in column:
        inside = f"{column['low']} to {column['high']} {column.get('unit', '')}".strip()
    else:
        inside = ", ".join(map(str, column.get("levels", ())))
    clipped = ""
    if column.get("outside") == "clip":
        clipped = meanings.CLIPPED
    codes = meanings.codes_words(tuple(map(str, column.get("missing_codes", ()))))
    inside = "; ".join(part for part in (inside, clipped, codes) if part)
    if inside:
        return f"{column['name']} ({inside})"
    return str(column["name"])


def _noted(column: Column) -> str:
    """Notes of a column, behind its values."""
    notes = meanings.column_notes(column)
    if notes:
        return f"; {notes}"
    return ""
