"""Linear layers with tanh between them: what the linear family and the perceptron share.

tanh and not ReLU: bounded activations lose less to clipping (Papernot et al. 2020,
arXiv:2007.14191). There are no batch statistics, so a record's gradient depends on that record
alone. Layout of theta: for each layer its weight (out x in, row by row), then its bias.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.families.family import Family
from securefl.learning.library import OPACUS, has_packages
from securefl.learning.public import public_uniforms
from securefl.learning.summing import sum_in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.portable.program import Value
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

_NUMBERS_AT_ONCE = 1 << 20
#: Root mean square of a layer's weights up to which :meth:`Layers.longest_gradient` holds.
_LARGEST_WEIGHT = 10.0
LAYERS_FAULT: Final = (
    'an "mlp" names its hidden layer sizes; a "regression" or "logistic-regression" has none'
)


class Layers(Family):
    """A model of linear layers.

    Attributes:
        sizes: (out, in) of each layer.
    """

    def __init__(
        self,
        hidden: tuple[int, ...],
        inputs: int,
        outputs: int,
    ) -> None:
        widths = (inputs, *hidden, outputs)
        self.sizes = tuple((out, into) for into, out in pairwise(widths))

    @property
    def parameters(self) -> int:
        """Weights and biases of all layers."""
        return sum(out * into + out for out, into in self.sizes)

    def initial_weights(self, seed: str) -> FloatArray:
        """Zeros for one layer, else uniform(-a, a), a = sqrt(6 / (in + out)), biases 0.

        The draws are hashed out of the seed (Glorot and Bengio 2010 for the width), so anyone can
        compute them again and nobody can hide a choice in them.
        """
        if len(self.sizes) == 1:
            return np.zeros(self.parameters)
        parts = []
        for i, (out, into) in enumerate(self.sizes):
            width = math.sqrt(6.0 / (into + out))
            draws = public_uniforms(f"initial-weights/{i}", seed.encode(), out * into)
            parts += [(2.0 * draws - 1.0) * width, np.zeros(out)]
        return np.concatenate(parts)

    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """The last layer's values; each is summed by itself and in a fixed order."""
        tensors = self.tensors(theta)
        last = len(self.sizes) - 1
        for i in range(last + 1):
            x = _linear(x, tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"])
            if i < last:
                x = np.tanh(x)
        return x

    def portable(self, theta: FloatArray, features: Value) -> Value:
        """Layer by layer."""
        tensors = self.tensors(theta)
        last = len(self.sizes) - 1
        value = features
        for i in range(last + 1):
            value = value.affine(tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"])
            if i < last:
                value = value.tanh()
        return value

    def gradients(self, task: Task) -> GradientFunction:
        """Opacus' per-record gradients, exact to the last bit (:mod:`securefl.learning.exact`);
        the same without it where it is not installed.
        """
        if not has_packages(OPACUS):
            from securefl.learning.exact_factors import ExactFactors

            return ExactFactors(self.sizes, task)
        from securefl.learning.dpsgd import OpacusGradients

        return OpacusGradients(self.sizes, task)

    def open_libraries(self) -> None:
        """See :class:`Family`."""
        if has_packages(OPACUS):
            import securefl.learning.dpsgd  # noqa: F401 - opened beforehand

    def longest_gradient(self, steepest: float) -> float:
        """A layer's gradient is an outer product: the lengths of its factors multiply. One layer
        back, the slope grows by at most the length (Frobenius norm) of the weights between.
        """
        square = 0.0
        slope = steepest**2 * self.sizes[-1][0]
        for out, into in reversed(self.sizes):
            square += slope * (into + 1)
            slope *= out * into * _LARGEST_WEIGHT**2
        return math.sqrt(square)

    def rescaled(self, theta: FloatArray, scale: float, shift: FloatArray) -> FloatArray:
        """The last layer carries both."""
        out, into = self.sizes[-1]
        found = theta.copy()
        found[-out * (into + 1) :] *= scale
        found[-out:] += shift
        return found

    def tensors(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Views ``layers.<i>.weight`` [out, in] and ``layers.<i>.bias`` [out]."""
        tensors: dict[str, FloatArray] = {}
        at = 0
        for i, (out, into) in enumerate(self.sizes):
            tensors[f"layers.{i}.weight"] = theta[at : at + out * into].reshape(out, into)
            at += out * into
            tensors[f"layers.{i}.bias"] = theta[at : at + out]
            at += out
        return tensors

    def from_tensors(self, tensors: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`tensors`; raises as the base class."""
        if len(tensors) != 2 * len(self.sizes):
            raise KeyError(f"{len(tensors)} tensors")
        parts = []
        for i, (out, into) in enumerate(self.sizes):
            parts.append(tensors[f"layers.{i}.weight"].reshape(out * into))
            parts.append(tensors[f"layers.{i}.bias"].reshape(out))
        return np.concatenate(parts).astype(np.float64)

    def words(self, task: Task) -> str:
        """A regression where there is one layer."""
        if len(self.sizes) == 1:
            return f"a {task.regression}"
        widths = ", ".join(str(out) for out, _ in self.sizes[:-1])
        return f"a small neural network (hidden layers of {widths})"


def _linear(rows: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """Rows [m, in] times weight [out, in] plus bias [out]: float64[m, out], each value summed by
    itself in a fixed order.
    """
    found = np.empty((len(rows), len(weight)))
    portion = max(1, _NUMBERS_AT_ONCE // rows.size)
    for j in range(0, len(weight), portion):
        found[:, j : j + portion] = sum_in_order(
            rows[:, None, :] * weight[None, j : j + portion, :]
        )
    found += bias
    return found
