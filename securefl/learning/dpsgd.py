"""DP-SGD with Opacus' per-record gradients; the only module that imports torch and opacus (worker processes).

Opacus computes each record's gradient (``GradSampleModule``, hooks mode); clipping, rounding, noise and sampling are
:mod:`securefl.learning.steps`. ``PrivacyEngine.make_private`` is not used: it takes the sampling rate, the number of
steps and the normaliser from the length of the data set, which tells 96 rows from 97 (pytorch/opacus issues 571, 819).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from opacus import GradSampleModule
from torch import nn

from securefl.errors import StudyError
from securefl.learning.models import layer_sizes, named_tensors
from securefl.learning.steps import Draws, FloatArray, GradientFunction, PrivateSteps, StepRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.study.schema import ModelSpec


class TorchModel(nn.Module):
    """A declarative model in float64: linear layers with tanh between them, one logit out."""

    def __init__(self, model: ModelSpec, features: int) -> None:
        super().__init__()
        sizes = layer_sizes(model, features)
        self.layers = nn.ModuleList(nn.Linear(into, out, dtype=torch.float64) for out, into in sizes)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows [m, features] to logits [m]."""
        for layer in self.layers[:-1]:
            rows = torch.tanh(layer(rows))
        logits: torch.Tensor = self.layers[-1](rows)
        return logits.squeeze(1)


def refuse_mixing_layers(module: nn.Module) -> None:
    """Refuse layers that let one record into another's output: no clipping of single records bounds what passes there.

    Opacus' ``ModuleValidator.fix`` would turn BatchNorm1d into a GroupNorm that erases tabular input, so nothing is
    replaced in silence.

    Raises:
        StudyError: naming the layer and what to use.
    """
    for name, layer in module.named_modules():
        mixing = isinstance(layer, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001 - the common base of all of them
        running = isinstance(layer, nn.modules.instancenorm._InstanceNorm) and layer.track_running_stats  # noqa: SLF001 - as above
        if mixing or running:
            raise StudyError(
                f"The layer {name or 'model'} ({type(layer).__name__}) takes statistics over the batch, so each record would change the gradients of all others.",
                next_step="Use LayerNorm, or GroupNorm where there are channels; both look at one record alone.",
            )


def opacus_gradients(model: ModelSpec, features: int) -> GradientFunction:
    """Per-row gradients of the logistic loss by Opacus' hooks, as float64[m, p] in the layout of theta."""
    plain = TorchModel(model, features)
    refuse_mixing_layers(plain)
    module = GradSampleModule(plain, batch_first=True, loss_reduction="sum", strict=True)
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = nn.BCEWithLogitsLoss(reduction="sum")
    parameters = dict(plain.named_parameters())

    def gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
        with torch.no_grad():
            for name, value in named_tensors(theta, model, features).items():
                parameters[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))
        module.zero_grad(set_to_none=True)
        rows = torch.from_numpy(x).requires_grad_()  # Opacus' backward hooks warn at inputs without gradients
        loss(module(rows), torch.from_numpy(y)).backward()  # type: ignore[no-untyped-call]
        parts = [parameters[name].grad_sample.reshape(len(x), -1) for name in parameters]  # type: ignore[attr-defined]
        return torch.cat(parts, dim=1).numpy()

    return gradients


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
