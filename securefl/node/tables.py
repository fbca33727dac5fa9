"""The owner's own look at a table: can studies use it, and how many of its rows? What is counted here is shown on the owner's screen, and neither
kept nor sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import DataError
from securefl.learning.features import prepare
from securefl.learning.table import read_table
from securefl.report.rows import RowCount

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.study.columns import DataSpec
    from securefl.study.schema import Protocol

#: How files begin that are often taken for a CSV.
_KINDS = {b"PK\x03\x04": "a spreadsheet or another packed file", b"\xd0\xcf\x11\xe0": "an old spreadsheet", b"%PDF": "a PDF", b"\x1f\x8b": "a packed file", b"SQLite format 3": "a database", b"PAR1": "a Parquet file"}
_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}
_SHOWN = 12


def missing_columns(table: Path, spec: DataSpec) -> tuple[str, ...]:
    """Declared feature columns that the table lacks. Only its first line is read.

    Raises:
        DataError: it is no CSV table, or has no column for patients or for the label: no study could use it.
    """
    first, needed = _first_line(table), (spec.patient, spec.label.column)
    try:
        names = tuple(read_table(first).columns)
    except DataError as error:
        names, unreadable = (), error
    if not set(needed) <= set(names):
        for mark, words in _SEPARATORS.items():
            if set(needed) & {part.strip().strip('"') for part in first.decode("utf-8-sig").split(mark)}:
                raise DataError(f"{table} seems to be separated by {words}.", next_step="Save it with a comma between the values (CSV, comma-separated) and register it again.")
        if not names:
            raise DataError(f"{table}: {unreadable.what}", next_step=unreadable.next_step)
        lacking = " and ".join(f"no column {name!r} ({what})" for name, what in zip(needed, ("the patients' identifiers", "the label"), strict=True) if name not in names)
        have = ", ".join(repr(name) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise DataError(
            f"{table} has {lacking}, which the protocol demands. The columns in its first line: {have}.",
            next_step="Name the right file, or write these names into its first line and register it again.",
        )
    return tuple(column.name for column in spec.columns if column.name not in names)


def count_rows(site: Site, table: Path, protocol: Protocol) -> RowCount:
    """Which rows of the table a study of this protocol would use here, as its worker would choose them.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    data = protocol.data
    read = read_table(table)
    prepared = prepare(read, data, site.split_secret(data.population), protocol.privacy.unit)
    return RowCount(read.rows, len(prepared.y), int(prepared.y.sum()), prepared.set_aside)


def _first_line(table: Path) -> bytes:
    try:
        with table.open("rb") as file:
            start = file.readline(1 << 20)
    except OSError as error:
        raise DataError(f"The table {table} cannot be opened: {error.strerror}.", next_step="Check its name and that this user may read it.") from None
    kind = next((words for magic, words in _KINDS.items() if start.startswith(magic)), None)
    first = (start.splitlines() or [b""])[0]
    if kind is None and not _is_text(first):
        kind = "not text in UTF-8"
    if kind is not None:
        raise DataError(f"{table} is no CSV table: it is {kind}.", next_step="Save the table as CSV: UTF-8 text, a comma between the values, the columns' names in the first line.")
    return first


def _is_text(line: bytes) -> bool:
    try:
        return all(sign >= " " or sign == "\t" for sign in line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False
