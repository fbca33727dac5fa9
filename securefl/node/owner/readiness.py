"""Readiness of a registered table for a study, before anybody asks: what is there of the declared
columns, what looks wrong, and which rows would be used.

Nothing of it leaves: it is counted when the owner asks, shown, and not logged. What is kept for a
later comparison is a summary without any cell of the table, in the folder that no backup copies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from securefl.errors import DataError
from securefl.files import private_folder, read_file, replace_file
from securefl.learning.drift import drifts, summary
from securefl.learning.readiness import look_at
from securefl.learning.table import read_table
from securefl.node.public_side import registered
from securefl.node.table_looks import forget_outcomes, keep_outcome, table_state
from securefl.node.tables import count_rows
from securefl.study.columns import DataSpec
from securefl.study.parse import parse_data

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from securefl.learning.drift import Drift
    from securefl.learning.readiness import TableLook
    from securefl.node.site import Site
    from securefl.report.rows import RowCount
    from securefl.study.data_part import Unit
    from securefl.study.table_troubles import Trouble

_FOLDER: Final = "readiness"
_TYPE: Final = "securefl-readiness/1"
#: A summary is some hundred bytes a column.
_LONGEST: Final = 8 * 1024 * 1024
_KEPT: Final = TypeAdapter(list[dict[str, Any]])


@dataclass(frozen=True)
class Readiness:
    """A table beside the columns of a study, for its owner's eyes only.

    Attributes:
        dataset: name of the table here.
        study: name of the study or template that declares the columns; empty for those with which
            the table was registered.
        look: column by column.
        rows: that a study would use, and why not the rest; None where they cannot be counted.
        fault: why they cannot.
        snapshot: keyed hash of the table as it was read.
        earlier: day of the look that it was compared with; empty where there was none.
        earlier_rows: rows of the table then.
        drift: columns that moved since.
        mapped: columns that the owner's mapping translates.
        spec: the columns.
        unit: of privacy.
        state: of the table before it was read (:func:`securefl.node.table_looks.table_state`).
    """

    dataset: str
    study: str
    look: TableLook
    rows: RowCount | None
    fault: DataError | None
    snapshot: str
    spec: DataSpec
    unit: Unit
    state: str
    earlier: str = ""
    earlier_rows: int = 0
    drift: tuple[Drift, ...] = ()
    mapped: tuple[str, ...] = ()


def readiness(
    site: Site,
    dataset: str,
    columns: bytes | None = None,
    study: str = "",
) -> Readiness:
    """Look at a registered table. Nothing is written.

    Args:
        site: the hospital.
        dataset: name of the table.
        columns: text of a study or protocol that declares columns; None for those with which the
            table was registered.
        study: its name, for the page.

    Raises:
        UsageError: no such table is registered.
        StudyError: the text declares no columns.
        DataError: the table cannot be read, or it was registered without columns.
        UnreadableError: its mapping is not what this hospital signed.
    """
    source = site.table(dataset)
    state = table_state(source)
    unit: Unit = "patient"
    if columns is None:
        spec = registered_columns(site, dataset)
    else:
        declared = parse_data(columns)
        spec = declared.data
        unit = declared.unit
    population = site.dataset(dataset).population
    spec = spec.model_copy(update={"dataset": dataset, "population": population})
    look = look_at(read_table(source.content(), source.reading), spec)
    snapshot = source.fingerprint(site.secret)
    rows = None
    fault = None
    try:
        rows = count_rows(site, source, spec, unit)
    except DataError as error:
        fault = error
    mapped: tuple[str, ...] = ()
    if source.reading.mapping is not None:
        mapped = tuple(source.reading.mapping.columns)
    before = _earlier(site, dataset, snapshot)
    found = Readiness(dataset, study, look, rows, fault, snapshot, spec, unit, state, mapped=mapped)
    if before is None:
        return found
    return replace(
        found,
        earlier=before["day"],
        earlier_rows=before["look"]["rows"],
        drift=drifts(look, before["look"]),
    )


def keep_look(site: Site, found: Readiness, at: str) -> None:
    """Keep the summary of a look, to compare the next snapshot of the table with.

    The last one of another snapshot is kept beside it; older ones are forgotten.

    Args:
        site: the hospital.
        found: the look.
        at: when it was taken, UTC in ISO 8601.
    """
    others = [look for look in _kept(site, found.dataset) if look["snapshot"] != found.snapshot]
    kept = {
        "snapshot": found.snapshot,
        "day": at[:10],
        "look": summary(found.look),
    }
    looks = [*others[-1:], kept]
    private_folder(_file(site, found.dataset).parent)
    text = json.dumps({"type": _TYPE, "looks": looks})
    replace_file(_file(site, found.dataset), text.encode())


def keep_shown(site: Site, found: Readiness, troubles: Collection[Trouble]) -> None:
    """Keep which kinds of trouble the owner was shown, for an agreement that asks for a look.

    Args:
        site: the hospital.
        found: the look.
        troubles: of its page (:func:`securefl.node.owner.pages.readiness_kinds`).
    """
    keep_outcome(site, found.state, found.spec, found.unit, troubles)


def forget_looks(site: Site, dataset: str) -> None:
    """Delete what was kept of a table's looks."""
    _file(site, dataset).unlink(missing_ok=True)
    forget_outcomes(site, dataset)


def registered_columns(site: Site, dataset: str) -> DataSpec:
    """The columns with which a table was registered.

    Raises:
        DataError: there are none that can be read.
    """
    found = registered(site, dataset)
    try:
        return DataSpec.model_validate_json(json.dumps(found))
    except ValidationError:
        raise DataError(
            f"What '{dataset}' was registered with declares no columns that can be read.",
            next_step="Name a study file or template that declares the columns.",
        ) from None


def _file(site: Site, dataset: str) -> Path:
    return site.path / "private" / _FOLDER / f"{dataset}.json"


def _kept(site: Site, dataset: str) -> list[dict[str, Any]]:
    """Looks that were kept, the newest last; none where the file is damaged: it holds no decision."""
    try:
        text = read_file(_file(site, dataset), _LONGEST)
        found = json.loads(text)
        if found["type"] != _TYPE:
            return []
        looks = _KEPT.validate_python(found["looks"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return looks


def _earlier(site: Site, dataset: str, snapshot: str) -> Mapping[str, Any] | None:
    """The newest look at another snapshot of the table."""
    others = [look for look in _kept(site, dataset) if look["snapshot"] != snapshot]
    if not others:
        return None
    return others[-1]
