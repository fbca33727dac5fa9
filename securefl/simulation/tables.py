"""Tables of a simulation, divided as hospitals would hold them: a file each, by a column, or by lot
over patients.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import DataError, UsageError
from securefl.learning.mock import mock_table
from securefl.learning.table import Table, read_table, reading_of
from securefl.simulation.draws import key_of
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from securefl.study.columns import DataSpec

#: Virtual hospitals in one simulation.
MOST_SITES = 1000
#: Sites of a table that is divided by lot, where nobody says how many.
USUAL_SITES = 5
_START = 1 << 16
#: Columns that a refusal names.
_SHOWN = 6


@dataclass(frozen=True)
class Whole:
    """One table that is divided by lot, anew in each repeat.

    Attributes:
        table: as read.
        sites: over how many virtual hospitals.
    """

    table: Table
    sites: int


@dataclass(frozen=True)
class Source:
    """Data of a simulation.

    Attributes:
        words: where they come from, for the page.
        tables: site to table; or one table that is divided by lot.
    """

    words: str
    tables: Mapping[str, Table] | Whole

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the virtual hospitals, in order."""
        if isinstance(self.tables, Whole):
            return virtual_names(self.tables.sites)
        return tuple(sorted(self.tables))

    def division(
        self,
        patient: str,
        seed: int,
        repeat: int,
    ) -> Mapping[str, Table]:
        """Site to table in one repeat.

        Args:
            patient: column whose rows stay together.
            seed: of the simulation.
            repeat: from 0.
        """
        if not isinstance(self.tables, Whole):
            return self.tables
        return divided_by_lot(
            self.tables.table,
            patient,
            self.sites,
            seed,
            repeat,
        )


def virtual_names(sites: int) -> tuple[str, ...]:
    """Names of virtual hospitals: ``site0001`` and so on.

    Raises:
        UsageError: fewer than two, or more than :data:`MOST_SITES`.
    """
    if not 2 <= sites <= MOST_SITES:
        raise UsageError(
            f"{sites} virtual hospitals cannot be simulated.",
            next_step=f"Give --sites from 2 to {MOST_SITES:,}.",
        )
    return tuple(f"site{number:04d}" for number in range(1, sites + 1))


def read_csv(path: Path, spec: DataSpec) -> Table:
    """Read a CSV file; the separator as its header shows.

    Raises:
        DataError: it cannot be read, or is no such table.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}.",
            whose="the researcher",
            next_step="Name a CSV file, or a folder with one for each hospital.",
        ) from None
    return table_of(data, spec)


def table_of(data: bytes, spec: DataSpec) -> Table:
    """A table from the bytes of a CSV file."""
    return read_table(data, reading_of(data[:_START], wanted_columns(spec)))


def check_columns(tables: Mapping[str, Table] | Whole, spec: DataSpec) -> None:
    """Refuse tables that lack a column of the study.

    Raises:
        DataError: naming the column, and the site whose table it is.
    """
    given: Mapping[str, Table]
    given = {"": tables.table} if isinstance(tables, Whole) else tables
    for site, table in given.items():
        lost = [name for name in wanted_columns(spec) if name not in table.columns]
        if lost:
            of = f" of {site}" if site else ""
            raise DataError(
                f"the table{of} has no column {', '.join(map(ascii, lost[:_SHOWN]))}, which the"
                " study declares.",
                whose="the researcher",
                next_step="Name a table that has it, or change the study's columns.",
            )


def wanted_columns(spec: DataSpec) -> tuple[str, ...]:
    """Columns that the study reads."""
    return (spec.patient, *(c.name for c in spec.columns), *spec.label.columns)


def from_folder(folder: Path, spec: DataSpec) -> dict[str, Table]:
    """A table for each CSV file of a folder, under the file's name.

    Raises:
        UsageError: fewer than two files, more than :data:`MOST_SITES`, or a name that no site has.
    """
    files = sorted(folder.glob("*.csv"))
    if not 2 <= len(files) <= MOST_SITES:
        raise UsageError(
            f"{folder} holds {len(files)} CSV files; one for each hospital is due, 2 to"
            f" {MOST_SITES:,}.",
            next_step="Put them there as SITE.csv, or name one CSV file.",
        )
    for file in files:
        if not re.fullmatch(NAME, file.stem):
            raise UsageError(
                f"{file.name} gives no name of a site.",
                next_step="Rename it: a letter, then letters, digits, - or _, 40 in all.",
            )
    return {file.stem: read_csv(file, spec) for file in files}


def divided_by(table: Table, column: str) -> dict[str, Table]:
    """A table for each value of a column.

    Raises:
        UsageError: there is no such column; it has fewer than two values, or more than :data:`MOST_SITES`.
    """
    places: dict[str, list[int]] = {}
    if column not in table.columns:
        raise UsageError(
            f"the table has no column {column!a}.",
            next_step="Name one with --by whose values are the hospitals.",
        )
    for row, cell in enumerate(table.column(column)):
        if cell is not None:
            places.setdefault(_site_name(cell), []).append(row)
    if not 2 <= len(places) <= MOST_SITES:
        raise UsageError(
            f"the column {column!r} has {len(places)} values; one for each hospital is due, 2 to"
            f" {MOST_SITES:,}.",
            next_step="Name another column with --by, or leave it out: rows are then drawn by lot.",
        )
    return {site: selected(table, rows) for site, rows in places.items()}


def divided_by_lot(
    table: Table,
    patient: str,
    sites: Sequence[str],
    seed: int,
    repeat: int,
) -> dict[str, Table]:
    """Each patient, with all rows, at one of the sites by a keyed hash."""
    key = key_of("division", seed, repeat)
    places: dict[str, list[int]] = {site: [] for site in sites}
    for row, cell in enumerate(table.column(patient)):
        lot = hashlib.blake2b((cell or "").encode(), key=key, digest_size=8).digest()
        places[sites[int.from_bytes(lot, "big") % len(sites)]].append(row)
    return {site: selected(table, rows) for site, rows in places.items()}


def invented(
    spec: DataSpec,
    sites: int,
    rows: int,
    seed: int,
) -> dict[str, Table]:
    """Mock tables of ``rows`` records each; the label has nothing to do with the columns."""
    names = virtual_names(sites)
    return {
        name: read_table(mock_table(spec, rows, seed * MOST_SITES + number))
        for number, name in enumerate(names)
    }


def selected(table: Table, rows: Sequence[int]) -> Table:
    """These rows of a table."""
    columns = {name: tuple(cells[row] for row in rows) for name, cells in table.columns.items()}
    malformed = {
        place: table.malformed[row] for place, row in enumerate(rows) if row in table.malformed
    }
    return Table(
        columns,
        len(rows),
        malformed,
        reading=table.reading,
    )


def _site_name(cell: str) -> str:
    """A cell as the name of a site: "St Mary's" becomes ``St-Mary-s``."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", cell).strip("-")
    if not plain[:1].isalpha():
        plain = f"site-{plain}"
    return plain[:40]
