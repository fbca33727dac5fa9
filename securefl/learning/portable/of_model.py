"""The whole model as a program: features in, predictions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.learning.features import feature_names
from securefl.learning.models import family_of
from securefl.learning.portable.program import Program
from securefl.learning.tasks import task_of

if TYPE_CHECKING:
    from securefl.learning.artefact import Model


def program_of(model: Model) -> Program:
    """Steps from features [n, d], in the order of ``feature_names``, to predictions [n, q].

    Raises:
        UsageError: its family or its task is of an extension that does not say its steps.
    """
    program = Program()
    features = program.input(len(feature_names(model.data)))
    family = family_of(model.spec, model.data)
    task = task_of(model.data)
    try:
        task.portable(family.portable(model.theta, features))
    except NotImplementedError as error:
        raise UsageError(
            f"This model cannot be written for other programs: {error}.",
            whose="whoever wrote that extension",
            next_step="Use it with `securefl predict`, or give the extension a `portable`.",
        ) from error
    return program
