"""Models of completed studies that came home to a hospital."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from securefl.errors import SecureFLError
from securefl.learning.model_notices import recall_model
from securefl.learning.tasks import task_of
from securefl.node.model_figures import own_figures
from securefl.node.model_uses import note_use
from securefl.node.models import find_model, list_models
from securefl.node.owner.drift import moved_columns
from securefl.node.requests import kept_study
from securefl.party.clock import utc_now
from securefl.party.scoring import rows_of, score_read
from securefl.report.explain_study import units

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.artefact import Model
    from securefl.learning.tasks.told import Told
    from securefl.node.models import ModelRow
    from securefl.node.site import Site
    from securefl.party.scoring import ScoredTable
    from securefl.sources.source import GivenReading
    from securefl.study.schema import Study


@dataclass(frozen=True)
class OwnModel:
    """A model, with its exact figures on this hospital's own held-out patients.

    Attributes:
        name: of its study.
        folder: where it lies.
        model: as it was released.
        study: that it comes from.
        figures: for this screen alone, without noise; None where they cannot be worked out.
        fault: why they cannot: a table that was moved does not hide the model.
    """

    name: str
    folder: Path
    model: Model
    study: Study
    figures: Any | None
    fault: SecureFLError | None

    @property
    def told(self) -> Told | None:
        """The figures in words."""
        if self.figures is None:
            return None
        return task_of(self.study.data).told_own(self.figures, units(self.study))


def models(site: Site) -> tuple[ModelRow, ...]:
    """Models that are here, then those that are looked for, were refused or never came."""
    return list_models(site)


def model_folder(site: Site, name: str) -> Path:
    """The folder of a model that came home.

    Raises:
        UsageError: none or several have that name, or it is not here.
        UnreadableError: its folder was changed.
    """
    row, _ = find_model(site, name)
    return cast("Path", row.folder)  # a model that is here has one


def own_model(site: Site, name: str) -> OwnModel:
    """A model and its figures here. Raises as :func:`model_folder`."""
    row, model = find_model(site, name)
    folder = cast("Path", row.folder)
    study = kept_study(site, row.digest).study
    try:
        figures = own_figures(site, model, study)
    except SecureFLError as error:
        return OwnModel(row.name, folder, model, study, None, error)
    return OwnModel(row.name, folder, model, study, figures, None)


def score_rows(
    site: Site,
    name: str,
    rows: Path,
    given: GivenReading,
    *,
    anyway: bool = False,
) -> ScoredTable:
    """Score a table with a model that came home.

    Args:
        site: the hospital.
        name: of the model.
        rows: a table with the model's columns.
        given: how it is read.
        anyway: score with a model that expired or was recalled.

    Raises:
        UsageError: none or several have that name, or it is not here.
        NotApprovedError: the model expired, or was recalled.
        UnreadableError: its folder was changed.
        DataError: the table cannot be read, or lacks a column.
    """
    row, model = find_model(site, name)
    model = replace(model, anyway=anyway)
    model.check_usable()
    table, read_as = rows_of(rows, [column.name for column in model.data.columns], given)
    scored = score_read(model, table, read_as)
    note_use(site, row.digest, model.digest, utc_now())
    return replace(scored, moved=moved_columns(site, row.digest, model, table))


def recall(
    site: Site,
    name: str,
    reason: str,
    at: str,
) -> Path:
    """Sign a recall of a model that came home; the file, to be handed to all who have the model.

    Args:
        site: the hospital.
        name: of the model.
        reason: for all who have it.
        at: the time, UTC in ISO 8601.

    Raises:
        UsageError: none or several have that name, or it is not here.
        UntrustedError: this hospital's key is not one that counts for this model.
    """
    row, model = find_model(site, name)
    return recall_model(cast("Path", row.folder), model, site.identity, reason, at)
