"""Page of the rows that a model scores, beside a hospital's table when it approved the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.report.page import (
    Outside,
    Page,
    Paragraph,
    Table,
    Tone,
    bullets,
    page,
    section,
)
from securefl.report.readiness import drift_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.drift import Drift
    from securefl.learning.drift_index import Stability
    from securefl.report.page import Block


class Compared(Protocol):
    """Rows beside a table (:class:`securefl.node.owner.drift.RowsDrift`)."""

    @property
    def name(self) -> str:
        """Name of the model's study."""

    @property
    def day(self) -> str:
        """Day of the look at the table of the approval."""

    @property
    def rows_then(self) -> int:
        """Rows of that table."""

    @property
    def rows(self) -> int:
        """Rows that are scored."""

    @property
    def columns(self) -> Sequence[Stability]:
        """The index of each column."""

    @property
    def moved(self) -> Sequence[Drift]:
        """What of a column moved."""


def rows_drift_page(found: Compared) -> Page:
    """The page of ``securefl site model drift``."""
    lines = list(drift_lines(found.moved, f"since the table of {found.day}"))
    return page(
        ("Rows scored with ", Outside(found.name), ", beside your table when you approved it"),
        _first(found),
        f"Rows compared: {found.rows:,}, with {found.rows_then:,} of your table as it was on"
        f" {found.day}.",
        Table(
            ("column", "index", "chance explains", "it is"),
            tuple(map(_row, found.columns)),
            right=frozenset({1, 2}),
        ),
        section("What moved", bullets(lines)) if lines else None,
        Paragraph(
            "The index is the population stability index: from 0.1 on a column moved, from 0.25 on"
            " far, and only where chance does not explain it. A model may err on rows that it has"
            " not seen the like of; compare its predictions with what became of the patients.",
            Tone.QUIET,
        ),
        Paragraph(
            "These figures have no noise. They stand on your screen only: whoever passes them on"
            " tells something of your patients that no budget has paid for.",
            Tone.QUIET,
        ),
    )


def moved_words(number: int, day: str = "") -> str:
    """Say that columns moved, without a figure.

    Args:
        number: of columns.
        day: of the comparison that showed it; empty where it was of the rows at hand.
    """
    if day:
        what = "one column was" if number == 1 else f"{number} columns were"
        return (
            f"When many rows were compared last, on {day}, {what} distributed otherwise than when"
            " you approved the study."
        )
    if number == 1:
        return "One column is distributed otherwise than when you approved the study."
    return f"{number} columns are distributed otherwise than when you approved the study."


def _first(found: Compared) -> Block:
    moved = sum(column.moved for column in found.columns)
    if moved:
        return Paragraph(moved_words(moved), Tone.WARN, lead=True)
    return Paragraph("No column moved by more than chance explains.", Tone.GOOD, lead=True)


def _row(column: Stability) -> tuple[Outside, str, str, str]:
    return (
        Outside(column.column),
        f"{column.index:.2f}",
        f"{column.chance:.2f}",
        column.state,
    )
