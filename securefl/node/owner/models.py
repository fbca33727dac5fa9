"""Models of completed studies that came home to a hospital."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from securefl.errors import SecureFLError
from securefl.federation import paths
from securefl.files import read_file
from securefl.learning.artefact import load_model
from securefl.learning.evaluation_split import is_wrong_way
from securefl.learning.model_notices import (
    check_may_recall,
    check_reason,
    notice_file,
    recall_model,
    released_of,
)
from securefl.learning.tasks import task_of
from securefl.node.model_figures import own_figures
from securefl.node.model_uses import note_use
from securefl.node.models import find_model, list_models
from securefl.node.owner.drift import moved_columns
from securefl.node.requests import kept_study
from securefl.party.clock import utc_now
from securefl.party.outbox import post
from securefl.party.scoring import rows_of, score_read
from securefl.report.explain_study import units

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.artefact import Model
    from securefl.learning.model_notices import Recall
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

    @property
    def wrong_way(self) -> bool:
        """True where the model orders this hospital's patients the wrong way round: all of the
        figure's interval lies below that of a guess.
        """
        if self.figures is None:
            return False
        return is_wrong_way(task_of(self.study.data), self.figures)


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
    moved = moved_columns(site, row.digest, model, table)
    return replace(scored, moved=moved.columns, moved_on=moved.day)


def score_folder(
    site: Site,
    folder: Path,
    rows: Path,
    given: GivenReading,
    *,
    anyway: bool = False,
) -> ScoredTable:
    """Score a table at a hospital with a model in any folder, as one that was handed over.

    Where the same model came home, what is known of it there holds: recalls that its agent found,
    and how the rows differ from the hospital's table at the approval.

    Args:
        site: the hospital.
        folder: of the model.
        rows: a table with the model's columns.
        given: how it is read.
        anyway: score with a model that expired or was recalled.

    Raises:
        NotApprovedError: the model expired, or was recalled.
        UnreadableError: its folder was changed.
        DataError: the table cannot be read, or lacks a column.
    """
    model = load_model(folder, own=site.name, anyway=anyway)
    home = _same_at_home(site, model)
    if home is not None:
        home.check_usable()
    model.check_usable()
    table, read_as = rows_of(rows, [column.name for column in model.data.columns], given)
    scored = score_read(model, table, read_as)
    moved = moved_columns(site, model.facts.study_digest, model, table)
    told = dict.fromkeys(scored.notices)
    if home is not None:
        told |= dict.fromkeys(home.standing().sentences)
        note_use(site, home.facts.study_digest, home.digest, utc_now())
    return replace(scored, notices=tuple(told), moved=moved.columns, moved_on=moved.day)


def _same_at_home(site: Site, model: Model) -> Model | None:
    """The released model that came home here, of which one in another folder is a copy or an edit."""
    digest = released_of(model).digest
    for row in list_models(site):
        if row.digest == model.facts.study_digest and row.folder is not None:
            home = load_model(row.folder, own=site.name, anyway=model.anyway)
            if home.digest == digest:
                return home
    return None


@dataclass(frozen=True)
class RecallPlan:
    """A recall before the owner's yes.

    Attributes:
        name: of the model's study.
        model: that is recalled.
        reason: for all who have it.
        before: recalls by other hospitals that are known here.
        again: this hospital's own, where it recalled the model before; it stays as it is.
    """

    name: str
    model: Model
    reason: str
    before: tuple[Recall, ...]
    again: Recall | None


@dataclass(frozen=True)
class SentRecall:
    """A recall that was signed.

    Attributes:
        file: the notice, to be handed to whoever must not miss it.
        posted: the store took it; else the agent goes on trying.
    """

    file: Path
    posted: bool


def plan_recall(site: Site, name: str, reason: str) -> RecallPlan:
    """Work out a recall of a model that came home; nothing is written.

    Args:
        site: the hospital.
        name: of the model.
        reason: for all who have it, in a line.

    Raises:
        UsageError: none or several have that name, or it is not here; or the reason is none.
        UntrustedError: this hospital's key is not one that counts for this model.
    """
    row, model = find_model(site, name)
    check_may_recall(model, site.identity.card)
    check_reason(reason)
    recalls = model.standing().recalls
    own = next((said for said in recalls if said.site == site.name), None)
    before = tuple(said for said in recalls if said.site != site.name)
    return RecallPlan(row.name, model, reason, before, own)


def recall(site: Site, plan: RecallPlan, at: str) -> SentRecall:
    """Sign a recall, keep it beside the model, and put it into the store.

    Where this hospital recalled the model before, that notice is sent once more: a store may have
    lost it.

    Args:
        site: the hospital.
        plan: what its owner said yes to.
        at: the time, UTC in ISO 8601.

    Raises:
        UntrustedError: this hospital's key is not one that counts for this model.
    """
    model = plan.model
    folder = cast("Path", model.folder)  # a model that is here was read from one
    file = notice_file(folder, site.name)
    if plan.again is None:
        recall_model(folder, model, site.identity, plan.reason, at)
    path = paths.recall(model.facts.study_digest, site.name)
    return SentRecall(file, post(site, path, read_file(file)))
