"""Runs a program in numpy: what the other runtimes are compared with, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.learning.portable.program import Program, Step
    from securefl.types import FloatArray


def _sigmoid(x: FloatArray) -> FloatArray:
    small = np.exp(-np.abs(x))
    found: FloatArray = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return found


def _softmax(x: FloatArray) -> FloatArray:
    weights = np.exp(x - x.max(axis=1, keepdims=True))
    found: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return found


_PLAIN: Final[Mapping[str, Callable[..., FloatArray]]] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "abs": np.abs,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def run(program: Program, features: FloatArray) -> FloatArray:
    """Predictions of features [n, d], float64[n, q]."""
    values: list[FloatArray] = []
    for step in program.steps:
        inputs = [values[place] for place in step.inputs]
        values.append(_value(step, inputs, features))
    return values[-1]


def _value(
    step: Step,
    inputs: list[FloatArray],
    features: FloatArray,
) -> FloatArray:
    if step.kind == "input":
        return np.asarray(features, dtype=np.float64)
    if step.kind == "constant":
        return step.arrays[0]
    if step.kind == "columns":
        return inputs[0][:, step.first : step.first + step.width]
    if step.kind == "affine":
        weight, bias = step.arrays
        moved: FloatArray = inputs[0] @ weight.T + bias
        return moved
    if step.kind == "concat":
        return np.concatenate(inputs, axis=1)
    return _PLAIN[step.kind](*inputs)
