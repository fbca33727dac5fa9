"""Gradients whose last bit does not depend on which other rows stand in the batch.

A matrix product may add its terms in another order from row to row and from batch to batch, and
then round another way; a neighbour could move somebody else's gradient across a grid line. Here
every factor of a product is put on a grid of its own first, coarse enough that all products and all
their partial sums are exact in float64 (53 bits). An exact sum has no order. What is left works
value by value, on arrays padded to whole vectors, so that no value is handled by the code for a
remainder.

The grids follow from the model's size and from the global weights, which are public: nothing is
read off the data. They are 2^-20 of the largest possible value or finer; the noise is far above
that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from securefl.learning.exact_grids import LayerGrids, snapped
from securefl.learning.whole_vectors import padded

if TYPE_CHECKING:
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray


class _Product(torch.autograd.Function):
    """rows @ weight.T + bias.

    Gradients flow to the rows alone (``back`` False: not even there): what the parameters get is
    the hooks' work.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own
        rows: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        back: bool,
    ) -> torch.Tensor:
        """See the class."""
        ctx.weight = weight if back else None
        return torch.addmm(bias, rows, weight.t())

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None]:  # noqa: ANN401 - torch's own
        """See the class."""
        return (None if ctx.weight is None else grads[0] @ ctx.weight), None, None, None


class _Tanh(torch.autograd.Function):
    """tanh, put on the grid of 2^ahead on the way out, its gradients on that of 2^back on the way
    back.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, ahead: int, back: int) -> torch.Tensor:  # noqa: ANN401 - torch's own
        """See the class."""
        ctx.tanh = np.tanh(values.numpy())
        ctx.back = back
        return torch.from_numpy(snapped(ctx.tanh, ahead))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: ANN401 - torch's own
        """See the class."""
        return (
            torch.from_numpy(snapped(grads[0].numpy() * (1.0 - ctx.tanh * ctx.tanh), ctx.back)),
            None,
            None,
        )


class ExactLinear(nn.Linear):
    """A linear layer in float64 whose factors are on their grids; a class of its own, so that
    Opacus' hooks tell it apart.
    """

    #: The first layer's input is data: no gradient flows there.
    first = False

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [m, inputs] to [m, outputs]."""
        found: torch.Tensor = _Product.apply(
            rows,
            self.weight,
            self.bias,
            not self.first,
        )  # type: ignore[no-untyped-call]
        return found


class ExactLayers(nn.Module):
    """Linear layers with tanh between them, in float64, with every product exact.

    Args:
        sizes: (inputs, outputs) of each layer.
        task: whose loss is learnt.
    """

    exact: tuple[ExactLinear, ...]

    def __init__(self, sizes: list[tuple[int, int]], task: Task) -> None:
        super().__init__()
        self._task = task
        self.exact = tuple(ExactLinear(into, out, dtype=torch.float64) for into, out in sizes)
        self.exact[0].first = True
        self.layers = nn.ModuleList(self.exact)
        self._grids = LayerGrids(sizes, task.steepest)

    def take(self, theta: FloatArray) -> None:
        """Take the weights out of theta (each layer's weight, then its bias), put on their grids,
        and set the grids of what flows back.

        Weights beyond 2^400 (in a deeper network the layers share that exponent) count as that
        large.
        """
        for layer, (weight, bias) in zip(self.exact, self._grids.take(theta), strict=True):
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight))
                layer.bias.copy_(torch.from_numpy(bias))

    def rows(self, x: FloatArray) -> torch.Tensor:
        """Features [m, inputs] on the grid of the first layer, those beyond [-1, 1] at its ends,
        with rows of zeros up to whole vectors.
        """
        return torch.from_numpy(padded(self._grids.features(x)))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Map what :meth:`rows` makes [m, inputs] to scores [m, outputs]."""
        for i, layer in enumerate(self.exact[:-1]):
            rows = _Tanh.apply(layer(rows), -self._grids.bits[i + 1], self._grids.back[i])  # type: ignore[no-untyped-call]
        scores: torch.Tensor = self.exact[-1](rows)
        return scores

    def residual(self, scores: torch.Tensor, y: FloatArray) -> torch.Tensor:
        """The gradient of the task's loss at the scores [m, outputs], on the grid of the last
        layer; 0 for padding.
        """
        return torch.from_numpy(self._grids.residual(self._task, scores.detach().numpy(), y))
