"""Gradients whose last bit does not depend on which other rows stand in the batch.

A matrix product may add its terms in another order from row to row and from batch to batch, and then round another
way; a neighbour could move somebody else's gradient across a grid line. Here every factor of a product is put on a
grid of its own first, coarse enough that all products and all their partial sums are exact in float64 (53 bits). An
exact sum has no order. What is left works value by value, on arrays padded to whole vectors, so that no value is
handled by the code for a remainder.

The grids follow from the model's size and from the global weights, which are public: nothing is read off the data.
They are 2^-20 of the largest possible value or finer; the noise is far above that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from securefl.learning.steps import FloatArray

#: Bits of a float64's significand, less one for the sum's own carry.
_BITS = 52
#: Batches are padded to a multiple of this many rows: whole vectors on every machine.
PAD = 64
_LEAST, _MOST = -60, 400


def factor_bits(inputs: int, outputs: int) -> int:
    """How many bits each factor of a layer's products may have: two of them and the logarithm of the number of terms make 52.

    >>> factor_bits(22, 1), factor_bits(4095, 128)
    (23, 20)
    """
    return (_BITS - math.ceil(math.log2(max(inputs, outputs) + 1))) // 2


def exponent(values: FloatArray) -> int:
    """The least e with every magnitude at most 2^e, within what a float64 can square."""
    largest = float(np.abs(values).max(initial=0.0))
    return min(_MOST, max(_LEAST, math.ceil(math.log2(largest)))) if largest > 0 else 0


def snapped(values: FloatArray, unit_exponent: int) -> FloatArray:
    """Rounded to multiples of ``2^unit_exponent``: the same for a value wherever it stands."""
    unit = 2.0**unit_exponent
    return np.rint(values / unit) * unit


class Snap(torch.autograd.Function):
    """Values to multiples of 2^forward on the way out, their gradients to multiples of 2^backward on the way back (None: as they are)."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, ahead: int | None, back: int | None) -> torch.Tensor:  # noqa: ANN401 - torch's own
        """See the class."""
        ctx.back = back
        return values.view_as(values) if ahead is None else torch.round(values * 2.0**-ahead).mul_(2.0**ahead)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: ANN401 - torch's own
        """See the class."""
        (grad,) = grads
        return (grad if ctx.back is None else torch.round(grad * 2.0**-ctx.back).mul_(2.0**ctx.back)), None, None


def _snap(values: torch.Tensor, ahead: int | None, back: int | None) -> torch.Tensor:
    found: torch.Tensor = Snap.apply(values, ahead, back)  # type: ignore[no-untyped-call]
    return found


class ExactLinear(nn.Linear):
    """A linear layer in float64 whose factors are on their grids; a class of its own, so that Opacus' hooks tell it apart."""


class ExactLayers(nn.Module):
    """Linear layers with tanh between them, one logit out, in float64, with every product exact.

    Args:
        sizes: (inputs, outputs) of each layer.
    """

    exact: tuple[ExactLinear, ...]

    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.exact = tuple(ExactLinear(into, out, dtype=torch.float64) for into, out in sizes)
        self.layers = nn.ModuleList(self.exact)
        self._bits = [factor_bits(into, out) for into, out in sizes]
        self._sizes = sizes
        self._back: list[int] = [0] * len(sizes)

    def take(self, weights: list[tuple[FloatArray, FloatArray]]) -> None:
        """Take each layer's (weight, bias), put on its grid, and set the grids of what flows back."""
        largest = [max(exponent(w), exponent(b)) for w, b in weights]
        with torch.no_grad():
            for layer, (weight, bias), top, bits in zip(self.exact, weights, largest, self._bits, strict=True):
                layer.weight.copy_(torch.from_numpy(snapped(weight, top - bits)))
                layer.bias.copy_(torch.from_numpy(snapped(bias, top - bits)))
        # at the logit |sigmoid - y| <= 1; one layer back at most outputs * largest weight times as much, and tanh' <= 1
        bound = 0
        for i in reversed(range(len(self.exact))):
            self._back[i] = bound - self._bits[i]
            bound += largest[i] + math.ceil(math.log2(self._sizes[i][1] + 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [m, inputs], each value at most 1, to logits [m]."""
        for i, layer in enumerate(self.exact):
            rows = _snap(layer(_snap(rows, -self._bits[i], None)), None, self._back[i] if i else None)
            if i + 1 < len(self.exact):
                rows = torch.tanh(rows)
        return rows.squeeze(1)
