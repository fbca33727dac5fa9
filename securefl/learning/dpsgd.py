"""DP-SGD with Opacus' per-record gradients, for worker processes alone: it imports torch.

Opacus computes each record's gradient (``GradSampleModule``, hooks mode); clipping, rounding, noise
and sampling are :mod:`securefl.learning.steps`. ``PrivacyEngine.make_private`` is not used: it
takes the sampling rate, the number of steps and the normaliser from the length of the data set,
which tells 96 rows from 97 (pytorch/opacus issues 571, 819).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from securefl.errors import StudyError
from securefl.learning.clipping import Factors, written_out
from securefl.learning.exact import ExactLayers, ExactLinear
from securefl.learning.models import layer_sizes
from securefl.learning.opacus_hooks import GradSampleModule, register_grad_sampler
from securefl.learning.steps import Draws, FloatArray, PrivateSteps, StepRule

if TYPE_CHECKING:
    from securefl.study.schema import ModelSpec


class TorchModel(nn.Module):
    """A declarative model in float64: linear layers with tanh between them, one logit out."""

    def __init__(self, model: ModelSpec, features: int) -> None:
        super().__init__()
        sizes = layer_sizes(model, features)
        self.layers = nn.ModuleList(
            nn.Linear(into, out, dtype=torch.float64) for out, into in sizes
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [m, features] to logits [m]."""
        for layer in self.layers[:-1]:
            rows = torch.tanh(layer(rows))
        logits: torch.Tensor = self.layers[-1](rows)
        return logits.squeeze(1)


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
    layer: ExactLinear, activations: list[torch.Tensor], backprops: torch.Tensor
) -> dict[torch.Tensor, torch.Tensor]:
    """What Opacus' hooks keep of a linear layer: a record's gradient is backprop x activation for
    the weight, and the backprop for the bias. The product is left to
    :mod:`securefl.learning.clipping`, a cacheful at a time.
    """
    return {layer.weight: activations[0], layer.bias: backprops}


class OpacusGradients:
    """Per-row gradients of the logistic loss by Opacus' hooks, in the layout of theta: a
    :data:`GradientFunction`.

    Every product is exact (:mod:`securefl.learning.exact`), so a row's gradient is the same to the
    last bit in whatever batch it stands. Features beyond [-1, 1] count as its ends.
    """

    def __init__(self, model: ModelSpec, features: int) -> None:
        self._plain = ExactLayers([(into, out) for out, into in layer_sizes(model, features)])
        refuse_mixing_layers(self._plain)
        self._module = GradSampleModule(
            self._plain, batch_first=True, loss_reduction="sum", strict=True
        )
        self._taken: FloatArray | None = None

    def __call__(self, theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
        """All gradients, float64[m, p]."""
        return written_out(self.factors(theta, x, y))

    def factors(self, theta: FloatArray, x: FloatArray, y: FloatArray) -> list[Factors]:
        """The same as what they are products of, layer by layer."""
        if self._taken is None or not np.array_equal(
            self._taken, theta
        ):  # one model for all batches of a step
            self._plain.take(theta)
            self._taken = theta.copy()
        self._module.zero_grad(set_to_none=True)
        # Opacus' backward hooks warn at inputs without gradients
        logits = self._module(self._plain.rows(x).requires_grad_())
        logits.backward(self._plain.residual(logits, y))

        def kept(parameter: torch.Tensor) -> FloatArray:
            sample: torch.Tensor = parameter.grad_sample  # type: ignore[attr-defined]
            return sample.numpy()[: len(x)]

        return [Factors(kept(layer.weight), kept(layer.bias)) for layer in self._plain.exact]


def opacus_gradients(model: ModelSpec, features: int) -> OpacusGradients:
    """See :class:`OpacusGradients`."""
    return OpacusGradients(model, features)


class PrivateTrainer(PrivateSteps):
    """One hospital's noised steps with Opacus' gradients.

    Args:
        model: the declarative model.
        rule: public constants of the study for this hospital, :meth:`StepRule.from_study`.
        x: float32[n, d]; y: int8[n].
        draws: randomness, from the operating system in every real run.
        units: see :class:`PrivateSteps`.
    """

    def __init__(
        self,
        model: ModelSpec,
        rule: StepRule,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[np.integer],
        draws: Draws,
        *,
        units: npt.NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(rule, opacus_gradients(model, x.shape[1]), x, y, draws, units=units)
