"""A perceptron that moves in few directions, drawn by a public lot: fewer numbers travel.

Its weights are w = w0 + S z. w0 are the perceptron's initial weights, S is fixed and public, and
what is learnt, clipped, noised and sent is z, float64[k] (Li, Farkhoor, Liu, Yosinski 2018,
arXiv:1804.08838: an objective's intrinsic dimension is far below a network's size). Clip and noise
come after the projection, so that noise falls on k numbers instead of p.

S is a signed sum of the weights at equal distance: weight i counts in direction i mod k, with a
sign from the study's public seed, over the root of their number (a count sketch: Charikar, Chen,
Farach-Colton 2002). Its columns are orthonormal, so a gradient gets no longer by it, and it takes
p numbers instead of p k.

>>> Signs("seed", 4, 2).upward(np.array([2.0, 0.0])).tolist()[1::2]
[0.0, 0.0]
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from securefl.learning.families.moved_layers import HiddenWidths, MovedLayers
from securefl.learning.public import public_uniforms
from securefl.study.fields import Fault
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Rows whose gradients of all weights are in memory at once.
_ROWS_AT_ONCE: Final = 32


class SubspaceSpec(ModelSpec):
    """A perceptron with hidden layers of the widths ``hidden``, learnt in ``dimensions`` numbers."""

    kind: Literal["subspace"]
    hidden: HiddenWidths
    dimensions: Annotated[int, Field(ge=1, le=1 << 24)]

    @model_validator(mode="after")
    def _is_smaller(self) -> Self:
        # the input's width is not known here: the last two layers alone are a bound from below
        least = sum(a * b for a, b in zip(self.hidden, self.hidden[1:], strict=False))
        if len(self.hidden) > 1 and self.dimensions > least:
            raise Fault(
                f"is more than the {least:,} weights between the hidden layers: fewer numbers are"
                ' the point of it; lower it, or write kind = "mlp"',
                "dimensions",
            )
        return self


class Signs:
    """The matrix S, float64[p, k], as the signs of its p entries.

    Args:
        seed: public text.
        size: p.
        dimensions: k.
    """

    def __init__(self, seed: str, size: int, dimensions: int) -> None:
        self._size = size
        self._folds = -(-size // dimensions)
        drawn = public_uniforms("subspace", seed.encode(), size) < 0.5
        signs = np.zeros(self._folds * dimensions)
        signs[:size] = np.where(drawn, -1.0, 1.0)
        self._signs = signs.reshape(self._folds, dimensions)
        self._scale = 1 / math.sqrt(self._folds)

    def upward(self, z: FloatArray) -> FloatArray:
        """S z: float64[..., p] of float64[..., k]."""
        scaled = z[..., None, :] * self._scale
        whole = (self._signs * scaled).reshape(*z.shape[:-1], -1)
        moved: FloatArray = whole[..., : self._size]
        return moved

    def downward(self, gradients: FloatArray) -> FloatArray:
        """Rows times S: float64[m, k] of float64[m, p], each number added in one order whatever the
        other rows are.
        """
        _, width = self._signs.shape
        found = np.zeros((len(gradients), width))
        for fold, signs in enumerate(self._signs):
            part = gradients[:, fold * width : (fold + 1) * width]
            found[:, : part.shape[1]] += part * signs[: part.shape[1]]
        found *= self._scale
        return found


class Subspace(MovedLayers):
    """The perceptron in its subspace; theta is z."""

    Section = SubspaceSpec

    def __init__(
        self,
        section: SubspaceSpec,
        inputs: int,
        outputs: int,
    ) -> None:
        super().__init__(section.hidden, inputs, outputs)
        self._dimensions = section.dimensions
        self._seed = section.initial_seed
        self._made: tuple[FloatArray, Signs] | None = None

    @property
    def parameters(self) -> int:
        """The directions."""
        return self._dimensions

    def gradients(self, task: Task) -> GradientFunction:
        """Opacus' per-record gradients, projected row by row."""
        of_weights = self._layers.gradients(task)
        _, signs = self._fixed

        def projected(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
            weights = self._weights(theta)
            found = np.empty((len(x), self._dimensions))
            for i in range(0, len(x), _ROWS_AT_ONCE):
                some = slice(i, i + _ROWS_AT_ONCE)
                found[some] = signs.downward(of_weights(weights, x[some], y[some]))
            return found

        return projected

    def _weights(self, theta: FloatArray) -> FloatArray:
        start, signs = self._fixed
        return start + signs.upward(theta)

    @property
    def _fixed(self) -> tuple[FloatArray, Signs]:
        if self._made is None:
            size = self._layers.parameters
            start = self._layers.initial_weights(self._seed)
            self._made = start, Signs(self._seed, size, self._dimensions)
        return self._made
