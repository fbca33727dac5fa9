"""Grids of the factors of exact gradients: linear layers with tanh between them.

Why there are grids: :mod:`securefl.learning.exact`. What stands here needs numpy alone, so that the
same gradients come of PyTorch and Opacus (:mod:`securefl.learning.dpsgd`) and without them
(:mod:`securefl.learning.exact_factors`): a sum that is exact has no order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.whole_vectors import padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Bits of a float64's significand, less one for the sum's own carry.
_BITS = 52
_LEAST = -60
_MOST = 400


def factor_bits(inputs: int, outputs: int) -> int:
    """Bits that each factor of a layer's products may have: two of them and the logarithm of
    the number of terms make 52.

    >>> factor_bits(22, 1), factor_bits(4095, 128)
    (23, 20)
    """
    return (_BITS - math.ceil(math.log2(max(inputs, outputs) + 1))) // 2


def exponent(values: FloatArray) -> int:
    """The least e with every magnitude at most 2^e, within what a float64 can square."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest > 0:
        return min(_MOST, max(_LEAST, math.ceil(math.log2(largest))))
    return 0


def snapped(values: FloatArray, unit_exponent: int) -> FloatArray:
    """Rounded to multiples of ``2^unit_exponent``: the same for a value wherever it stands."""
    unit = 2.0**unit_exponent
    return np.rint(values / unit) * unit


class LayerGrids:
    """Grids of all layers of one model.

    Args:
        sizes: (inputs, outputs) of each layer.
        steepest: the largest slope of the task's loss at a score.

    Attributes:
        bits: of a factor of each layer's products.
        back: exponent of the grid on which slopes flow back to each layer's results; set by
            :meth:`take`.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], steepest: float) -> None:
        self._sizes = sizes
        self._steepest = steepest
        self.bits = [factor_bits(into, out) for into, out in sizes]
        self.back = [0] * len(sizes)

    def take(self, theta: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Each layer's weight [out, in] and bias [out] out of theta, put on their grids.

        Sets the grids of what flows back. Weights beyond 2^400 (in a deeper network the layers
        share that exponent) count as that large.
        """
        found = []
        # at the scores at most what the task says; one layer back at most outputs * largest weight
        # times as much, and tanh' <= 1
        bound = math.ceil(math.log2(self._steepest))
        end = theta.size
        for i in reversed(range(len(self._sizes))):
            bits, (into, out) = self.bits[i], self._sizes[i]
            self.back[i] = bound - bits
            start = end - out * (into + 1)
            bias = end - out
            top = min(exponent(theta[start:end]), _MOST // len(self._sizes))
            values = snapped(np.clip(theta[start:end], -(2.0**top), 2.0**top), top - bits)
            found.append((values[: bias - start].reshape(out, into), values[bias - start :]))
            bound += top + math.ceil(math.log2(out + 1))
            end = start
        return found[::-1]

    def features(self, x: FloatArray) -> FloatArray:
        """Features [m, inputs] on the grid of the first layer, those beyond [-1, 1] at its ends."""
        return snapped(np.clip(x, -1.0, 1.0), -self.bits[0])

    def residual(
        self,
        task: Task,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """The slope of the task's loss at padded scores [m, outputs], on the grid of the last
        layer; 0 for padding.
        """
        gradient = task.loss_gradient(scores, padded(y))
        gradient = np.clip(gradient, -self._steepest, self._steepest)
        gradient[len(y) :] = 0.0
        return snapped(gradient, self.back[-1])
