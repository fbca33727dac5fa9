"""A hospital's training: the study's family, task and strategy on its own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.errors import DataError
from securefl.learning.models import family_of
from securefl.learning.steps import PrivateSteps, StepRule
from securefl.learning.tasks import task_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy.typing as npt

    from securefl.learning.features import Prepared
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.task import Task
    from securefl.study.schema import Template


def training_steps(
    study: Template,
    weight: Fraction,
    train: Prepared,
    draws: Draws,
    steps: int | None = None,
) -> PrivateSteps:
    """The noised steps of the hospital with this weight, so many a round: those of the study if
    none are said.

    Raises:
        DataError: the rows are not finite numbers with a target of the task each.
    """
    task = task_of(study.data)
    check_targets(task, train.y)
    return PrivateSteps(
        StepRule.from_study(study, weight, steps),
        family_of(training_of(study).model, study.data).gradients(task),
        train.X,
        train.y,
        draws,
        units=train.units(study.privacy.unit),
    )


def check_targets(task: Task, y: npt.NDArray[Any]) -> None:
    """Refuse targets that the task does not know.

    Raises:
        DataError: there are some.
    """
    if not task.check(y):
        raise DataError(
            "the prepared rows have targets that the task does not know.",
            next_step="Report this: securefl.learning.features should have set such rows aside.",
        )
