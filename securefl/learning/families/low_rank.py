"""A perceptron whose hidden layers move in few directions each, drawn by a public lot.

A hidden layer's weights are W = W0 + A Z B and its biases b = b0 + A c. W0 and b0 are the
perceptron's initial ones, A and B are fixed and public, and what is learnt, clipped, noised and
sent is Z and c, of ``rank`` rows. The first layer learns from every feature (B is the identity),
and the last one, of few outputs, is learnt whole. Low rank for few numbers: Hu et al. 2021
(arXiv:2106.09685); both outer matrices fixed: Balazy et al. 2024 (arXiv:2405.17604).

A and B have orthonormal columns and rows (:mod:`securefl.learning.families.directions`): a gradient
gets no longer by them. A record's gradient of W is the outer product of two factors, so that of Z
is the outer product of the projected factors: nothing of the size of W is made for a record.

The first layer's A is ``stretch`` times as long. A few directions hold a small part of that layer's
gradient, so that beside the last layer's it would hardly count. The layers between those two move as
well, or stay as they were drawn (``inner``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from securefl.learning.clipping import Factors, written_out
from securefl.learning.families.directions import Directions
from securefl.learning.families.moved_layers import HiddenWidths, MovedLayers
from securefl.study.fields import DecimalText, Fault
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Rows whose factors of all layers are in memory at once.
_ROWS_AT_ONCE: Final = 256
#: Longer is a slip of the decimal point: the gradient of 4,096 units is about 64 times as long as
#: its part along one direction.
_MOST_STRETCH: Final = 100


class LowRankSpec(ModelSpec):
    """A perceptron with hidden layers of the widths ``hidden``, each moved in ``rank`` directions."""

    kind: Literal["low-rank"]
    hidden: HiddenWidths
    rank: Annotated[int, Field(ge=1, le=256)]
    stretch: DecimalText = Decimal(1)
    inner: Literal["moved", "fixed"] = "moved"

    @model_validator(mode="after")
    def _is_smaller(self) -> Self:
        if not 0 < self.stretch <= _MOST_STRETCH:
            raise Fault(f"must be above 0 and at most {_MOST_STRETCH}", "stretch")
        least = min(self.hidden)
        if self.rank > least:
            raise Fault(
                f"is more than the {least} units of the narrowest hidden layer: fewer numbers are"
                ' the point of it; lower it, or write kind = "mlp"',
                "rank",
            )
        return self


class _Moved:
    """How one layer moves.

    Args:
        seed: public text, for the directions.
        shape: (out, in) of the layer.
        rows: directions of its outputs; as many as there are outputs for all of them.
        columns: directions of its inputs, likewise.
        length: of the directions of its outputs.
    """

    def __init__(
        self,
        seed: str,
        shape: tuple[int, int],
        rows: int,
        columns: int,
        length: float,
    ) -> None:
        out, into = shape
        self.rows, self.columns = rows, columns
        self._length = length
        self._out: Directions | None = None
        self._in: Directions | None = None
        if rows < out:
            self._out = Directions(f"{seed}/out", out, rows)
        if columns < into:
            self._in = Directions(f"{seed}/in", into, columns)

    @property
    def parameters(self) -> int:
        """Numbers that are learnt of the layer."""
        return self.rows * (self.columns + 1)

    def upward(self, z: FloatArray) -> FloatArray:
        """A Z B, then A c: float64[out * (in + 1)] of float64[parameters]."""
        weight = z[: self.rows * self.columns].reshape(self.rows, self.columns)
        bias = z[self.rows * self.columns :]
        if self._in is not None:
            weight = self._in.upward(weight)
        if self._out is not None:
            weight = self._length * self._out.upward(weight.T).T
            bias = self._length * self._out.upward(bias)
        return np.concatenate([weight.reshape(-1), bias])

    def downward(self, factors: Factors) -> Factors:
        """The factors of a gradient of Z and c, of those of W and b."""
        activations, backprops = factors
        if self._in is not None:
            activations = self._in.downward(activations)
        if self._out is not None:
            backprops = self._length * self._out.downward(backprops)
        return Factors(activations, backprops)


class LowRank(MovedLayers):
    """The perceptron; theta is Z and c of each layer, in the order of the layers."""

    Section = LowRankSpec

    def __init__(
        self,
        section: LowRankSpec,
        inputs: int,
        outputs: int,
    ) -> None:
        super().__init__(section.hidden, inputs, outputs)
        self._rank = section.rank
        self._seed = section.initial_seed
        self._stretch = float(section.stretch)
        self._inner_rank = section.rank if section.inner == "moved" else 0
        self._made: tuple[FloatArray, tuple[_Moved, ...]] | None = None

    @property
    def parameters(self) -> int:
        """The numbers of all layers."""
        return sum(rows * (columns + 1) for rows, columns in self._shapes())

    def gradients(self, task: Task) -> GradientFunction:
        """Gradients of Z and c, of the factors of the perceptron's, row by row."""
        of_weights: Any = self._layers.gradients(task)
        _, moved = self._fixed

        def projected(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
            weights = self._weights(theta)
            found = np.empty((len(x), self.parameters))
            for i in range(0, len(x), _ROWS_AT_ONCE):
                some = slice(i, i + _ROWS_AT_ONCE)
                layers = of_weights.factors(weights, x[some], y[some])
                few = [layer.downward(f) for layer, f in zip(moved, layers, strict=True)]
                found[some] = written_out(few)
            return found

        return projected

    def longest_gradient(self, steepest: float) -> float:
        """That of the perceptron: no projection makes a gradient longer, but ``stretch`` does."""
        return self._layers.longest_gradient(steepest) * max(1.0, self._stretch)

    def rescaled(self, theta: FloatArray, scale: float, shift: FloatArray) -> FloatArray:
        """The last layer carries both, for it is learnt whole."""
        start, _ = self._fixed
        whole = self._layers.rescaled(self._weights(theta), scale, shift)
        out, into = self._layers.sizes[-1]
        last = out * (into + 1)
        found = theta.copy()
        found[-last:] = whole[-last:] - start[-last:]
        return found

    def _shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of Z of each layer."""
        found = []
        last = len(self._layers.sizes) - 1
        for i, (out, into) in enumerate(self._layers.sizes):
            rows = columns = self._inner_rank
            if i == 0:
                rows, columns = self._rank, into
            if i == last:
                rows, columns = out, into
            found.append((rows, columns))
        return found

    def _weights(self, theta: FloatArray) -> FloatArray:
        start, moved = self._fixed
        parts = []
        at = 0
        for layer in moved:
            parts.append(layer.upward(theta[at : at + layer.parameters]))
            at += layer.parameters
        return start + np.concatenate(parts)

    @property
    def _fixed(self) -> tuple[FloatArray, tuple[_Moved, ...]]:
        if self._made is None:
            start = self._layers.initial_weights(self._seed)
            sizes = self._layers.sizes
            shapes = zip(sizes, self._shapes(), strict=True)
            moved = []
            for i, (shape, (rows, columns)) in enumerate(shapes):
                length = self._stretch if i == 0 else 1.0
                moved.append(_Moved(f"{self._seed}/{i}", shape, rows, columns, length))
            self._made = start, tuple(moved)
        return self._made
