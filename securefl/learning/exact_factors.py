"""Exact gradients of linear layers with numpy alone: for machines without PyTorch and Opacus.

The same to the last bit as those that Opacus' hooks keep (:mod:`securefl.learning.dpsgd`): factors
are on the same grids, and a product of such factors is exact in whatever order it is added up. So a
study's model does not depend on what is installed where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.clipping import Factors, written_out
from securefl.learning.exact_grids import LayerGrids, snapped
from securefl.learning.whole_vectors import padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray


class ExactFactors:
    """Per-row gradients of a task's loss, in the layout of theta: a
    :data:`~securefl.learning.steps.GradientFunction`.

    Args:
        sizes: (out, in) of each layer.
        task: whose loss is learnt.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], task: Task) -> None:
        self._task = task
        self._grids = LayerGrids([(into, out) for out, into in sizes], task.steepest)

    def __call__(
        self,
        theta: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """All gradients, float64[m, p]."""
        return written_out(self.factors(theta, x, y))

    def factors(
        self,
        theta: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> list[Factors]:
        """The same as what they are products of, layer by layer."""
        grids = self._grids
        layers = grids.take(theta)
        rows = padded(grids.features(x))
        inputs = [rows]
        slopes = []
        for i, (weight, bias) in enumerate(layers[:-1]):
            tanh = np.tanh(rows @ weight.T + bias)
            slopes.append(1.0 - tanh * tanh)
            rows = snapped(tanh, -grids.bits[i + 1])
            inputs.append(rows)
        weight, bias = layers[-1]
        back = grids.residual(self._task, rows @ weight.T + bias, y)
        found = [Factors(inputs[-1][: len(x)], back[: len(x)])]
        for i in reversed(range(len(layers) - 1)):
            back = snapped(back @ layers[i + 1][0] * slopes[i], grids.back[i])
            found.append(Factors(inputs[i][: len(x)], back[: len(x)]))
        return found[::-1]
