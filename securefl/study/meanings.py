"""Columns and labels of a study in words, for pages and model cards.

No markup, one way of saying it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.labels import CombinedLabel, NumberCondition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.columns import Column
    from securefl.study.labels import Condition, Label

#: What becomes of a number outside the range of a column that says ``outside = "clip"``.
CLIPPED = "a value outside counts as the nearer end"
_COMPARED = {
    "at-least": "{} or more",
    "above": "above {}",
    "at-most": "{} or less",
    "below": "below {}",
}


def label_words(label: Label) -> str:
    """Say what counts as positive, and what sets a row aside.

    "whether died is yes (against no; ...)".
    """
    if not isinstance(label, CombinedLabel):
        return f"whether {_condition_words(label)}"
    start = "whether all of these hold"
    if label.kind == "any-of":
        start = "whether at least one of these holds"
    return f"{start}: {'; '.join(_condition_words(condition) for condition in label.conditions)}"


def codes_words(codes: Sequence[str]) -> str:
    """Say what missing-value codes mean; "" where there are none.

    >>> codes_words(("-9", "9999"))
    '-9, 9999 mean "not recorded"'
    """
    if not codes:
        return ""
    return f'{", ".join(codes)} {"means" if len(codes) == 1 else "mean"} "not recorded"'


def column_notes(column: Column) -> str:
    """Say what a column declares beside its values; "" for nothing.

    Codes, and what happens outside the range.
    """
    clipped = ""
    if getattr(column, "outside", "") == "clip":
        clipped = CLIPPED
    return "; ".join(note for note in (clipped, codes_words(column.missing_codes)) if note)


def _condition_words(condition: Condition) -> str:
    codes = codes_words(condition.missing_codes)
    more = ""
    if codes:
        more = f"; {codes}"
    if isinstance(condition, NumberCondition):
        compared = _COMPARED[condition.kind].format(format(condition.value, "f"))
        return (
            f"{condition.column} is {compared} (a row outside {condition.low:f} to"
            f" {condition.high:f} is set aside{more})"
        )
    against = ", ".join(condition.negative)
    positive = ", ".join(condition.positive)
    if condition.kind == "any-of-letters":
        return (
            f"{condition.column} contains one of the letters {positive} (against {against}; a row"
            f" with any other character is set aside{more})"
        )
    one = "" if len(condition.positive) == 1 else "one of "
    return (
        f"{condition.column} is {one}{positive} (against {against}; a row with any other text is"
        f" set aside{more})"
    )
