"""The whole report of a completed study, from what its researcher's folder kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.errors import UnreadableError
from securefl.federation.kept_totals import KeptTotals
from securefl.files import read_file
from securefl.learning.effects import linear_effects
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import judged, moves_model
from securefl.learning.tasks import task_of
from securefl.learning.update_lengths import noise_in_weight, trained_weights, update_lengths
from securefl.report.whole_report import ModelCheck, WholeReport
from securefl.researcher.durable_run import FOLDER, TOTALS
from securefl.researcher.run_study import RECORDS
from securefl.study.stages import makes_model
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.artefact import Model
    from securefl.learning.effects import Effect
    from securefl.learning.model_notices import ModelStanding
    from securefl.learning.tasks.told import Told
    from securefl.learning.update_lengths import UpdateLength
    from securefl.study.schema import Study
    from securefl.types import IntArray


def whole_report(
    folder: Path,
    plan: RoundPlan,
    result: Mapping[str, Any],
    tables: Sequence[Told],
) -> WholeReport:
    """Gather the report.

    Args:
        folder: the study's folder at its researcher.
        plan: the study.
        result: as :func:`securefl.researcher.results.read_result` gives it.
        tables: what stages found that make no model.

    Raises:
        UnreadableError: a kept total or record was altered or damaged.
    """
    rounds = _records(folder / RECORDS)
    lengths, effects = _training(plan.study, folder)
    contributions = model_contributions(result)
    if (result.get("quality") or {}).get("withheld"):
        effects, contributions = [], None  # they would tell the model
    return WholeReport(
        study=plan.study,
        digest=plan.digest,
        result=result,
        rounds=rounds,
        lengths=lengths,
        effects=effects,
        judged=_judged(plan.study, result, rounds),
        tables=tables,
        contributions=contributions,
        edited=edited_models(result),
        standing=model_standing(result),
    )


def edited_models(result: Mapping[str, Any]) -> list[Model]:
    """Models that were edited by hand of a study's own, where they lie beside it."""
    from securefl.learning.artefact import load_model
    from securefl.learning.edited_model import edited_beside

    folder = Path(result.get("model") or "")
    if not (folder / "model.json").is_file():
        return []
    digest = load_model(folder).digest
    found = [load_model(one) for one in edited_beside(folder)]
    return [one for one in found if one.edited and one.edited.unedited.digest == digest]


def model_standing(result: Mapping[str, Any]) -> ModelStanding | None:
    """Standing of the model by what lies beside it; None where it is not kept here."""
    from securefl.learning.artefact import load_model

    folder = Path(result.get("model") or "")
    if not (folder / "model.json").is_file():
        return None
    return load_model(folder).standing()


def model_contributions(result: Mapping[str, Any]) -> Told | None:
    """What the model's columns contribute, where it can be read and still lies there."""
    from securefl.learning.artefact import load_model

    folder = Path(result.get("model") or "")
    if not (folder / "model.json").is_file():
        return None
    return load_model(folder).contributions


def _records(file: Path) -> list[dict[str, Any]]:
    """The coordinator's record of each round; none where the folder does not hold it."""
    try:
        lines = read_file(file).decode().splitlines()
        return [json.loads(one) for one in lines if one.strip()]
    except FileNotFoundError:
        return []
    except ValueError:
        raise UnreadableError(
            f"{file} is damaged.", next_step="Take it out of a backup, or do without a report."
        ) from None


def _training(study: Study, folder: Path) -> tuple[list[UpdateLength], list[Effect]]:
    """Lengths of updates and effects of columns, out of the opened sums."""
    totals = _training_totals(study, folder)
    train = training_if_any(study)
    if train is None or len(totals) != train.rounds:
        return [], []
    if totals[0][0].size != trained_weights(study, ()).size:
        return [], []  # the strategy's sums are more than one mean update
    lengths = update_lengths(study, totals)
    noise = noise_in_weight(study, min(contributors for _, contributors in totals))
    if noise is None:
        return lengths, []
    return lengths, linear_effects(study, trained_weights(study, totals), noise)


def _training_totals(study: Study, folder: Path) -> list[tuple[IntArray, int]]:
    """Opened sums of the rounds that train."""
    programme = Programme(study)
    kept = KeptTotals(folder / FOLDER / TOTALS)
    try:
        return [
            (total, contributors)
            for number, total, contributors in kept.all()
            if moves_model(programme.at(number))
        ]
    except FileNotFoundError:
        return []


def _judged(
    study: Study,
    result: Mapping[str, Any],
    rounds: Sequence[Mapping[str, Any]],
) -> ModelCheck | None:
    """The check of the model again, off its released histogram."""
    if not makes_model(study) or "histogram" not in result:
        return None
    contributors = len(study.cohort)
    if rounds:
        contributors = len(rounds[-1]["contributions"])
    task = task_of(study.data)
    released = np.asarray(result["histogram"], dtype=np.int64)
    evaluation = judged(Programme(study)).read(released, contributors).evaluation
    return ModelCheck(
        task.told(evaluation),
        evaluation.low,
        evaluation.high,
        task.least,
    )
