"""Keyed hashes of patients, by which a second budget for the same people is noticed. They stay in the hospital's folder.

A snapshot is a hash of a table's bytes: another order of rows, a changed cell or one more column makes another one. So of
each population the patients are remembered too, as 64 bits of HMAC-SHA256 of their identifiers under the site's secret, in
``patients/POPULATION`` (0600). Up to 65,536 patients all are kept and the share of common ones is exact; of more, those
with the smallest hashes, which are a sample that is the same for every table (bottom-k sketches: Cohen and Kaplan 2007).

Identifiers are compared as they are written. The hashes are in no event, no checkpoint and no extract.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import UnreadableError, UsageError
from securefl.identity import replace_file
from securefl.learning.table import read_table
from securefl.node.folder import private_folder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from securefl.learning.reading import Reading
    from securefl.node.site import Site

#: As many hashes as are kept of a population.
MOST = 65_536
#: From this share of common patients on, a table belongs to the other population.
REFUSED = 0.5
#: From this share on the owner is asked.
ASKED = 0.01
_LABEL = b"securefl/patient/1\0"
_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Patients:
    """Hashes of patients.

    Args:
        hashes: uint64[n], sorted, each once.
        limit: every patient whose hash is not above it is there; the largest of all where nothing was left out.
    """

    hashes: npt.NDArray[np.uint64]
    limit: np.uint64

    def joined(self, other: Patients) -> Patients:
        """The patients of both, again at most :data:`MOST`."""
        limit = min(self.limit, other.limit)
        every = np.union1d(self.hashes, other.hashes)
        return _smallest(every[every <= limit], limit)

    def share_in(self, other: Patients) -> tuple[float, bool]:
        """The share (0 to 1) of these patients that are among the others', and whether it is exact and no estimate."""
        limit = min(self.limit, other.limit)
        compared = self.hashes[self.hashes <= limit]
        if not len(compared):
            return 0.0, True
        return float(np.isin(compared, other.hashes).mean()), bool(limit == _LAST)


@dataclass(frozen=True)
class Overlap:
    """Patients of a table who are among those of another population."""

    population: str
    share: float
    exact: bool

    @property
    def words(self) -> str:
        """The share in words."""
        percent = 100 * self.share
        figure = "less than 1 %" if percent < 1 else f"{percent:.0f} %"
        return figure if self.exact else f"about {figure}"


def patients_of(site: Site, table: Path, column: str, reading: Reading) -> Patients:
    """The patients of a table, by the column of their identifiers.

    Raises:
        DataError: the table cannot be read.
    """
    cells = {cell for cell in read_table(table, reading).column(column) if cell is not None}
    key = hmac.new(site.secret, _LABEL, hashlib.sha256).digest()
    found = [hmac.digest(key, str(cell).encode(), "sha256")[:8] for cell in cells]
    return _smallest(np.unique(np.frombuffer(b"".join(found), ">u8").astype(np.uint64)), _LAST)


def _smallest(hashes: npt.NDArray[np.uint64], limit: np.uint64) -> Patients:
    if len(hashes) <= MOST:
        return Patients(hashes, limit)
    return Patients(hashes[:MOST], hashes[MOST - 1])


def overlaps(site: Site, population: str, patients: Patients) -> tuple[Overlap, ...]:
    """Other populations of this hospital with which a table shares patients, the largest share first.

    Raises:
        UnreadableError: what is kept of a population cannot be read.
    """
    folder = site.path / "patients"
    others = (
        sorted(f.name for f in folder.iterdir() if not f.name.startswith("."))
        if folder.is_dir()
        else []
    )
    shares = [
        (name, *patients.share_in(_read(folder / name))) for name in others if name != population
    ]
    found = [Overlap(name, share, exact) for name, share, exact in shares if share > 0]
    return tuple(sorted(found, key=lambda o: -o.share))


def check_same_patients(population: str, found: tuple[Overlap, ...]) -> None:
    """Refuse a table of which most patients are another population's.

    Raises:
        UsageError: naming that population and the share.
    """
    for overlap in found:
        if overlap.share >= REFUSED:
            raise UsageError(
                f"Of the patients of this table, {overlap.words} are those of '{overlap.population}', who have a budget of their own; as '{population}' they would have a second one.",
                whose="the data owner",
                next_step=f"Register the table with --population {overlap.population}: all its data sets spend from one budget.",
            )


def never_compared(site: Site, population: str) -> list[str]:
    """Other populations with a data set here of which no patients are kept: registered by an earlier version."""
    named = {d.population for d in site.settings.datasets} - {population}
    return sorted(name for name in named if not (site.path / "patients" / name).is_file())


def keep_patients(site: Site, population: str, patients: Patients) -> None:
    """Remember the patients of a table for its population, beside those of all its earlier tables."""
    file = private_folder(site.path / "patients") / population
    kept = patients.joined(_read(file)) if file.exists() else patients
    replace_file(file, np.concatenate(([kept.limit], kept.hashes)).astype("<u8").tobytes())


def _read(file: Path) -> Patients:
    try:
        values = np.frombuffer(file.read_bytes(), "<u8").astype(np.uint64)
        return Patients(values[1:], values[0])
    except (OSError, ValueError, IndexError):
        raise UnreadableError(
            f"{file} cannot be read: it tells which patients already have a budget.",
            whose="the data owner",
            next_step="Restore it from your backup, or move it away and register the tables of that population again.",
        ) from None
