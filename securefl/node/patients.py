"""Keyed hashes of patients, by which a second budget for the same people is noticed.

They stay in the hospital's folder. A snapshot is a hash of a table's bytes: another order of rows,
a changed cell or one more column makes another one. So of each population the patients are
remembered too, as 64 bits of HMAC-SHA256 of their identifiers under the site's secret, in
``patients/POPULATION`` (0600). Up to 65,536 patients all are kept and the share of common ones is
exact; of more, those with the smallest hashes, which are a sample that is the same for every table
(bottom-k sketches: Cohen and Kaplan 2007).

Identifiers are compared as they are written. The hashes are in no event, no checkpoint and no
extract.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError, UnreadableError, UsageError
from securefl.files import entries, private_folder, replace_file
from securefl.learning.patient_hashes import Patients, patients_among
from securefl.learning.table import read_table

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.sources.source import Source

#: From this share of common patients on, a table belongs to the other population.
REFUSED = 0.5
#: From this share on the owner is asked.
ASKED = 0.01
_LABEL = b"securefl/patient/1\0"


@dataclass(frozen=True)
class Overlap:
    """Patients whom a table and another population have in common.

    Attributes:
        population: the other one.
        share: of the table's patients, or of the population's, whichever is larger: a register of
            few that lies within the table of a whole hospital is a small share of that.
        exact: whether the share is no estimate.
        of_table: whether it is the share of the table's patients.
    """

    population: str
    share: float
    exact: bool
    of_table: bool

    @property
    def words(self) -> str:
        """The share of whose patients: a sentence without its full stop."""
        if self.of_table:
            return f"Of the patients of this table, {self._figure} are those of '{self.population}'"
        return f"Of the patients of '{self.population}', {self._figure} are in this table"

    @property
    def _figure(self) -> str:
        percent = 100 * self.share
        figure = f"{percent:.0f} %"
        if percent < 1:
            figure = "less than 1 %"
        if self.exact:
            return figure
        return f"about {figure}"


def patients_of(site: Site, source: Source, column: str) -> Patients:
    """The patients of a table, by the column of their identifiers.

    Raises:
        DataError: the table cannot be read.
    """
    table = read_table(source.content(), source.reading)
    return patients_among(table.column(column), patient_key(site))


def patient_key(site: Site) -> bytes:
    """32 bytes under which this hospital's patients are hashed: nobody else's hashes are like them."""
    return hmac.new(site.secret, _LABEL, hashlib.sha256).digest()


def overlaps(site: Site, population: str, patients: Patients) -> tuple[Overlap, ...]:
    """Find other populations of this hospital with which a table shares patients.

    The largest share first.

    Raises:
        UnreadableError: what is kept of a population cannot be read.
    """
    found = []
    for file in entries(site.path / "patients"):
        if file.name == population:
            continue
        other = _read(file)
        share, exact = patients.share_in(other)
        inside, _ = other.share_in(patients)
        if share > 0:
            found.append(Overlap(file.name, max(share, inside), exact, share >= inside))
    return tuple(sorted(found, key=lambda o: -o.share))


def check_same_patients(population: str, found: tuple[Overlap, ...]) -> None:
    """Refuse a table that has most of its patients, or most of theirs, from another population.

    Raises:
        UsageError: naming that population and the share.
    """
    for overlap in found:
        if overlap.share >= REFUSED:
            raise UsageError(
                f"{overlap.words}. They have a budget of their own; as '{population}' they"
                " would have a second one.",
                whose="the data owner",
                next_step=(
                    f"Register the table with --population {overlap.population}: all its data sets"
                    " spend from one budget."
                ),
            )


def take_changed(site: Site, population: str, patients: Patients) -> None:
    """Compare and remember the patients of a table that is not the one which was registered.

    A table may change after it was registered: a study runs on it as it is. Another population's
    patients under its name would have a second budget.

    Args:
        site: the hospital.
        population: of the table.
        patients: those whom the worker read.

    Raises:
        DataError: most of them, or of another population's, are in both.
        UnreadableError: what is kept of a population cannot be read.
    """
    for overlap in overlaps(site, population, patients):
        if overlap.share >= REFUSED:
            raise DataError(
                f"The table is another file than the one that was registered. {overlap.words},"
                " and they have a budget of their own.",
                next_step=(
                    "Register it again with `securefl site data add`, or put the right file back."
                    " The study ends here, and nothing of the table has left."
                ),
            )
    keep_patients(site, population, patients)


@dataclass(frozen=True)
class TableComparison:
    """The table that a study's worker read beside the one that was registered.

    It is called where the worker is waited for, before a reply's public time: how long it takes is
    seen by nobody.

    Args:
        site: the hospital.
        population: of the table.
        known: keyed hash of the table that was registered or read last.
        key: under which the worker hashes the patients.
    """

    site: Site
    population: str
    known: str
    key: bytes

    @classmethod
    def of(cls, site: Site, dataset: str) -> TableComparison:
        """The comparison for a registered data set; it reads the ledger, so in the ledger's thread."""
        entry = site.dataset(dataset)
        known = site.ledger.state.dataset(dataset).snapshot
        return cls(site, entry.population, known, patient_key(site))

    def __call__(self, counts: dict[str, Any]) -> None:
        """Take the patients out of what the worker said; compare them where the table changed.

        Raises:
            DataError, UnreadableError: as :func:`take_changed`.
        """
        patients = Patients.load(bytes.fromhex(counts.pop("patients")))
        if self.site.keyed_snapshot(counts["sha256"]) != self.known:
            take_changed(self.site, self.population, patients)


def never_compared(site: Site, population: str) -> list[str]:
    """List other populations with a data set here of which no patients are kept.

    They were registered by an earlier version.
    """
    named = {d.population for d in site.settings.datasets} - {population}
    return sorted(name for name in named if not (site.path / "patients" / name).is_file())


def keep_patients(site: Site, population: str, patients: Patients) -> None:
    """Remember the patients of a table for its population, beside those of all its earlier tables."""
    file = private_folder(site.path / "patients") / population
    kept = patients
    if file.exists():
        kept = patients.joined(_read(file))
    replace_file(file, kept.dump())


def _read(file: Path) -> Patients:
    try:
        return Patients.load(file.read_bytes())
    except (OSError, ValueError, IndexError):
        raise UnreadableError(
            f"{file} cannot be read: it tells which patients already have a budget.",
            whose="the data owner",
            next_step=(
                "Restore it from your backup, or move it away and register the tables of that"
                " population again."
            ),
        ) from None
