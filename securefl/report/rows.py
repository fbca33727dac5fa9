"""Rows of the own table that a study could use, in words: for the owner's screen, where they stay
(rule 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.learning.encoding import MALFORMED
from securefl.learning.features import EXTRA_ROW
from securefl.learning.table import spelled_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.features import Found

#: Characters of a cell that are shown.
_LONGEST = 40
_SHOWN_LINES = 20


class RowCount(NamedTuple):
    """A hospital's own count.

    Attributes:
        rows: of the table.
        usable: by a study of the protocol.
        outcomes: of these, by the groups that the study's task counts apart.
        outcome_words: the same as the task says it, for instance "51 positive".
        set_aside: the others, by reason.
        found: texts for which rows were set aside.
        notes: what else the owner should know of the table, a sentence each.
        alike: what rows have in common that are all in one of the outcomes.
    """

    rows: int
    usable: int
    outcomes: Mapping[str, int]
    outcome_words: str
    set_aside: Mapping[str, int]
    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
    alike: str = "have the same outcome"


def rows_words(count: RowCount) -> str:
    """The count in a sentence.

    >>> OUTCOMES = {"negative": 9119, "positive": 51}
    >>> rows_words(RowCount(9172, 9170, OUTCOMES, "51 positive", {"age: outside 0 to 120": 2}))
    '9,172 rows, 9,170 can be used (51 positive); 2 set aside (age: outside 0 to 120).'
    """
    noun = "rows"
    if count.rows == 1:
        noun = "row"
    aside = "".join(
        f"; {n:,} set aside ({reason})"
        for reason, n in sorted(count.set_aside.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{count.rows:,} {noun}, {count.usable:,} can be used ({count.outcome_words}){aside}."


def counts_words(count: RowCount) -> str:
    """Say the figures alone, without reasons.

    Reasons name columns, and columns are named by whoever wrote the study.

    >>> OUTCOMES = {"negative": 9119, "positive": 51}
    >>> counts_words(RowCount(9172, 9170, OUTCOMES, "51 positive", {"age: outside 0 to 120": 2}))
    '9,172 rows, 9,170 can be used (51 positive); 2 set aside:'
    """
    aside = sum(count.set_aside.values())
    end = "."
    if aside:
        end = f"; {aside:,} set aside:"
    return rows_words(count._replace(set_aside={})).removesuffix(".") + end


def reason_lines(count: RowCount) -> list[str]:
    """List reasons for which rows were set aside, the most frequent first.

    Texts are to be quoted.

    >>> OUTCOMES = {"negative": 9119, "positive": 51}
    >>> reason_lines(RowCount(9172, 9170, OUTCOMES, "51 positive", {"age: outside 0 to 120": 2}))
    ['age: outside 0 to 120 (2)']
    """
    ordered = sorted(count.set_aside.items(), key=lambda item: (-item[1], item[0]))
    return [f"{reason} ({n:,})" for reason, n in ordered]


def found_lines(texts: Sequence[Found]) -> list[str]:
    """Cells for which rows were set aside, how often, and what they would match; a line each."""
    lines = []
    for found in texts[:_SHOWN_LINES]:
        times = f"{found.rows:,} times"
        if found.rows == 1:
            times = "once"
        first = near = ""
        if found.line:
            first = f", first in line {found.line}"
        if found.near:
            near = f", {found.near}"
        if found.reason == MALFORMED:  # the text says what is wrong with the record, it is no cell
            lines.append(f"no record: {found.text} ({times}{first})")
        else:
            lines.append(f"{found.reason}: found '{shown_cell(found.text)}' {times}{first}{near}")
    if len(texts) > _SHOWN_LINES:
        lines.append(f"and {len(texts) - _SHOWN_LINES} more")
    return lines


def shown_cell(text: str) -> str:
    """Show a cell as a screen can: at most 40 characters, unseen ones as <U+XXXX>."""
    short = text
    if len(text) > _LONGEST:
        short = f"{text[:_LONGEST]}..."
    return spelled_out(short)


def rows_warning(count: RowCount) -> str | None:
    """A warning where none or less than half of the rows can be used, or all have one outcome.

    None or less than half of the rows can be used, or all those have one outcome. Rows beyond those
    that a study takes of one patient are no fault of the table.
    """
    if not count.usable:
        return (
            "NO ROW of your table can be used. A study would spend the budget of your patients and"
            " learn nothing from them."
        )
    if 2 * count.usable < count.rows - count.set_aside.get(EXTRA_ROW, 0):
        return (
            f"FEW ROWS of your table can be used: {count.usable:,} of {count.rows:,}. The budget is"
            " spent all the same."
        )
    if count.usable in count.outcomes.values():
        return (
            f"ALL ROWS of your table that can be used {count.alike}:"
            f" {count.outcome_words} of {count.usable:,}. Is the label as the protocol means it?"
        )
    return None
