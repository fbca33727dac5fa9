"""Keyed hashes of the patients of a table: 64 bits of HMAC-SHA256 of each identifier.

Two tables are compared by them. Of more than :data:`MOST` patients those with the smallest hashes
are kept, a sample that is the same for every table (bottom-k sketches: Cohen and Kaplan 2007).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from securefl.learning.table import Cell, Table

#: As many hashes as are kept of a population.
MOST = 65_536
#: Bytes of one patient's hash.
HASH_BYTES = 8
NOBODY: frozenset[bytes] = frozenset()
_LAST = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class Patients:
    """Hashes of patients.

    Args:
        hashes: uint64[n], sorted, each once.
        limit: every patient whose hash is not above it is there; the largest of all where nothing
            was left out.
    """

    hashes: npt.NDArray[np.uint64]
    limit: np.uint64

    def joined(self, other: Patients) -> Patients:
        """The patients of both, again at most :data:`MOST`."""
        limit = min(self.limit, other.limit)
        every = np.union1d(self.hashes, other.hashes)
        return _smallest(every[every <= limit], limit)

    def share_in(self, other: Patients) -> tuple[float, bool]:
        """Estimate the share (0 to 1) of these patients that are among the others'.

        Returned with whether it is exact and no estimate.
        """
        limit = min(self.limit, other.limit)
        compared = self.hashes[self.hashes <= limit]
        if not len(compared):
            return 0.0, True
        return float(np.isin(compared, other.hashes).mean()), bool(limit == _LAST)

    def dump(self) -> bytes:
        """The limit, then the hashes, as little-endian uint64."""
        return np.concatenate(([self.limit], self.hashes)).astype("<u8").tobytes()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read a set that :meth:`dump` wrote.

        Raises:
            ValueError, IndexError: it is nothing of the kind.
        """
        values = np.frombuffer(data, "<u8").astype(np.uint64)
        return cls(values[1:], values[0])


def patients_among(cells: Iterable[Cell], key: bytes) -> Patients:
    """Hashes of all who stand in a column of identifiers, under a key of 32 bytes."""
    names = {cell for cell in cells if cell is not None}
    found = [patient_hash(name, key) for name in names]
    hashes = np.frombuffer(b"".join(found), ">u8").astype(np.uint64)
    return _smallest(np.unique(hashes), _LAST)


def patient_hash(identifier: str, key: bytes) -> bytes:
    """Hash one identifier, as it is written, under a key of 32 bytes."""
    return hmac.digest(key, identifier.encode(), "sha256")[:HASH_BYTES]


def without_patients(
    table: Table,
    column: str,
    hashes: frozenset[bytes],
    key: bytes,
) -> Table:
    """A table without the rows of the patients with these hashes.

    Args:
        table: as read.
        column: of the identifiers.
        hashes: of who is left out.
        key: under which they were hashed.

    Raises:
        DataError: the table has no such column.
    """
    if not hashes:
        return table
    out = {
        row
        for row, cell in enumerate(table.column(column))
        if cell is not None and patient_hash(cell, key) in hashes
    }
    return table.without(out)


def _smallest(hashes: npt.NDArray[np.uint64], limit: np.uint64) -> Patients:
    if len(hashes) <= MOST:
        return Patients(hashes, limit)
    return Patients(hashes[:MOST], hashes[MOST - 1])
