"""DP-SGD with Opacus' per-record gradients, for worker processes alone: it imports torch.

Opacus computes each record's gradient (``GradSampleModule``, hooks mode); clipping, rounding, noise
and sampling are :mod:`securefl.learning.steps`. ``PrivacyEngine.make_private`` is not used: it
takes the sampling rate, the number of steps and the normaliser from the length of the data set,
which tells 96 rows from 97 (pytorch/opacus issues 571, 819).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from securefl.errors import StudyError
from securefl.learning.clipping import Factors, written_out
from securefl.learning.exact import ExactLayers, ExactLinear
from securefl.learning.opacus_hooks import GradSampleModule, register_grad_sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray


def refuse_mixing_layers(module: nn.Module) -> None:
    """Refuse layers that let one record into another's output: no clipping of single records bounds
    what passes there.

    Opacus' ``ModuleValidator.fix`` would turn BatchNorm1d into a GroupNorm that erases tabular
    input, so nothing is replaced in silence.

    Raises:
        StudyError: naming the layer and what to use.
    """
    for name, layer in module.named_modules():
        mixing = isinstance(layer, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001 - the common base of all of them
        running = (
            isinstance(layer, nn.modules.instancenorm._InstanceNorm) and layer.track_running_stats  # noqa: SLF001 - as above
        )
        if mixing or running:
            raise StudyError(
                f"The layer {name or 'model'} ({type(layer).__name__}) takes statistics over the"
                " batch, so each record would change the gradients of all others.",
                next_step=(
                    "Use LayerNorm, or GroupNorm where there are channels; both look at one record"
                    " alone."
                ),
            )


@register_grad_sampler(ExactLinear)  # type: ignore[untyped-decorator]
def _factors(
    layer: ExactLinear,
    activations: list[torch.Tensor],
    backprops: torch.Tensor,
) -> dict[torch.Tensor, torch.Tensor]:
    """Factors that Opacus' hooks keep of a linear layer: a record's gradient is backprop x activation for
    the weight, and the backprop for the bias. The product is left to
    :mod:`securefl.learning.clipping`, a cacheful at a time.
    """
    return {layer.weight: activations[0], layer.bias: backprops}


class OpacusGradients:
    """Per-row gradients of a task's loss by Opacus' hooks, for linear layers with tanh between
    them, in the layout of theta: a :data:`~securefl.learning.steps.GradientFunction`.

    Every product is exact (:mod:`securefl.learning.exact`), so a row's gradient is the same to the
    last bit in whatever batch it stands. Features beyond [-1, 1] count as its ends.

    Args:
        sizes: (out, in) of each layer.
        task: whose loss is learnt.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], task: Task) -> None:
        self._plain = ExactLayers([(into, out) for out, into in sizes], task)
        refuse_mixing_layers(self._plain)
        self._module = GradSampleModule(
            self._plain, batch_first=True, loss_reduction="sum", strict=True
        )
        self._taken: FloatArray | None = None

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
        if self._taken is None or not np.array_equal(
            self._taken, theta
        ):  # one model for all batches of a step
            self._plain.take(theta)
            self._taken = theta.copy()
        self._module.zero_grad(set_to_none=True)
        # Opacus' backward hooks warn at inputs without gradients
        scores = self._module(self._plain.rows(x).requires_grad_())
        scores.backward(self._plain.residual(scores, y))

        def kept(parameter: torch.Tensor) -> FloatArray:
            sample: torch.Tensor = parameter.grad_sample  # type: ignore[attr-defined]
            return sample.numpy()[: len(x)]

        return [Factors(kept(layer.weight), kept(layer.bias)) for layer in self._plain.exact]
