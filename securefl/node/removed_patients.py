"""Patients whom the owner took out of a population: no worker reads their rows from then on.

Kept are 64-bit keyed hashes (:mod:`securefl.node.patients`), never an identifier, in
``removed/POPULATION/DIGEST`` (0600). The ledger has a keyed hash of the list. A list that is gone or
was changed would bring a patient back in silence: it is a fault of every study on that population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import UnreadableError, UsageError
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.learning.patient_hashes import HASH_BYTES, NOBODY, patient_hash
from securefl.node.patients import patient_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from securefl.node.site import Site

#: Patients of one population who can be out.
MOST_REMOVED: Final = 1_000_000
_FOLDER: Final = "removed"


@dataclass(frozen=True)
class RemovedPatients:
    """Patients who are out of one population.

    Args:
        hashes: keyed hashes of :data:`~securefl.learning.patient_hashes.HASH_BYTES` each.
        digest: keyed hash (hex) of the list, as the ledger has it; empty where nobody is out.
    """

    hashes: frozenset[bytes] = NOBODY
    digest: str = ""

    def dump(self) -> bytes:
        """The hashes in order, one after the other."""
        return b"".join(sorted(self.hashes))


def hashed_identifiers(site: Site, identifiers: Iterable[str]) -> frozenset[bytes]:
    """Keyed hashes of identifiers as they stand in a table."""
    key = patient_key(site)
    return frozenset(patient_hash(identifier, key) for identifier in identifiers)


def removed_patients(site: Site, population: str) -> RemovedPatients:
    """Read who is out of a population; it reads the ledger, so in the ledger's thread.

    Raises:
        UnreadableError: the list is not the one that the ledger names.
    """
    digest = site.ledger.state.excluded.get(population, "")
    if not digest:
        return RemovedPatients()
    file = _file(site, population, digest)
    try:
        text = read_file(file, MOST_REMOVED * HASH_BYTES)
    except OSError:
        text = b""
    if not text or len(text) % HASH_BYTES or _digest(site, population, text) != digest:
        raise UnreadableError(
            f"{file} is not the list of removed patients that the ledger names: without it their"
            " rows would be read again.",
            whose="this hospital",
            next_step="Restore it from your backup.",
        )
    places = range(0, len(text), HASH_BYTES)
    return RemovedPatients(frozenset(text[at : at + HASH_BYTES] for at in places), digest)


def take_out(site: Site, population: str, hashes: frozenset[bytes]) -> RemovedPatients:
    """Add patients to those who are out: the list first, then the ledger, then the older lists go.

    Raises:
        UsageError: no data set has that population, or the list would be too long.
        UnreadableError: the list that holds now is not the one that the ledger names.
    """
    with site.deciding():
        before = removed_patients(site, population)
        after = before.hashes | hashes
        if len(after) > MOST_REMOVED:
            raise UsageError(
                f"More than {MOST_REMOVED:,} patients of '{population}' would be out.",
                next_step="Register a table without them.",
            )
        if after == before.hashes:
            return before
        text = b"".join(sorted(after))
        digest = _digest(site, population, text)
        replace_file(_file(site, population, digest), text)
        # Killed in between, the older list is still the one that the ledger names.
        site.ledger.exclude(population, patients=digest)
        for old in entries(_file(site, population, digest).parent):
            if old.name != digest:
                old.unlink()
    return RemovedPatients(after, digest)


def _digest(site: Site, population: str, text: bytes) -> str:
    return site.keyed(f"removed patients/1\n{population}\n{text.hex()}")


def _file(site: Site, population: str, digest: str) -> Path:
    folder = private_folder(private_folder(site.path / _FOLDER) / population)
    return folder / digest
