"""Patients who leave: what taking them out means, and doing it.

An identifier is typed or read from a file, hashed at once, and kept nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import DataError, UnreadableError, UsageError
from securefl.files import read_given
from securefl.learning.patient_hashes import patient_hash
from securefl.learning.table import cell_text, read_table
from securefl.node.patients import patient_key
from securefl.node.public_side import registered
from securefl.node.removed_patients import hashed_identifiers, removed_patients, take_out
from securefl.node.requests import kept_study
from securefl.privacy.accounting import epsilon_of_rdp
from securefl.study.stages import makes_model
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.party.folder import DatasetEntry
    from securefl.privacy.ledger_facts import StudyState

#: Bytes of a file of identifiers.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class TouchedStudy:
    """A study that released something while the patients' rows could be read.

    Attributes:
        name: of the study.
        state: in the ledger.
        releases: how many left the hospital.
        last_round: the last that was answered.
        model: whether it trains a model.
    """

    name: str
    state: str
    releases: int
    last_round: int
    model: bool


@dataclass(frozen=True)
class PatientBound:
    """The most that all releases together can tell of one patient; it holds for who leaves, too."""

    epsilon: Decimal
    delta: Decimal


@dataclass(frozen=True)
class PatientRemoval:
    """A removal before the owner's yes. Counts are for the owner's screen alone.

    Attributes:
        population: whose patients.
        hashes: keyed hashes of those who were named and are not out yet.
        named: how many identifiers were given.
        already: how many of them are out already.
        found: how many of the rest stand in a table that is registered now.
        unread: data sets whose table could not be read.
        touched: studies that released something, the first one first.
        bound: for these releases; None where nothing was charged.
        going_on: names of studies that run, or may start.
    """

    population: str
    hashes: frozenset[bytes]
    named: int
    already: int
    found: int
    unread: tuple[str, ...]
    touched: tuple[TouchedStudy, ...]
    bound: PatientBound | None
    going_on: tuple[str, ...]


def read_identifiers(file: Path) -> tuple[str, ...]:
    """Identifiers from a file, one a line.

    Raises:
        UsageError: it is too long, is no text in UTF-8, or names nobody.
    """
    try:
        text = read_given(file, _MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{file} is not text in UTF-8.",
            next_step="Save it as a text with one identifier a line.",
        ) from None
    return tuple(text.splitlines())


def plan_patient_removal(
    site: Site,
    population: str,
    identifiers: Iterable[str],
) -> PatientRemoval:
    """Work out what taking patients out would mean; nothing is written.

    Args:
        site: the hospital.
        population: whose patients.
        identifiers: as they stand in the table.

    Raises:
        UsageError: no data set has that population, or nobody was named.
        UnreadableError: the list of those who are out was lost or changed.
    """
    entries = [d for d in site.settings.datasets if d.population == population]
    if population not in {d.population for d in site.ledger.state.datasets.values()}:
        raise UsageError(
            f"No data set was registered here for the patients of '{population}'.",
            next_step="`securefl site data list` shows the populations.",
        )
    cells = {cell_text(identifier) for identifier in identifiers}
    names = {cell for cell in cells if cell is not None}
    if not names:
        raise UsageError(
            "No identifier was given.", next_step="Write one a line, as it stands in the table."
        )
    hashes = hashed_identifiers(site, names)
    before = removed_patients(site, population).hashes
    found, unread = _found(site, entries, hashes - before)
    studies = [
        study
        for study in site.ledger.state.studies.values()
        if study.reservation.population == population
    ]
    touched = [study for study in studies if study.sent]
    return PatientRemoval(
        population=population,
        hashes=hashes - before,
        named=len(names),
        already=len(hashes & before),
        found=len(found),
        unread=unread,
        touched=tuple(_touched(site, study) for study in touched),
        bound=_bound(site, population, touched),
        going_on=tuple(_name(study) for study in studies if not study.ended),
    )


def remove_patients(site: Site, plan: PatientRemoval) -> None:
    """Take the patients out: from the next round on no worker reads their rows.

    Raises:
        UsageError: too many would be out.
        UnreadableError: the list of those who are out was lost or changed.
    """
    take_out(site, plan.population, plan.hashes)


def _found(
    site: Site,
    entries: Iterable[DatasetEntry],
    hashes: frozenset[bytes],
) -> tuple[frozenset[bytes], tuple[str, ...]]:
    """Those who stand in a registered table, and the data sets that could not be read."""
    key = patient_key(site)
    found: set[bytes] = set()
    unread = []
    for entry in entries:
        try:
            described = registered(site, entry.name)
            if described is None:
                unread.append(entry.name)
                continue
            source = site.table(entry.name)
            column = read_table(source.content(), source.reading).column(described["patient"])
        except (DataError, UnreadableError):
            unread.append(entry.name)
            continue
        found |= {patient_hash(cell, key) for cell in column if cell is not None} & hashes
    return frozenset(found), tuple(unread)


def _touched(site: Site, study: StudyState) -> TouchedStudy:
    try:
        model = makes_model(kept_study(site, study.digest).study)
    except UnreadableError:  # its text is gone: it is named all the same
        model = True
    return TouchedStudy(
        name=_name(study),
        state=study.status,
        releases=len(study.sent),
        last_round=max(number for number, _ in study.sent),
        model=model,
    )


def _bound(site: Site, population: str, touched: list[StudyState]) -> PatientBound | None:
    """Composition of all that was charged for these studies, at the budget's delta."""
    if not touched:
        return None
    budget = site.ledger.state.budget(population)
    cost = sum(study.charged for study in touched)
    epsilon = epsilon_of_rdp(cost, budget.delta, budget.order)
    alone = touched[0].reservation
    if len(touched) == 1 and alone.delta == budget.delta:
        epsilon = min(epsilon, alone.epsilon)
    return PatientBound(epsilon, budget.delta)


def _name(study: StudyState) -> str:
    return StudyId(study.approval.id, study.digest).name
