"""Tables as text: a CSV of one record a line, or a data frame, turned into columns of texts.

Each line is parsed by itself. A broken quote, a wrong encoding or a missing field spoils that one record and none of
its neighbours: whether one patient is in the file must not change how the others are read (rule 10).
"""

from __future__ import annotations

import codecs
import csv
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Cell = str | None

#: Texts that mean "not recorded". Public and fixed: not guessed from a table.
MISSING = frozenset({"", "?", "na", "n/a", "nan", "nat", "null", "none", "<na>"})


@dataclass(frozen=True)
class Table:
    """Columns of equal length; ``None`` stands for a value that was not recorded.

    ``malformed`` are the rows (from 0) whose line is not a record of this header. They keep their place, with nothing in it:
    what is worked out for a row must not move to its neighbour.
    """

    columns: Mapping[str, tuple[Cell, ...]]
    rows: int
    malformed: frozenset[int] = frozenset()

    def column(self, name: str) -> tuple[Cell, ...]:
        """The column of that name.

        Raises:
            DataError: the table has no such column.
        """
        try:
            return self.columns[name]
        except KeyError:
            have = ", ".join(sorted(self.columns)) or "none"
            raise DataError(
                f"the table has no column {name!r}; its columns are: {have}.",
                next_step=f"Rename or add the column {name!r} in the table and register it again.",
            ) from None


def cell_text(value: object) -> Cell:
    """One value as text: trimmed, ``None`` if not recorded, whole floats without their ``.0``."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return None if text.lower() in MISSING else text


def read_table(source: bytes | Path) -> Table:
    """Read a CSV (comma, UTF-8, header line, one record a line).

    Raises:
        DataError: the file cannot be opened, is empty, or its header is unreadable or names a column twice.
    """
    data = source if isinstance(source, bytes) else _bytes(source)
    # Undecodable bytes become U+FFFD, which fits no range and no level: that row is set aside, the others are not.
    lines = [line.decode(errors="replace") for line in data.removeprefix(codecs.BOM_UTF8).splitlines()]
    header = _fields(lines[0]) if lines else None
    if not header or any(not name.strip() for name in header):
        raise DataError(
            "the table has no readable header line.",
            next_step="Give a comma-separated file whose first line names every column.",
        )
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"the table names a column twice: {', '.join(twice)}.",
            next_step="Keep one of them and register the table again.",
        )
    records: list[list[str]] = []
    malformed: set[int] = set()
    for line in lines[1:]:
        if not line.strip():
            continue
        fields = _fields(line)
        if fields is None or len(fields) != len(names):
            malformed.add(len(records))
            records.append([""] * len(names))
        else:
            records.append(fields)
    columns = {name: tuple(cell_text(r[i]) for r in records) for i, name in enumerate(names)}
    return Table(columns, len(records), frozenset(malformed))


def read_in_order(source: bytes | Path) -> Table:
    """As :func:`read_table`, for rows that get an answer each: row i is line i + 2 of the file.

    Raises:
        DataError: as :func:`read_table`; or another program could count the rows otherwise than by lines, as there is an empty
            line between them, or a record that runs over several lines.
    """
    data = source if isinstance(source, bytes) else _bytes(source)
    table = read_table(data)
    empty = next((i for i, line in enumerate(data.rstrip().splitlines(), 1) if not line.strip()), None)
    if empty is not None:
        raise DataError(
            f"line {empty} of the table is empty, so that it is not clear which answer belongs to which row.", whose="whoever made the table",
            next_step="Take the empty lines out.",
        )
    reader = csv.reader(io.StringIO(data.decode(errors="replace"), newline=""), strict=True)
    with suppress(csv.Error):  # a stray quote: what follows it is read line by line
        while (record := next(reader, None)) is not None:
            if any("\n" in field or "\r" in field for field in record):
                raise DataError(
                    f"a record of the table runs over several lines, down to line {reader.line_num}.", whose="whoever made the table",
                    next_step="Take the line breaks out of the quoted texts: one record a line.",
                )
    return table


def table_from_frame(frame: Any) -> Table:  # noqa: ANN401 - a pandas DataFrame or a mapping of columns; pandas is not imported
    """A table from a pandas DataFrame or a mapping of column name to values."""
    names: Iterable[Any] = frame.columns if hasattr(frame, "columns") else frame
    columns = {str(name): tuple(cell_text(value) for value in frame[name]) for name in names}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise DataError("the columns differ in length.", next_step="Give columns of one length.")
    return Table(columns, lengths.pop() if lengths else 0)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the table {path.name} cannot be read: {error.strerror}.",
            next_step="Check that the file is there and that this user may read it.",
        ) from error


def _fields(line: str) -> list[str] | None:
    try:
        return next(csv.reader((line,), strict=True), None)
    except csv.Error:
        return None
