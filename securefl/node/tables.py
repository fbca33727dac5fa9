"""The owner's own look at a table: how it is read, can studies use it, how many of its rows, and
are its patients told apart?

What is counted here is shown on the owner's screen, and neither kept nor sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import DataError
from securefl.learning.features import feature_names, prepare
from securefl.learning.identifiers import told_apart
from securefl.learning.patient_hashes import without_patients
from securefl.learning.preparation import stratum_counts
from securefl.learning.reading import likely_encoding
from securefl.learning.records import NOT_CLOSED, NOT_DOUBLED
from securefl.learning.table import near_name, read_table, spelled_out
from securefl.learning.tasks import task_of
from securefl.node.patients import patient_key
from securefl.node.removed_patients import removed_patients
from securefl.report.rows import RowCount
from securefl.report.words import plural
from securefl.sources.source import find_source
from securefl.sources.table_file import shown_path

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.features import Prepared
    from securefl.learning.reading import Reading
    from securefl.node.site import Site
    from securefl.sources.source import GivenReading, Source
    from securefl.study.columns import DataSpec
    from securefl.study.data_part import Unit

_SHOWN: Final = 12
#: Columns that a note lists.
_LISTED: Final = 20


@dataclass(frozen=True)
class Looked:
    """A table as its owner is about to register it.

    Attributes:
        source: where it is and how it is read.
        missing: declared feature columns that it lacks, each with a sentence on a column that looks
            like it, or "".
    """

    source: Source
    missing: dict[str, str]


def look(table: Path, spec: DataSpec, given: GivenReading) -> Looked:
    """Find out how to read a table, and what it lacks. No row is read.

    Args:
        table: the file.
        spec: the columns that it should have.
        given: how a text is read, as the owner says.

    Raises:
        DataError: it is no table, or has no column for patients or for the label: no study could
            use it.
    """
    needed = (spec.patient, *spec.label.columns)
    source = find_source(table, (*needed, *(column.name for column in spec.columns)), given)
    try:
        names = source.columns()
    except DataError as error:
        raise DataError(f"{table}: {error.what}", next_step=error.next_step) from None
    lacking = [column for column in needed if column not in names]
    if lacking:
        raise _lacks(source, lacking, names, spec)
    return Looked(
        source,
        {
            column.name: near_name(column.name, names) or ""
            for column in spec.columns
            if column.name not in names
        },
    )


def count_rows(
    site: Site,
    source: Source,
    data: DataSpec,
    unit: Unit,
) -> RowCount:
    """Count the rows of the table that a study of these columns would use here, as its worker would
    choose them.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    content = source.content()
    read = read_table(content, source.reading)
    removed = removed_patients(site, data.population)
    used = without_patients(read, data.patient, removed.hashes, patient_key(site))
    prepared = prepare(used, data, site.split_secret(data.population), unit)
    notes = [
        *_encoding_notes(content, source.reading),
        *_removed_notes(read.rows - used.rows),
        *_never_recorded(prepared, data),
        *_clipped(prepared),
        *told_apart(read.column(data.patient), data.patient),
    ]
    task = task_of(data)
    counts = stratum_counts(prepared.y, task)
    return RowCount(
        read.rows,
        len(prepared.y),
        {name: int(n) for name, n in zip(task.strata, counts, strict=True)},
        task.exact_count_words([int(n) for n in counts]),
        prepared.set_aside,
        prepared.found,
        tuple(notes),
        task.strata_alike,
    )


def check_records(source: Source) -> None:
    """Refuse a table in which a quotation mark is broken: lines of a text and records could not be
    told apart.

    Raises:
        DataError: with the first such lines.
    """
    read = read_table(source.content(), source.reading)
    broken = [
        read.lines[row]
        for row, wrong in read.malformed.items()
        if wrong in {NOT_CLOSED, NOT_DOUBLED}
    ]
    if broken:
        first = _some([str(line) for line in broken])
        raise DataError(
            f"In {shown_path(source.path)} quotation marks are broken in {len(broken):,} records, which"
            f" begin on line {first}: what follows could be records or parts of a text, and"
            " patients could be invented or lost.",
            next_step=(
                "Save it again as CSV: a text with a quotation mark or a line break in it stands in"
                ' "...", and each mark inside is doubled.'
            ),
        )


def _some(texts: list[str]) -> str:
    """The first of them, and dots where there are more."""
    if len(texts) > _SHOWN:
        return ", ".join([*texts[:_SHOWN], "..."])
    return ", ".join(texts)


def _lacks(
    source: Source,
    lacking: list[str],
    names: tuple[str, ...],
    spec: DataSpec,
) -> DataError:
    whats = {spec.patient: "the patients' identifiers"}
    absent = " and ".join(
        f"no column {column!r} ({whats.get(column, 'the label')})" for column in lacking
    )
    have = _some([f"'{spelled_out(column)}'" for column in names])
    near = " ".join(words for column in lacking if (words := near_name(column, names)))
    return DataError(
        f"{source.path} has {absent}, which the protocol demands. The columns in its first line: {have}"
        f" ({source.words}).{f' {near}' if near else ''}",
        next_step=(
            "Name the right file, or write these names into its first line and register it again."
        ),
    )


def _encoding_notes(content: bytes, reading: Reading) -> list[str]:
    """A sentence where the table is not valid in its encoding."""
    lines = content.splitlines()
    bad = [i for i, line in enumerate(lines, 1) if not _decodes(line, reading.encoding)]
    if not bad:
        return []
    note = f"{len(bad):,} lines, the first is line {bad[0]}, are not text in {reading.encoding}."
    likely = likely_encoding(b"\n".join(lines[i - 1] for i in bad))
    if likely and likely != reading.encoding:
        note += f" It could be text in {likely}: register it again with --encoding {likely}."
    return [note]


def _removed_notes(rows: int) -> list[str]:
    """A sentence where patients of the table were taken out."""
    if not rows:
        return []
    return [f"{plural(rows, 'row')} of patients whom you took out: no study reads them"]


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _never_recorded(prepared: Prepared, spec: DataSpec) -> list[str]:
    """A sentence on the columns that may be missing and are, in all the rows that can be used."""
    names = feature_names(spec)
    never = [
        column.name
        for column in spec.columns
        if column.missing == "flag"
        and len(prepared.y)
        and prepared.X[:, names.index(f"{column.name}: not recorded")].all()
    ]
    if not never:
        return []
    what = "this column"
    if len(never) > 1:
        what = "these columns"
    nowhere = "not recorded in any of the rows that can be used"
    return [f"{_first_of(never)}: {nowhere}; a study learns nothing from {what} here"]


def _clipped(prepared: Prepared) -> list[str]:
    """A sentence on the columns whose values lie outside their range, the most frequent first."""
    often = sorted(prepared.clipped.items(), key=lambda item: -item[1])
    if not often:
        return []
    listed = [f"{column} in {count:,}" for column, count in often]
    listed[0] += " of the rows that can be used"
    return [f"values outside the range count as its nearer end: {_first_of(listed)}"]


def _first_of(texts: list[str]) -> str:
    """Texts in a row; of many the first ones, and how many more there are."""
    if len(texts) <= _LISTED:
        return ", ".join(texts)
    return f"{', '.join(texts[:_LISTED])} and {len(texts) - _LISTED} more"
