"""Data sets: looking at a table, registering it, and the list of those that are registered.

Counts of rows are for the owner's screen alone. They are taken after all that others can see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from securefl.errors import DataError, UnreadableError
from securefl.learning.mock import mock_table
from securefl.node.mappings import keep_mapping, kept_mapping
from securefl.node.owner.data_removal import check_idle
from securefl.node.patients import (
    ASKED,
    check_same_patients,
    keep_patients,
    never_compared,
    overlaps,
    patients_of,
)
from securefl.node.public_side import keep_public
from securefl.node.tables import check_records, count_rows, look
from securefl.privacy.accounting import PldAccountant
from securefl.sources.source import GivenReading
from securefl.study.consistency import parse_consistent
from securefl.study.parse import parse_data
from securefl.study.table_mapping import check_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.patient_hashes import Patients
    from securefl.learning.reading import DecimalSign, Separator
    from securefl.node.patients import Overlap
    from securefl.node.site import Site
    from securefl.node.tables import Looked
    from securefl.party.folder import DatasetEntry
    from securefl.report.rows import RowCount
    from securefl.study.columns import DataSpec
    from securefl.study.data_part import Unit
    from securefl.study.table_mapping import TableMapping


@dataclass(frozen=True)
class TableFile:
    """A table as its owner names it, and how it is read.

    Attributes:
        path: of the file.
        columns: text of a protocol or study that declares the columns.
        encoding: how its text is stored.
        separator: between values; None where the first line shows it.
        decimal: sign in decimal numbers; never guessed.
        origin: the file that the table was taken out of; None where it is the table itself.
        sheet: the part of it that was meant.
        mapping: of its names, spellings and units; None where its owner names none.
    """

    path: Path
    columns: bytes
    encoding: str = "utf-8"
    separator: Separator | None = None
    decimal: DecimalSign = "."
    origin: Path | None = None
    sheet: str = ""
    mapping: TableMapping | None = None

    @property
    def named(self) -> Path:
        """The file that the owner named."""
        return self.path if self.origin is None else self.origin

    def look(self, spec: DataSpec) -> Looked:
        """Read its columns. Raises as :func:`securefl.node.tables.look`."""
        given = GivenReading(self.encoding, self.separator, self.decimal, self.mapping)
        looked = look(self.path, spec, given)
        check_mapping(self.mapping, spec)
        return looked


@dataclass(frozen=True)
class OwnCount:
    """Rows of a table that studies could use.

    Attributes:
        rows: None where they cannot be counted.
        fault: why they cannot; None also where a declared column is missing.
    """

    rows: RowCount | None
    fault: DataError | None = None


@dataclass(frozen=True)
class TableCheck:
    """A look at a table that registers nothing.

    Attributes:
        looked: how it is read, and which columns it lacks.
        count: of the rows that studies could use.
        broken: records that would keep it from being registered; None where there are none.
    """

    looked: Looked
    count: OwnCount
    broken: DataError | None


@dataclass(frozen=True)
class TablePlan:
    """A registration before the owner's yes.

    Attributes:
        looked: the table, how it is read, and which columns it lacks.
        spec: the declared columns under the registered name and population.
        unit: whose records are one unit, for the count of rows.
        mock_rows: invented rows that others will see.
        snapshot: keyed hash of the table's bytes, taken before its patients were read.
        patients: keyed hashes of the table's patients.
        table: the file as its owner named it.
        other_file: the file for which the name stands now; None where it is new or the same.
        overlaps: other populations that have some of these patients, largest share first.
        never_compared: populations whose patients are not known here.
    """

    looked: Looked
    spec: DataSpec
    unit: Unit
    mock_rows: int
    snapshot: str
    patients: Patients
    table: TableFile
    other_file: Path | None
    overlaps: tuple[Overlap, ...]
    never_compared: tuple[str, ...]

    @property
    def second_budget(self) -> bool:
        """True when so many patients have a budget elsewhere that the owner is asked."""
        return any(overlap.share >= ASKED for overlap in self.overlaps)


@dataclass(frozen=True)
class RegisteredTable:
    """A line of the list of data sets.

    Attributes:
        name: of the data set.
        population: whose patients.
        file: that studies read.
        there: whether it is.
        read_as: how it is read.
        origin: what the file was taken out of; empty where it is the table itself.
        sheet: the part of it.
        mapped: columns that its owner's mapping translates.
        fault: why its mapping cannot be used; empty where nothing is wrong.
    """

    name: str
    population: str
    file: Path
    there: bool
    read_as: str
    origin: str = ""
    sheet: str = ""
    mapped: tuple[str, ...] = ()
    fault: str = ""


def check_table(site: Site, table: TableFile) -> TableCheck:
    """Look at a table and register nothing. Only ``[data]`` of its protocol is read.

    Raises:
        StudyError: the text declares no columns.
        DataError: no study could use the table.
    """
    declared = parse_data(table.columns)
    looked = table.look(declared.data)
    count = _count(site, declared.data, declared.unit, looked)
    try:
        check_records(looked.source)
    except DataError as error:
        return TableCheck(looked, count, error)
    return TableCheck(looked, count, None)


def plan_registration(
    site: Site,
    name: str,
    table: TableFile,
    population: str,
    mock_rows: int,
) -> TablePlan:
    """Work out what a registration would do; nothing is written.

    Raises:
        StudyError: the text is no protocol, or its figures contradict each other.
        DataError: no study could use the table, or its records cannot be told apart.
        UsageError: most of its patients have a budget under another name.
    """
    kept = kept_mapping(site, name)
    if table.mapping is None:
        table = replace(table, mapping=kept)
    elif table.mapping != kept:
        check_idle(site, name)
    looked = table.look(parse_data(table.columns).data)  # before what takes seconds
    declared = parse_consistent(table.columns, PldAccountant())
    snapshot = looked.source.fingerprint(site.secret)
    check_records(looked.source)
    patients = patients_of(site, looked.source, declared.data.patient)
    shared = overlaps(site, population, patients)
    check_same_patients(population, shared)
    return TablePlan(
        looked=looked,
        spec=declared.data.model_copy(update={"dataset": name, "population": population}),
        unit=declared.privacy.unit,
        mock_rows=mock_rows,
        snapshot=snapshot,
        patients=patients,
        table=table,
        other_file=site.other_file(name, table.named, population),
        overlaps=shared,
        never_compared=tuple(never_compared(site, population)),
    )


def register(site: Site, plan: TablePlan) -> Site:
    """Register a table: the settings, the ledger, its patients, what others see of it.

    Returns:
        The site with its settings as they are now.

    Raises:
        UsageError: the name stands for another population, one of the two is no name, or most of
            the patients have a budget under another name by now.
        DataError: the file is gone or changed, or lies inside the folder that PySyft shares.
    """
    spec = plan.spec
    _check_unchanged(site, plan)
    check_same_patients(spec.population, overlaps(site, spec.population, plan.patients))
    _keep_mapping(site, plan)
    origin = plan.table.origin
    site = site.with_dataset(
        spec.dataset,
        plan.looked.source,
        spec.population,
        origin="" if origin is None else str(origin),
        sheet=plan.table.sheet,
    )
    keep_patients(site, spec.population, plan.patients)
    keep_public(site, spec, mock_table(spec, plan.mock_rows, seed=1))
    return site


def registered_count(site: Site, plan: TablePlan) -> OwnCount:
    """Count the usable rows of a table that was registered.

    How long it takes tells how many rows there are: call it after :func:`register`.
    """
    return _count(site, plan.spec, plan.unit, plan.looked)


def registered_tables(site: Site) -> tuple[RegisteredTable, ...]:
    """All data sets, in the order in which they were registered."""
    return tuple(_registered(site, entry) for entry in site.settings.datasets)


def _keep_mapping(site: Site, plan: TablePlan) -> None:
    """Sign the mapping with which the table was looked at, where it is another than before."""
    mapping = plan.table.mapping
    name = plan.spec.dataset
    with site.deciding():
        if mapping is None or mapping == kept_mapping(site, name):
            return
        check_idle(site, name)
        keep_mapping(site, name, mapping)


def _mapped(site: Site, entry: DatasetEntry) -> tuple[tuple[str, ...], str]:
    """Columns that a mapping translates, and what is wrong with the mapping."""
    try:
        mapping = kept_mapping(site, entry.name)
    except UnreadableError as error:
        return (), error.what
    if mapping is None:
        return (), ""
    return tuple(mapping.columns), ""


def _registered(site: Site, entry: DatasetEntry) -> RegisteredTable:
    source = entry.table(site.path)
    mapped, fault = _mapped(site, entry)
    there = source.version() is not None
    return RegisteredTable(
        entry.name,
        entry.population,
        source.path,
        there,
        source.words,
        entry.origin,
        entry.sheet,
        mapped,
        fault,
    )


def _check_unchanged(site: Site, plan: TablePlan) -> None:
    """Refuse another table than the one whose patients were compared."""
    source = plan.looked.source
    if source.fingerprint(site.secret) != plan.snapshot:
        raise DataError(
            f"{source.path} changed since it was looked at.",
            whose="the data owner",
            next_step="Look at it again, and register it as it is now.",
        )


def _count(
    site: Site,
    spec: DataSpec,
    unit: Unit,
    looked: Looked,
) -> OwnCount:
    if looked.missing:
        return OwnCount(None)
    try:
        return OwnCount(count_rows(site, looked.source, spec, unit))
    except DataError as error:
        return OwnCount(None, error)
