"""Readiness of a hospital's own table for a study, on its owner's screen, where it stays (rule 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.learning.tasks.told import Bars
from securefl.report.bar_chart import bar_chart
from securefl.report.page import (
    Outside,
    Paragraph,
    Quoted,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
)
from securefl.report.rows import found_lines, reason_lines, rows_warning, rows_words, shown_cell
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.learning.drift import Drift
    from securefl.learning.readiness import ColumnLook, Spelling, TableLook
    from securefl.report.page import Block, Page, Section, Words
    from securefl.report.rows import RowCount
    from securefl.study.table_troubles import Trouble

#: Share of the rows from which on a gap in a column is called one.
_MANY: Final = 0.2
#: A range is wide where all numbers fill less of it than this.
_NARROW: Final = 0.05
_FEW: Final = 30
ONLY_HERE: Final = "For your eyes only: nothing on this page leaves the house."
_NO_TROUBLE: Final = "No trouble found"


class ReadinessFacts(NamedTuple):
    """Facts of the page.

    Attributes:
        dataset: name of the table.
        study: that declares the columns; empty for those with which it was registered.
        look: column by column.
        rows: that a study would use; None where they cannot be counted.
        fault: why they cannot, in words.
        earlier: day of the look that it was compared with; empty where there was none.
        earlier_rows: rows then.
        drift: columns that moved since.
        mapped: columns that the owner's mapping translates.
    """

    dataset: str
    study: str
    look: TableLook
    rows: RowCount | None
    fault: str = ""
    earlier: str = ""
    earlier_rows: int = 0
    drift: tuple[Drift, ...] = ()
    mapped: tuple[str, ...] = ()


def readiness_page(found: ReadinessFacts, *, whole: bool = True) -> Page:
    """The page.

    Args:
        found: the facts.
        whole: show pictures and figures also where there is no trouble; without it such a table is
            one line.
    """
    title = f"Readiness of '{found.dataset}'"
    troubles = list(trouble_lines(found))
    if not troubles and not whole:
        return page("", Paragraph(no_trouble(found), Tone.GOOD))
    return page(
        title,
        Paragraph(ONLY_HERE, Tone.QUIET),
        *_mapped(found),
        *_first(found, troubles),
        _rows(found.rows),
        section("Columns", _columns(found.look)),
        *_pictures(found.look),
    )


def no_trouble(found: ReadinessFacts) -> str:
    """Say in one line that a table is ready.

    >>> from securefl.learning.readiness import TableLook
    >>> no_trouble(ReadinessFacts("records", "", TableLook(50, (), 0), None))
    "No trouble found in 'records': all declared columns are there, and its 50 rows can be used."
    """
    return (
        f"{_NO_TROUBLE} in '{found.dataset}': all declared columns are there, and its"
        f" {plural(found.look.rows, 'row')} can be used."
    )


def has_trouble(found: ReadinessFacts) -> bool:
    """Test for anything that the owner should look at."""
    return any(True for _ in trouble_lines(found))


def trouble_lines(found: ReadinessFacts) -> Iterator[Words]:
    """Everything that looks wrong, a sentence each; a column's name is its study's word."""
    for _, words in _troubles(found):
        yield words


def trouble_kinds(found: ReadinessFacts) -> frozenset[Trouble]:
    """Kinds of what looks wrong; empty where the page says that no trouble was found."""
    return frozenset(kind for kind, _ in _troubles(found))


def _troubles(found: ReadinessFacts) -> Iterator[tuple[Trouble, Words]]:
    """Everything that looks wrong, with its kind."""
    yield from _count_troubles(found)
    for column in found.look.columns:
        for kind, sentence in _column_troubles(column):
            yield kind, (Outside(column.name), f": {sentence}")
        for spelling in column.spellings:
            yield "texts", (Outside(column.name), f": {_spelling(spelling)}")
    if found.look.doubles:
        yield "doubles", f"Rows that repeat an earlier row: {found.look.doubles:,}."
    if found.rows is not None:
        for note in found.rows.notes:
            yield "rows", Outside(note)
    for line in _drift_lines(found):
        yield "change", line


def _count_troubles(found: ReadinessFacts) -> Iterator[tuple[Trouble, str]]:
    """Reasons why rows cannot be counted, or are not used."""
    if any(not column.there for column in found.look.columns):
        yield "columns", "No row can be used: a declared column is not in the table."
    elif found.fault:
        yield "rows", f"Rows cannot be counted: {found.fault}"
    if found.rows is None:
        return
    warning = rows_warning(found.rows)
    if warning is not None:
        yield "rows", warning
    aside = sum(found.rows.set_aside.values())
    if aside:
        yield "rows", f"Rows that would not be used: {aside:,}. The reasons stand below."


def _column_troubles(column: ColumnLook) -> Iterator[tuple[Trouble, str]]:
    """Faults of one column, with their kinds."""
    if not column.there:
        yield "columns", "the table has no such column"
        return
    if column.cells and not column.recorded:
        yield "columns", "nothing is recorded in any row"
        return
    if column.missing_share >= _MANY:
        yield "gaps", f"not recorded in {_percent(column.missing_share)} of the rows"
    if column.unread:
        yield "texts", f"rows with a text that the study does not declare: {column.unread:,}"
    if column.outside:
        yield "range", f"rows outside the declared range: {column.outside:,}"
    if column.scale:
        yield "unit", f"is it in another unit? Those rows fit {_factors(column)}"
    if _is_narrow(column):
        words = "all numbers lie in a twentieth of the declared range: is it in another unit?"
        yield "unit", words


def _factors(column: ColumnLook) -> str:
    """Say which factors fit.

    >>> from securefl.learning.readiness import ColumnLook, Scale
    >>> _factors(ColumnLook("glucose", scale=Scale(divide=(10.0, 18.0))))
    'divided by 10 or 18'
    """
    words = []
    if column.scale.divide:
        words.append("divided by " + " or ".join(f"{f:g}" for f in column.scale.divide))
    if column.scale.multiply:
        words.append("multiplied by " + " or ".join(f"{f:g}" for f in column.scale.multiply))
    return ", or ".join(words)


def _is_narrow(column: ColumnLook) -> bool:
    """Test for numbers that fill one small part of a range: a mean does not lie on its edge."""
    if column.least is None or column.outside or column.recorded < _FEW:
        return False
    return column.spread * 4 < _NARROW and min(column.mean, 1 - column.mean) < _NARROW


def _spelling(spelling: Spelling) -> str:
    cell = shown_cell(spelling.cell)
    meant = shown_cell(spelling.meant)
    return f"rows with '{cell}' where the study declares '{meant}': {spelling.rows:,}"


def _drift_lines(found: ReadinessFacts) -> Iterator[Words]:
    since = f"since the table of {found.earlier}"
    if found.earlier and found.look.rows < 0.9 * found.earlier_rows:
        yield (
            f"The table had {found.earlier_rows:,} rows on {found.earlier} and has"
            f" {found.look.rows:,} now."
        )
    yield from drift_lines(found.drift, since)


def drift_lines(moved: Iterable[Drift], since: str) -> Iterator[Words]:
    """Say what of each column moved, a line each."""
    for drift in moved:
        if drift.missing is not None:
            yield (Outside(drift.column), f": {_moved('not recorded', drift.missing)} {since}")
        if drift.mean is not None:
            yield (
                Outside(drift.column),
                f": {_moved('mean place in the range', drift.mean)} {since}",
            )
        if drift.level:
            words = f"share of '{shown_cell(drift.level)}'"
            yield (Outside(drift.column), f": {_moved(words, drift.share)} {since}")


def _moved(what: str, shares: tuple[float, float]) -> str:
    return f"{what} was {_percent(shares[0])} and is {_percent(shares[1])}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _mapped(found: ReadinessFacts) -> Iterator[Block]:
    if found.mapped:
        yield facts([("your mapping translates", Outside(", ".join(found.mapped)))])


def _first(found: ReadinessFacts, troubles: list[Words]) -> Iterator[Block]:
    """The line that says how it stands, and all that looks wrong."""
    if troubles:
        yield section("What looks wrong", bullets(troubles))
    else:
        yield Paragraph(no_trouble(found), Tone.GOOD, lead=True)


def _rows(rows: RowCount | None) -> Section | None:
    if rows is None:
        return None
    return section(
        "Rows that a study would use",
        Paragraph(rows_words(rows._replace(set_aside={}))),
        *(Quoted(line) for line in reason_lines(rows)),
        *(Quoted(line) for line in found_lines(rows.found)),
    )


def _columns(look: TableLook) -> Table:
    return Table(
        heads=("column", "recorded", "missing", "from", "to"),
        rows=tuple(_column_row(column) for column in look.columns),
        right=frozenset({1, 2, 3, 4}),
    )


def _column_row(column: ColumnLook) -> tuple[Words, ...]:
    name = Outside(column.name)
    if not column.there:
        return (name, "not there", "", "", "")
    least = ""
    most = ""
    if column.least is not None and column.most is not None:
        least = f"{column.least:g}"
        most = f"{column.most:g}"
    return (
        name,
        f"{column.recorded:,}",
        _percent(column.missing_share),
        least,
        most,
    )


def _pictures(look: TableLook) -> Iterator[Block]:
    """A small picture of each column: shares of its values, by band or declared text."""
    charts: list[Block] = []
    for column in look.columns:
        if column.there and column.recorded:
            labels = tuple(shown_cell(label) for label in column.labels)
            groups = ((shown_cell(column.name), column.shares),)
            charts.append(bar_chart(Bars("shares of the values that fit", labels, groups)))
    if charts:
        yield section("Pictures of the columns", *charts)
