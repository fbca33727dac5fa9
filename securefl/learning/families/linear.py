"""The linear family: one layer from features to scores, as in logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import model_validator

from securefl.learning.clipping import Factors, written_out
from securefl.learning.families.layers import LAYERS_FAULT, Layers
from securefl.learning.summing import sum_in_order
from securefl.learning.whole_vectors import in_whole_vectors
from securefl.study.fields import Fault
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray


class LinearSpec(ModelSpec):
    """A linear model: no keys of its own. The task says which regression it is."""

    kind: Literal["logistic-regression", "regression"]

    @model_validator(mode="before")
    @classmethod
    def _no_layers(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        if isinstance(raw, Mapping) and raw.get("hidden"):
            raise Fault(LAYERS_FAULT, "hidden")
        return raw


class Linear(Layers):
    """A weight for each feature and score, and a bias for each score."""

    Section = LinearSpec

    def __init__(
        self,
        section: object,
        inputs: int,
        outputs: int,
    ) -> None:
        del section  # the family has no figures of its own
        super().__init__((), inputs, outputs)


def closed_gradients(task: Task) -> GradientFunction:
    """Gradients of a linear model in closed form: the loss' gradient with respect to the scores,
    times (x, 1).

    Equal to what Opacus computes for the family but for its grids (tested); used where torch would
    only cost time.
    """

    @in_whole_vectors
    def gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
        wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        weights, biases = np.split(theta, [task.outputs * x.shape[1]])
        layer = np.column_stack([weights.reshape(task.outputs, -1), biases])
        scores = np.column_stack([sum_in_order(wide * row) for row in layer])
        return written_out([Factors(x, task.loss_gradient(scores, y))])

    return gradients
