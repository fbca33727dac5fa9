"""Exact figures of the global model of each round on this hospital's own held-out patients: for the
owner's own screen, never for anybody else.

They are worked out only when the owner asks, and nothing of them is written or sent (rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from securefl.errors import MessageError
from securefl.files import read_file
from securefl.learning.models import family_of, predict, weights_from_bytes
from securefl.learning.stages.roles import moves_model
from securefl.learning.stages.train import Train
from securefl.learning.strategies import strategy_of
from securefl.learning.tasks import task_of
from securefl.node.model_figures import held_out_rows
from securefl.node.round_models import kept_round_models
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site
    from securefl.types import FloatArray


@dataclass(frozen=True)
class RoundFigures:
    """Exact figures of one global model.

    Attributes:
        after: training rounds that had made it.
        figures: the task's own, of this hospital's held-out patients.
    """

    after: int
    figures: Any


def round_figures(
    site: Site,
    plan: RoundPlan,
) -> tuple[RoundFigures, ...]:
    """Figures of every model that is kept, from the first round on.

    Raises:
        DataError: the table cannot be read, or has no held-out patient.
        UsageError: it is registered no more.
    """
    study = plan.study
    held_out = held_out_rows(site, study)
    task = task_of(study.data)
    section = evaluation_of(study)
    family = family_of(training_of(study).model, study.data)
    found = {}
    for number, file in kept_round_models(site, plan):
        theta = _weights(plan, number, file)
        if theta is None:
            continue
        predictions = predict(theta, family, task, held_out.X)
        after = _rounds_before(plan, number)
        found[after] = RoundFigures(after, task.own_figures(predictions, held_out.y, section))
    return tuple(found[after] for after in sorted(found))


def _weights(
    plan: RoundPlan,
    number: int,
    file: Path,
) -> FloatArray | None:
    """The weights in what a round started from; None where the file is damaged."""
    length = plan.public_length(number)
    try:
        given = weights_from_bytes(read_file(file, length * 8), length)
    except (OSError, MessageError):
        return None  # cut short by a full disk or a crash
    stage = plan.step(number).stage
    weights = strategy_of(stage.section).weights(given) if isinstance(stage, Train) else given
    return weights if np.isfinite(weights).all() else None


def _rounds_before(
    plan: RoundPlan,
    number: int,
) -> int:
    """Training rounds before a round."""
    return sum(moves_model(plan.step(n)) for n in range(1, number))
