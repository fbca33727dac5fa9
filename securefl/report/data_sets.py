"""Data sets of a hospital, and the budgets of their patients, on its owner's screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.report.page import (
    Outside,
    Page,
    Paragraph,
    Span,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.status import budget_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.page import Section, Value
    from securefl.report.status import BudgetLine


class TableLine(NamedTuple):
    """A registered table: its name, whose patients, where it lies, how it is read, if it is there,
    the columns that a mapping translates, and what is wrong with the mapping.
    """

    name: str
    population: str
    file: str
    read_as: str
    there: bool
    mapped: str = ""
    fault: str = ""


def data_sets_page(tables: Sequence[TableLine], budgets: Sequence[BudgetLine]) -> Page:
    """The data sets as a page."""
    return page(
        "Data sets and budgets",
        *(_table(TableLine(*table)) for table in tables),
        when(not tables, Paragraph("None yet. Next: `securefl site data add`", Tone.QUIET)),
        section(
            "Budget",
            facts(budget_rows(budgets)),
            when(not budgets, Paragraph("None yet. Next: `securefl site budget set`", Tone.QUIET)),
        ),
        Paragraph(
            "The tables stay where they are. Others see declared columns and invented rows, and"
            " never a file's name.",
            Tone.QUIET,
        ),
    )


def budgets_page(budgets: Sequence[BudgetLine]) -> Page:
    """The budgets as a page of their own."""
    return page(
        "Budgets",
        facts(budget_rows(budgets)),
        when(
            not budgets,
            Paragraph(
                "No budget was granted yet: without one no study can be approved.", Tone.QUIET
            ),
        ),
    )


def _table(table: TableLine) -> Section:
    there: Value = Span("it is there", Tone.GOOD)
    if not table.there:
        there = Span("the file is not there now: studies that need it cannot run", Tone.BAD)
    rows: list[tuple[str, Value]] = [
        ("patients of", table.population),
        ("file", Outside(table.file)),
        ("now", there),
        ("read as", table.read_as),
    ]
    if table.mapped:
        rows.append(("your mapping translates", Outside(table.mapped)))
    if table.fault:
        rows.append(("its mapping cannot be used", Outside(table.fault)))
    return section(table.name, facts(rows))


def data_removal_page(
    name: str,
    population: str,
    file: str,
    *,
    copied: bool,
) -> Page:
    """The page before a data set is taken away.

    Args:
        name: of the data set.
        population: whose patients.
        file: that its owner named; it stays as it is.
        copied: true where a text was taken out of it into the hospital's folder.
    """
    lines = [
        "No study can use it any more, and others see it no longer.",
        "The file itself stays as it is.",
        "What was spent on its patients stays spent.",
    ]
    if copied:
        lines.insert(2, "The text that was taken out of it into your folder is deleted.")
    return page(
        f"Data set {name} to be taken away",
        facts([("patients of", population), ("file", Outside(file))]),
        bullets(lines),
    )
