"""Label of a binary task in words, for pages and model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.binary_label import CombinedLabel, NumberCondition
from securefl.study.meanings import codes_words

if TYPE_CHECKING:
    from securefl.study.binary_label import Condition, Label

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
