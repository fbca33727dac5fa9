"""The owner's own look at a table: how it is read, can studies use it, how many of its rows, and
are its patients told apart?

What is counted here is shown on the owner's screen, and neither kept nor sent.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import DataError
from securefl.learning.features import feature_names, prepare
from securefl.learning.identifiers import told_apart
from securefl.learning.reading import (
    Reading,
    check_kind,
    check_name,
    first_bytes,
    likely_encoding,
    require_encoding,
    said_separator,
    shown_path,
    table_bytes,
)
from securefl.learning.records import NOT_CLOSED, NOT_DOUBLED
from securefl.learning.table import header_names, near_name, read_table, reading_of, spelled_out
from securefl.report.rows import RowCount

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.features import Prepared
    from securefl.learning.reading import DecimalSign, Separator
    from securefl.node.site import Site
    from securefl.study.columns import DataSpec
    from securefl.study.data_part import Unit

_SHOWN: Final = 12
_AS_CSV: Final = "Save the table as CSV: UTF-8 text, the columns' names in the first line."


@dataclass(frozen=True)
class Looked:
    """A table as its owner is about to register it.

    Attributes:
        reading: how it is read.
        missing: declared feature columns that it lacks, each with a sentence on a column that looks
            like it, or "".
    """

    reading: Reading
    missing: dict[str, str]


def look(
    table: Path,
    spec: DataSpec,
    *,
    encoding: str = "utf-8",
    separator: Separator | None = None,
    decimal: DecimalSign = ".",
) -> Looked:
    """How to read a table, and what it lacks. Only its first bytes are read.

    Args:
        table: the file.
        spec: the columns that it should have.
        encoding: as the owner says.
        separator: as the owner says; without it the header line shows it.
        decimal: as the owner says.

    Raises:
        DataError: it is no delimited text, or has no column for patients or for the label: no study
        could use it.
    """
    check_name(table)
    name = str(table)
    start = first_bytes(table)
    check_kind(start[:16], name)
    known = require_encoding(encoding)
    needed = (spec.patient, *spec.label.columns)
    wanted = (*needed, *(column.name for column in spec.columns))
    reading = reading_of(start, wanted, encoding=known, decimal=decimal)
    if separator is not None:
        reading = Reading(known, separator, decimal)
    _check_text(start, name, known)
    try:
        names = header_names(start, reading)
    except DataError as error:
        raise DataError(f"{name}: {error.what}", next_step=error.next_step) from None
    lacking = [column for column in needed if column not in names]
    if lacking:
        raise _lacks(name, lacking, names, spec, reading)
    return Looked(
        reading,
        {
            column.name: near_name(column.name, names) or ""
            for column in spec.columns
            if column.name not in names
        },
    )


def count_rows(site: Site, table: Path, data: DataSpec, unit: Unit, reading: Reading) -> RowCount:
    """Count the rows of the table that a study of these columns would use here, as its worker would
    choose them.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    content = table_bytes(table)
    read = read_table(content, reading)
    prepared = prepare(read, data, site.split_secret(data.population), unit)
    notes = [
        *_encoding_notes(content, reading),
        *_never_recorded(prepared, data),
        *(
            f"{column}: {count:,} of the rows that can be used lie outside the range and count as"
            " its nearer end"
            for column, count in prepared.clipped.items()
        ),
        *told_apart(read.column(data.patient), data.patient),
    ]
    return RowCount(
        read.rows,
        len(prepared.y),
        int(prepared.y.sum()),
        prepared.set_aside,
        prepared.found,
        tuple(notes),
    )


def check_records(table: Path, reading: Reading) -> None:
    """Refuse a table in which a quotation mark is broken: lines of a text and records could not be
    told apart.

    Raises:
        DataError: with the first such lines.
    """
    read = read_table(table, reading)
    broken = [
        read.lines[row]
        for row, wrong in read.malformed.items()
        if wrong in {NOT_CLOSED, NOT_DOUBLED}
    ]
    if broken:
        first = ", ".join(str(line) for line in broken[:_SHOWN]) + (
            ", ..." if len(broken) > _SHOWN else ""
        )
        raise DataError(
            f"In {shown_path(table)} quotation marks are broken in {len(broken):,} records, which"
            f" begin on line {first}: what follows could be records or parts of a text, and"
            " patients could be invented or lost.",
            next_step=(
                "Save it again as CSV: a text with a quotation mark or a line break in it stands in"
                ' "...", and each mark inside is doubled.'
            ),
        )


def _lacks(
    name: str, lacking: list[str], names: tuple[str, ...], spec: DataSpec, reading: Reading
) -> DataError:
    whats = {spec.patient: "the patients' identifiers"}
    absent = " and ".join(
        f"no column {column!r} ({whats.get(column, 'the label')})" for column in lacking
    )
    have = ", ".join(f"'{spelled_out(column)}'" for column in names[:_SHOWN]) + (
        ", ..." if len(names) > _SHOWN else ""
    )
    near = " ".join(words for column in lacking if (words := near_name(column, names)))
    return DataError(
        f"{name} has {absent}, which the protocol demands. The columns in its first line: {have}"
        f" ({reading.words}).{f' {near}' if near else ''}",
        next_step=(
            "Name the right file, or write these names into its first line and register it again."
        ),
    )


def _check_text(start: bytes, name: str, encoding: str) -> None:
    """Refuse a header line that is no text in the encoding, and say in which it could be."""
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    header = b"\n".join(lines[: 2 if lines and said_separator(lines[0]) else 1])
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError:
        likely = likely_encoding(header)
        if likely is None or any(byte < 0x20 and byte not in b"\t\r\n" for byte in header):
            raise DataError(
                f"{name} is no CSV table: it is not text in {encoding.upper()}.", next_step=_AS_CSV
            ) from None
        raise DataError(
            f"{name} is not text in {encoding.upper()}; its first line could be text in {likely}.",
            next_step=(
                f"Register it with --encoding {likely} and look at the names, or save it as UTF-8."
            ),
        ) from None
    if any(sign < " " and sign not in "\t\r\n" for sign in text):
        raise DataError(
            f"{name} is no CSV table: it is not text in {encoding.upper()}.", next_step=_AS_CSV
        )


def _encoding_notes(content: bytes, reading: Reading) -> list[str]:
    """A sentence where the table is not valid in its encoding."""
    lines = content.splitlines()
    bad = [i for i, line in enumerate(lines, 1) if not _decodes(line, reading.encoding)]
    if not bad:
        return []
    likely = likely_encoding(b"\n".join(lines[i - 1] for i in bad))
    mend = (
        f" It could be text in {likely}: register it again with --encoding {likely}."
        if likely and likely != reading.encoding
        else ""
    )
    return [
        f"{len(bad):,} lines, the first is line {bad[0]}, are not text in {reading.encoding}.{mend}"
    ]


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _never_recorded(prepared: Prepared, spec: DataSpec) -> list[str]:
    """A sentence for each column that may be missing and is, in all the rows that can be used."""
    names = feature_names(spec)
    return [
        f"{column.name}: not recorded in any of the rows that can be used; a study learns nothing"
        " from this column here"
        for column in spec.columns
        if column.missing == "flag"
        and len(prepared.y)
        and prepared.X[:, names.index(f"{column.name}: not recorded")].all()
    ]
