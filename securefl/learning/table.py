"""Tables as text: a delimited file, or a data frame, turned into columns of texts.

Each record is parsed by itself (:mod:`securefl.learning.records`). A wrong encoding or a missing
field spoils that one record and none of its neighbours: whether one patient is in the file must not
change how the others are read (rule 10).
"""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError
from securefl.learning.reading import (
    DAMAGED_SIGN,
    SEPARATOR_WORDS,
    USUAL,
    Reading,
    check_kind,
    said_separator,
    separator_of,
)
from securefl.learning.records import records

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from securefl.learning.reading import DecimalSign

Cell = str | None

#: Texts that mean "not recorded" where a column does not declare them as a value. Public and fixed:
#: not guessed from a table.
MISSING = frozenset({"", "?", "na", "n/a", "nan", "nat", "null", "none", "<na>"})
_SHOWN_NAMES = 12


@dataclass(frozen=True)
class Table:
    """Columns of equal length, of texts without blank space at their ends.

    ``None`` stands for an empty cell.

    Attributes:
        columns: by name.
        rows: how many.
        malformed: rows (from 0) that are no record of this header, with what is wrong. They keep
            their place, with nothing in it: what is worked out for a row must not move to its
            neighbour.
        lines: the line of the file on which each row begins; empty for a data frame.
        gap: the first empty line between two records; ``None`` where there is none.
        reading: how the file was read.
    """

    columns: Mapping[str, tuple[Cell, ...]]
    rows: int
    malformed: Mapping[int, str] = field(default_factory=dict)
    lines: tuple[int, ...] = ()
    gap: int | None = None
    reading: Reading = USUAL

    def column(self, name: str) -> tuple[Cell, ...]:
        """The column of that name.

        Raises:
            DataError: the table has no such column.
        """
        try:
            return self.columns[name]
        except KeyError:
            have = ", ".join(sorted(self.columns)) or "none"
            near = near_name(name, self.columns)
            raise DataError(
                f"the table has no column {name!r}; its columns are:"
                f" {have}.{f' {near}' if near else ''}",
                next_step=f"Rename or add the column {name!r} in the table and register it again.",
            ) from None

    def without(self, rows: Collection[int]) -> Table:
        """The table without some rows (from 0); the others keep their order and their lines."""
        if not rows:
            return self
        kept = [row for row in range(self.rows) if row not in rows]
        malformed = {
            place: self.malformed[row] for place, row in enumerate(kept) if row in self.malformed
        }
        return replace(
            self,
            columns={
                name: tuple(cells[row] for row in kept) for name, cells in self.columns.items()
            },
            rows=len(kept),
            malformed=malformed,
            lines=tuple(self.lines[row] for row in kept) if self.lines else (),
        )


def cell_text(value: object) -> Cell:
    """Write one value as text: without blank space at its ends, ``None`` if empty or not a number.

    Whole floats without their ``.0``. Words that mean "not recorded" stay: a column may declare
    them as a value.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    # NaN, NaT and <NA> of data frames.
    if text.lower() in MISSING:
        return None
    return text


def read_table(data: bytes, reading: Reading = USUAL) -> Table:
    """Read a delimited text with a header line, as ``reading`` says.

    Bytes that the encoding does not have become U+FFFD: a row with one in a cell that a study needs
    is set aside, others are not.

    Raises:
        DataError: it is known to be something else, is empty, or its header is unreadable or names a
            column twice.
    """
    names, body, first = _header(data, reading)
    # Lines are found before decoding: Unicode's own line ends inside a text are none here.
    lines = [line.decode(reading.encoding, errors="replace") for line in body]
    cells: list[Sequence[str]] = []
    malformed: dict[int, str] = {}
    begins: list[int] = []
    gap: int | None = None
    following = first
    empty = ("",) * len(names)
    for record in records(lines, reading.separator, first):
        begins.append(record.line)
        if record.line != following and gap is None:
            gap = following
        following = record.last + 1
        wrong = record.wrong
        if wrong is None and len(record.fields) != len(names):
            wrong = f"it has {len(record.fields)} values, the header names {len(names)}"
        if wrong is not None:
            malformed[len(cells)] = wrong
        cells.append(record.fields if wrong is None else empty)
    columns = {
        name: tuple(record[i].strip() or None for record in cells) for i, name in enumerate(names)
    }
    if reading.mapping is not None:
        from securefl.learning.cell_mapping import mapped_columns

        columns = mapped_columns(columns, reading.mapping, reading.decimal)
    return Table(columns, len(cells), malformed, tuple(begins), gap, reading)


def header_names(start: bytes, reading: Reading) -> tuple[str, ...]:
    """The column names, from the first bytes of a table. Raises as :func:`read_table`."""
    return _header(start, reading)[0]


def header_lines(start: bytes) -> bytes:
    """Return the lines before the first row: the header, and the ``sep=`` line where there is one.

    Args:
        start: the first bytes of the file, header line included.
    """
    lines = start.splitlines(keepends=True)
    if not lines:
        return b""
    # A spreadsheet's first line may say the separator; the header then is the second.
    if said_separator(lines[0].removeprefix(codecs.BOM_UTF8)):
        return b"".join(lines[:2])
    return lines[0]


def reading_of(
    start: bytes,
    needed: Collection[str],
    *,
    encoding: str = "utf-8",
    decimal: DecimalSign = ".",
) -> Reading:
    """Find out how to read a table of which the separator was not said.

    As its ``sep=`` line says, else as its header shows.

    Args:
        start: the first bytes of the file, header line included.
        needed: column names that tell separators apart.
        encoding: as said by the owner.
        decimal: as said by the owner.
    """
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    said: Any = None
    if lines:
        said = said_separator(lines[0])
    header = lines[1 if said else 0 :][:1]
    found = said or separator_of(
        header[0].decode(encoding, errors="replace") if header else "", needed
    )
    return Reading(encoding, found, decimal)


def read_in_order(data: bytes, reading: Reading = USUAL) -> Table:
    """As :func:`read_table`, for rows that get an answer each, in the order of the file's records.

    Raises:
        DataError: as :func:`read_table`; or there is an empty line between records, which other
            programs count as a row.
    """
    table = read_table(data, reading)
    if table.gap is not None:
        raise DataError(
            f"line {table.gap} of the table is empty, so that it is not clear which answer belongs"
            " to which row.",
            whose="whoever made the table",
            next_step="Take the empty lines out.",
        )
    return table


def table_from_frame(
    frame: Any,  # noqa: ANN401 - a pandas DataFrame or columns; pandas is not imported
) -> Table:
    """A table from a pandas DataFrame or a mapping of column name to values.

    Raises:
        DataError: two columns have one name, or columns differ in length.
    """
    names: Iterable[Any] = frame
    if hasattr(frame, "columns"):
        names = frame.columns
    texts = [str(name).strip() for name in names]
    _check_names_differ(texts, "Keep one of them, or rename the others.")
    columns = {
        text: tuple(cell_text(value) for value in frame[name])
        for text, name in zip(texts, names, strict=True)
    }
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise DataError(
            "the columns differ in length.",
            whose="whoever made the table",
            next_step="Give columns of one length.",
        )
    rows = 0
    if lengths:
        rows = lengths.pop()
    return Table(columns, rows)


def near_name(wanted: str, names: Iterable[str]) -> str | None:
    """A sentence on the column that looks like ``wanted`` and is not; ``None`` where there is none.

    >>> near_name("TSH", ["age", chr(0x200B) + "TSH"])
    "There is '<U+200B>TSH', which differs in characters that are not seen."
    """
    for name in names:
        if name != wanted and _bare(name) == _bare(wanted):
            return f"There is '{spelled_out(name)}', which differs in characters that are not seen."
    for name in names:
        if name.casefold() == wanted.casefold() and name != wanted:
            return f"There is {name!r}: upper and lower case count."
    return None


def spelled_out(text: str) -> str:
    """Spell out each character that cannot be seen by itself, as <U+XXXX>.

    Controls, zero-width, combining, odd blanks.
    """
    return "".join(sign if _is_seen(sign) else f"<U+{ord(sign):04X}>" for sign in text)


def _is_seen(sign: str) -> bool:
    return sign == " " or unicodedata.category(sign)[0] not in "CMZ"


def _bare(text: str) -> str:
    composed = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in composed if unicodedata.category(sign)[0] not in "CZ")


def _header(data: bytes, reading: Reading) -> tuple[tuple[str, ...], list[bytes], int]:
    """Column names, the lines behind the header, and the number of the first of these."""
    check_kind(data[:16], "the table")
    lines = data.removeprefix(codecs.BOM_UTF8).splitlines()
    skip = 0
    if lines and said_separator(lines[0]):
        skip = 1
    if not any(line.strip() for line in lines[skip : skip + 1]):
        what = "the table has no readable header line: its first line is empty."
        if not data.strip():
            what = "the table is empty: it has no readable header line."
        raise DataError(what, next_step="Give a file whose first line names every column.")
    record = next(
        records([lines[skip].decode(reading.encoding, errors="replace")], reading.separator)
    )
    if record.wrong is not None:
        raise DataError(
            f"the table has no readable header line: {record.wrong}.",
            next_step=(
                "Give a file whose first line names every column, without line breaks in the names."
            ),
        )
    names = tuple(name.strip() for name in record.fields)
    unnamed = [i for i, name in enumerate(names, 1) if not name]
    if unnamed:
        raise DataError(
            f"the table has no readable header line: column {unnamed[0]} of {len(names)}"
            f" ({SEPARATOR_WORDS[reading.separator]} between them) has no"
            f" name.{_why_unnamed(unnamed[0], len(names))}",
            next_step="Give every column a name in the first line, or take the column out.",
        )
    _check_names_differ(names, "Keep one of them and register the table again.")
    if reading.mapping is not None:
        from securefl.learning.cell_mapping import mapped_names

        names = mapped_names(names, reading.mapping)
        _check_names_differ(
            names, "Your mapping gives a column the name of another: take one out of the table."
        )
    return names, lines[skip + 1 :], skip + 2


def _why_unnamed(place: int, columns: int) -> str:
    if place == 1:
        return " Often these are row numbers, written by the program that saved the table."
    if place == columns:
        return " The line ends in a separator."
    return ""


def _check_names_differ(names: Sequence[str], mend: str) -> None:
    times = Counter(names)
    twice = sorted(name for name in times if times[name] > 1)
    if twice:
        raise DataError(
            f"the table names a column twice: {', '.join(twice[:_SHOWN_NAMES])}.", next_step=mend
        )


def damaged(cell: Cell) -> bool:
    """A cell with bytes that its encoding does not have."""
    return cell is not None and DAMAGED_SIGN in cell
