"""Declarative models as one flat vector: what travels, is summed and is hashed is theta,
float64[p].

``logistic-regression`` is one linear layer; ``mlp`` is linear layers with tanh between them (tanh
and not ReLU: bounded activations lose less to clipping, Papernot et al. 2020, arXiv:2007.14191).
There are no batch statistics in either, so a record's gradient depends on that record alone. Layout
of theta: for each layer its weight (out x in, row by row), then its bias.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from securefl.errors import MessageError
from securefl.learning.public import public_uniforms
from securefl.learning.summing import sum_in_order

if TYPE_CHECKING:
    from securefl.study.schema import ModelSpec

FloatArray = npt.NDArray[np.float64]
#: Rows scored at a time, always as many: where fewer are left, zeros stand beside them. Whole
#: vectors on every machine.
_ROWS_AT_ONCE = 256
_NUMBERS_AT_ONCE = 1 << 20


def layer_sizes(model: ModelSpec, features: int) -> tuple[tuple[int, int], ...]:
    """(out, in) of each linear layer."""
    widths = (features, *model.hidden, 1)
    return tuple((out, into) for into, out in pairwise(widths))


def parameter_count(model: ModelSpec, features: int) -> int:
    """Length p of theta for ``features`` input features."""
    return sum(out * into + out for out, into in layer_sizes(model, features))


def named_tensors(theta: FloatArray, model: ModelSpec, features: int) -> dict[str, FloatArray]:
    """The vector cut into ``layers.<i>.weight`` [out, in] and ``layers.<i>.bias`` [out]."""
    tensors: dict[str, FloatArray] = {}
    at = 0
    for i, (out, into) in enumerate(layer_sizes(model, features)):
        tensors[f"layers.{i}.weight"] = theta[at : at + out * into].reshape(out, into)
        at += out * into
        tensors[f"layers.{i}.bias"] = theta[at : at + out]
        at += out
    return tensors


def flat_vector(tensors: dict[str, FloatArray], model: ModelSpec, features: int) -> FloatArray:
    """The inverse of :func:`named_tensors`; ``KeyError`` or ``ValueError`` if a tensor is missing
    or misshapen.
    """
    parts = []
    for i, (out, into) in enumerate(layer_sizes(model, features)):
        parts.append(tensors[f"layers.{i}.weight"].reshape(out * into))
        parts.append(tensors[f"layers.{i}.bias"].reshape(out))
    return np.concatenate(parts).astype(np.float64)


def initial_weights(model: ModelSpec, features: int) -> FloatArray:
    """The first global model: zeros for logistic regression, else uniform(-a, a), a = sqrt(6 / (in
    + out)), biases 0.

    The draws are hashed out of the study's public ``initial_seed`` (Glorot and Bengio 2010 for the
    width), so anyone can compute them again and nobody can hide a choice in them.
    """
    if not model.hidden:
        return np.zeros(parameter_count(model, features))
    parts = []
    for i, (out, into) in enumerate(layer_sizes(model, features)):
        width = math.sqrt(6.0 / (into + out))
        draws = public_uniforms(f"initial-weights/{i}", model.initial_seed.encode(), out * into)
        parts += [(2.0 * draws - 1.0) * width, np.zeros(out)]
    return np.concatenate(parts)


def predict_scores(theta: FloatArray, model: ModelSpec, x: npt.NDArray[np.floating]) -> FloatArray:
    """Probability of the positive class, float64[n], for x [n, features]. No torch.

    Each row's score is summed by itself and in a fixed order (no matrix product over rows), in
    arrays of the same shape however many rows there are; so it does not depend on the other rows,
    not even in its last bit: a patient who joins cannot move another across a bin edge.
    """
    tensors = named_tensors(theta, model, x.shape[1])
    last = len(model.hidden)
    scores = np.zeros(len(x))
    for start in range(0, len(x), _ROWS_AT_ONCE):
        some = x[start : start + _ROWS_AT_ONCE]
        hidden = np.zeros((_ROWS_AT_ONCE, x.shape[1]))
        hidden[: len(some)] = some
        for i in range(last + 1):
            hidden = _linear(hidden, tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"])
            if i < last:
                hidden = np.tanh(hidden)
        scores[start : start + _ROWS_AT_ONCE] = sigmoid(hidden[:, 0].copy())[: len(some)]
    return scores


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


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def weights_to_bytes(theta: FloatArray) -> bytes:
    """The weights as they travel: little-endian float64, 8 p bytes."""
    return theta.astype("<f8", copy=False).tobytes()


def weights_from_bytes(data: bytes | bytearray, count: int) -> FloatArray:
    """The inverse of :func:`weights_to_bytes` for bytes from another party.

    Raises:
        MessageError: not exactly ``count`` numbers, or one of them is not finite.
    """
    if len(data) != 8 * count:
        raise MessageError(
            f"a global model of {len(data)} bytes arrived where {8 * count} are due.",
            whose="the coordinator",
            next_step="Stop the study and ask the coordinator which model was sent.",
        )
    theta = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if not np.isfinite(theta).all():
        raise MessageError(
            "the global model holds a value that is not a finite number.",
            whose="the coordinator",
            next_step="Ask the coordinator to lower the learning rate; that is a new study.",
        )
    return theta


def weights_sha256(theta: FloatArray) -> str:
    """SHA-256 (hex) of :func:`weights_to_bytes`: the hash in the study file and in every round
    message.
    """
    return hashlib.sha256(weights_to_bytes(theta)).hexdigest()
