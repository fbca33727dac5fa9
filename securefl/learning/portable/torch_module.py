"""A model as a plain PyTorch module, and as a file of Python that needs PyTorch alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.learning.portable.program import Program, Step
    from securefl.types import FloatArray

_CALLS: Final[Mapping[str, Callable[..., torch.Tensor]]] = {
    "exp": torch.exp,
    "log": torch.log,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "abs": torch.abs,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
_HEAD: Final = '''\
"""Features [rows, {inputs}] to predictions [rows, {outputs}], both float64, in plain PyTorch.

Written by securefl. README.md beside this file says what each feature is.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file


class Model(torch.nn.Module):
    def __init__(self, weights=Path(__file__).with_name("model.safetensors")):
        super().__init__()
        for name, tensor in load_file(weights).items():
            self.register_buffer(name, tensor)

    def forward(self, features):
'''


class TorchModel(nn.Module):
    """Features float64[n, d] to predictions float64[n, q]; gradients go through to the features."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self._steps = tuple(program.steps)
        for name, array in named_arrays(program).items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float64))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See the class."""
        values: list[torch.Tensor] = []
        for place, step in enumerate(self._steps):
            inputs = [values[earlier] for earlier in step.inputs]
            values.append(self._value(place, step, inputs, features))
        return values[-1]

    def _value(
        self,
        place: int,
        step: Step,
        inputs: list[torch.Tensor],
        features: torch.Tensor,
    ) -> torch.Tensor:
        match step.kind:
            case "input":
                found = features.to(torch.float64)
            case "constant":
                found = self.get_buffer(f"constant{place}")
            case "columns":
                found = inputs[0][:, step.first : step.first + step.width]
            case "affine":
                weight = self.get_buffer(f"weight{place}")
                found = inputs[0] @ weight.T + self.get_buffer(f"bias{place}")
            case "concat":
                found = torch.cat(inputs, dim=1)
            case "softmax":
                found = torch.softmax(inputs[0], dim=1)
            case _:
                found = _CALLS[step.kind](*inputs)
        return found


def named_arrays(program: Program) -> dict[str, FloatArray]:
    """Weights, biases and constants of a program by the names that module and file give them."""
    found: dict[str, FloatArray] = {}
    for place, step in enumerate(program.steps):
        names = ("constant",) if step.kind == "constant" else ("weight", "bias")
        for name, array in zip(names, step.arrays, strict=False):
            found[f"{name}{place}"] = array
    return found


def module_text(program: Program) -> str:
    """The file of Python. Nothing of it is anybody's text: it is made of kinds and numbers."""
    steps = program.steps
    lines = [_HEAD.format(inputs=steps[0].width, outputs=steps[-1].width)]
    lines += [f"        v{place} = {_line(place, step)}\n" for place, step in enumerate(steps)]
    return "".join([*lines, f"        return v{len(steps) - 1}\n"])


def _line(place: int, step: Step) -> str:
    inputs = [f"v{earlier}" for earlier in step.inputs]
    match step.kind:
        case "input":
            line = "features.to(torch.float64)"
        case "constant":
            line = f"self.constant{place}"
        case "columns":
            line = f"{inputs[0]}[:, {step.first}:{step.first + step.width}]"
        case "affine":
            line = f"{inputs[0]} @ self.weight{place}.T + self.bias{place}"
        case "concat":
            line = f"torch.cat([{', '.join(inputs)}], dim=1)"
        case "softmax":
            line = f"torch.softmax({inputs[0]}, dim=1)"
        case _:
            line = f"torch.{step.kind}({', '.join(inputs)})"
    return line
