"""Columns of a study in words, for pages and model cards.

No markup, one way of saying it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.columns import Column

#: What becomes of a number outside the range of a column that says ``outside = "clip"``.
CLIPPED = "a value outside counts as the nearer end"


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
