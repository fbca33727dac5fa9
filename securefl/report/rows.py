"""How many rows of the own table a study could use, in words: for the owner's screen, where it stays (rule 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.learning.features import EXTRA_ROW

if TYPE_CHECKING:
    from collections.abc import Mapping


class RowCount(NamedTuple):
    """A hospital's own count: rows of the table, those that can be used, how many of these are positive, and the others by reason."""

    rows: int
    usable: int
    positive: int
    set_aside: Mapping[str, int]


def rows_words(count: RowCount) -> str:
    """The count in a sentence.

    >>> rows_words(RowCount(9172, 9170, 51, {"age: outside 0 to 120": 2}))
    '9,172 rows, 9,170 can be used (51 positive); 2 set aside (age: outside 0 to 120).'
    """
    aside = "".join(f"; {n:,} set aside ({reason})" for reason, n in sorted(count.set_aside.items(), key=lambda item: (-item[1], item[0])))
    return f"{count.rows:,} rows, {count.usable:,} can be used ({count.positive:,} positive){aside}."


def rows_warning(count: RowCount) -> str | None:
    """What the owner should not overlook: none or less than half of the rows can be used, or all those have one outcome.

    Rows beyond those that a study takes of one patient are no fault of the table.
    """
    if not count.usable:
        return "NO ROW of your table can be used. A study would spend the budget of your patients and learn nothing from them."
    if 2 * count.usable < count.rows - count.set_aside.get(EXTRA_ROW, 0):
        return f"FEW ROWS of your table can be used: {count.usable:,} of {count.rows:,}. The budget is spent all the same."
    if count.positive in (0, count.usable):
        return f"ALL ROWS of your table that can be used have the same outcome: {count.positive:,} of {count.usable:,} are positive. Is the label as the protocol means it?"
    return None
