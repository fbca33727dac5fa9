"""Kinds of what can look wrong in a hospital's table beside a study's columns."""

from __future__ import annotations

from typing import Final, Literal, get_args

#: By their words in an agreement.
Trouble = Literal["columns", "rows", "gaps", "texts", "range", "unit", "doubles", "change"]
TROUBLES: Final[tuple[Trouble, ...]] = get_args(Trouble)
TROUBLE_WORDS: Final[dict[Trouble, str]] = {
    "columns": "a declared column is missing or empty",
    "rows": "rows would not be used, or cannot be counted",
    "gaps": "a column has many gaps",
    "texts": "texts that the study does not declare",
    "range": "numbers outside a declared range",
    "unit": "numbers that look like another unit",
    "doubles": "rows that repeat an earlier row",
    "change": "a column moved since the last look",
}
