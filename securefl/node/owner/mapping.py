"""Owner's mapping of a table: looked at with its effect, signed, shown, taken away.

It changes only while no approved study may read the table: those that agreed run on what they saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import DataError, UnreadableError, UsageError
from securefl.learning.cell_mapping import mapping_effects
from securefl.learning.table import read_table
from securefl.node import mappings
from securefl.node.owner.data_removal import check_idle
from securefl.node.owner.readiness import registered_columns
from securefl.study.table_mapping import check_mapping, made_mapping, read_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.cell_mapping import MappingEffect
    from securefl.node.site import Site
    from securefl.sources.source import Source
    from securefl.study.table_mapping import TableMapping


@dataclass(frozen=True)
class MappingPlan:
    """A mapping before the owner's yes.

    Attributes:
        dataset: that it is for.
        mapping: to be signed.
        effects: on the table as it lies there, a column each, for the owner's screen alone.
    """

    dataset: str
    mapping: TableMapping
    effects: tuple[MappingEffect, ...]


@dataclass(frozen=True)
class ShownTable:
    """A registered table, and what its mapping does to it, for the owner's screen alone.

    Attributes:
        dataset: its name.
        population: whose patients.
        file: that studies read.
        read_as: how it is read.
        mapping: in force; None where there is none.
        effects: of the mapping, a column each.
    """

    dataset: str
    population: str
    file: str
    read_as: str
    mapping: TableMapping | None
    effects: tuple[MappingEffect, ...]


def plan_mapping(site: Site, dataset: str, text: bytes) -> MappingPlan:
    """Read a mapping and count what it does to the table; nothing is written.

    Raises:
        UsageError: no such data set is registered, or an approved study may read it.
        DataError: it is no mapping, does not fit the registered columns, names a column that the
            table does not have, or lets another column tell patients apart.
    """
    return _planned(site, dataset, read_mapping(text))


def plan_column(
    site: Site,
    dataset: str,
    column: str,
    translation: Mapping[str, Any],
) -> MappingPlan:
    """Change one column of the mapping in force, and count what it does; nothing is written.

    Args:
        site: the hospital.
        dataset: the table's name.
        column: the study's name of the column.
        translation: as ``mapping.toml`` has it; empty to leave the column as it lies there.

    Raises:
        UsageError, DataError: as :func:`plan_mapping`; also where no column would be left.
        UnreadableError: the mapping in force is not what this hospital signed.
    """
    site.dataset(dataset)
    before = mappings.kept_mapping(site, dataset)
    columns: dict[str, Any] = {}
    if before is not None:
        columns.update(before.content()["columns"])
    columns.pop(column, None)
    if translation:
        columns[column] = dict(translation)
    if not columns:
        raise UsageError(
            "No column would be translated.",
            next_step="Name what the column is called, spelled or measured in; or take the mapping"
            " away as a whole.",
        )
    made = made_mapping({"schema": "securefl-mapping/1", "columns": columns})
    return _planned(site, dataset, made)


def _planned(site: Site, dataset: str, mapping: TableMapping) -> MappingPlan:
    entry = site.dataset(dataset)
    _check_changes(site, dataset, mapping)
    columns = registered_columns(site, dataset)
    check_mapping(mapping, columns)
    _check_same_patients(site, dataset, mapping, columns.patient)
    plan = MappingPlan(dataset, mapping, effects(entry.table(site.path), mapping))
    absent = [effect.source for effect in plan.effects if not effect.there]
    if absent:
        raise DataError(
            f"The table has no column {', '.join(repr(name) for name in absent)}.",
            whose="the data owner",
            next_step='Write the names of the table\'s first line into mapping.toml, under "from".',
        )
    return plan


def set_mapping(site: Site, plan: MappingPlan) -> None:
    """Sign the mapping; studies read the table through it from now on.

    Raises:
        UsageError: the data set is gone, or a study on it was approved meanwhile.
    """
    with site.deciding():
        site = site.refreshed()
        site.dataset(plan.dataset)
        _check_changes(site, plan.dataset, plan.mapping)
        mappings.keep_mapping(site, plan.dataset, plan.mapping)


def check_unmapping(site: Site, dataset: str) -> None:
    """Refuse to take a mapping away while a study may read the table through it.

    Raises:
        UsageError: no such data set is registered, or an approved study may read it.
    """
    site.dataset(dataset)
    check_idle(site, dataset)


def unmap(site: Site, dataset: str) -> bool:
    """Take the mapping away; False where there was none. Raises as :func:`check_unmapping`."""
    with site.deciding():
        site = site.refreshed()
        check_unmapping(site, dataset)
        return mappings.drop_mapping(site, dataset)


def shown_table(site: Site, dataset: str) -> ShownTable:
    """A registered table with its mapping.

    Raises:
        UsageError: no such data set is registered.
        UnreadableError: its mapping is not what this hospital signed.
        DataError: the table cannot be read.
    """
    entry = site.dataset(dataset)
    plain = entry.table(site.path)
    mapping = mappings.kept_mapping(site, dataset)
    found: tuple[MappingEffect, ...] = ()
    if mapping is not None:
        found = effects(plain, mapping)
    return ShownTable(dataset, entry.population, str(plain.path), plain.words, mapping, found)


def translatable(site: Site, dataset: str) -> tuple[str, ...]:
    """Columns with which a table was registered, in the order of its columns.

    Raises:
        DataError: there are none that can be read.
    """
    found = registered_columns(site, dataset)
    names = (found.patient, *(column.name for column in found.columns), *found.label.columns)
    return tuple(dict.fromkeys(names))


def effects(plain: Source, mapping: TableMapping) -> tuple[MappingEffect, ...]:
    """Count what a mapping does to a table that is read without one.

    Raises:
        DataError: the table cannot be read.
    """
    read = read_table(plain.content(), plain.reading)
    return mapping_effects(read.columns, mapping, plain.reading.decimal)


def _check_changes(site: Site, dataset: str, mapping: TableMapping) -> None:
    """Refuse another mapping than the one in force while a study may read the table."""
    if not mappings.in_force(site, dataset, mapping):
        check_idle(site, dataset)


def _check_same_patients(
    site: Site,
    dataset: str,
    mapping: TableMapping,
    patient: str,
) -> None:
    """Refuse a mapping after which another column tells patients apart.

    Their hashes were compared with those of other populations when the table was registered.
    """
    try:
        before = mappings.kept_mapping(site, dataset)
    except UnreadableError:
        if mappings.in_force(site, dataset, mapping):
            return
        before = None
    told_apart = patient if before is None else before.origin(patient)
    if mapping.origin(patient) != told_apart:
        raise DataError(
            f"The column {told_apart!r} tells the patients of '{dataset}' apart, and the mapping"
            f" takes {mapping.origin(patient)!r} for it.",
            whose="the data owner",
            next_step=(
                "Register the table anew with `securefl site data add --mapping FILE`, which"
                " compares its patients again."
            ),
        )
