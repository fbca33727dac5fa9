"""Rows that a model scores now, beside this hospital's table when it approved the model's study.

For the owner's eyes only: nothing of it leaves, and it stands in no file of scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.learning.drift import drifts
from securefl.learning.drift_index import stabilities
from securefl.learning.readiness import look_at
from securefl.node.models import find_model
from securefl.node.newest_drift import NewestDrift, keep_newest_drift, newest_drift
from securefl.node.requests import kept_study
from securefl.node.training_look import keep_training_look, training_look
from securefl.party.clock import utc_now
from securefl.party.scoring import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from securefl.learning.artefact import Model
    from securefl.learning.drift import Drift
    from securefl.learning.drift_index import Stability
    from securefl.learning.table import Table
    from securefl.node.site import Site
    from securefl.sources.source import GivenReading


@dataclass(frozen=True)
class RowsDrift:
    """Rows to be scored, column by column, beside the table of the approval.

    Attributes:
        name: of the model's study.
        day: of the look at that table.
        rows_then: of that table.
        rows: that are scored.
        columns: the index of each column.
        moved: what of a column moved, where its mean, its missing cells or a text did.
    """

    name: str
    day: str
    rows_then: int
    rows: int
    columns: tuple[Stability, ...]
    moved: tuple[Drift, ...]


def rows_drift(
    site: Site,
    name: str,
    rows: Path,
    given: GivenReading,
) -> RowsDrift:
    """Compare rows with the table as it was when the study of a model was approved here.

    Args:
        site: the hospital.
        name: of the model.
        rows: a table with the model's columns.
        given: how it is read.

    Raises:
        UsageError: no model of that name is here, or nothing was kept of that table.
        DataError: the table cannot be read.
    """
    row, model = find_model(site, name)
    before = _before(site, row.digest)
    if before is None:
        raise UsageError(
            f"Nothing is kept of the table for which {row.name} was approved here, and the table"
            " has changed since.",
            next_step=(
                "It is kept when you approve a study. For this one `securefl site data readiness`"
                " compares the registered table with earlier states of it."
            ),
        )
    table, _ = rows_of(rows, [column.name for column in model.data.columns], given)
    look = look_at(table, model.data)
    columns = stabilities(look, before["look"])
    _keep(site, row.digest, look.rows, columns)
    return RowsDrift(
        row.name,
        before["day"],
        before["look"]["rows"],
        look.rows,
        columns,
        drifts(look, before["look"]),
    )


@dataclass(frozen=True)
class MovedColumns:
    """Columns that are distributed otherwise than when a study was approved.

    Attributes:
        columns: their names.
        day: of the comparison; empty where it was of the very rows that are scored.
    """

    columns: tuple[str, ...] = ()
    day: str = ""


def moved_columns(
    site: Site,
    digest: str,
    model: Model,
    table: Table,
) -> MovedColumns:
    """Columns that moved, in rows that are scored now, or by the newest comparison of many rows.

    None where nothing was kept to compare with.

    Args:
        site: the hospital.
        digest: of the model's study.
        model: that scores.
        table: the rows.
    """
    before = training_look(site, digest)
    if before is None:
        return MovedColumns()
    look = look_at(table, model.data)
    columns = stabilities(look, before["look"])
    _keep(site, digest, look.rows, columns)
    moved = _moved(columns)
    newest = newest_drift(site, digest)
    if moved or newest is None:
        return MovedColumns(moved)
    return MovedColumns(newest.moved, newest.day)


def _keep(
    site: Site,
    digest: str,
    rows: int,
    columns: Sequence[Stability],
) -> None:
    """Keep a comparison for the next time that the model is used."""
    found = NewestDrift(utc_now()[:10], rows, _moved(columns))
    keep_newest_drift(site, digest, found)


def _moved(columns: Sequence[Stability]) -> tuple[str, ...]:
    return tuple(column.column for column in columns if column.moved)


def _before(site: Site, digest: str) -> Mapping[str, Any] | None:
    """The look of the training; taken now where none was kept and the table is still the same."""
    found = training_look(site, digest)
    if found is None:
        reserved = site.ledger.state.study(digest).reservation
        study = kept_study(site, digest).study
        keep_training_look(site, digest, study, utc_now(), approved=reserved.snapshot)
        found = training_look(site, digest)
    return found
