"""The study's model: its family with the shapes of its data, what it says of rows, and its weights
as bytes.

What travels, is summed and is hashed is one flat vector theta, float64[p]
(:mod:`securefl.learning.families.family`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from securefl.errors import MessageError
from securefl.learning.families import FAMILIES
from securefl.learning.tasks import task_of
from securefl.study.warm_start import weights_raw

if TYPE_CHECKING:
    from securefl.learning.families.family import Family
    from securefl.learning.tasks.task import Task
    from securefl.study.columns import DataSpec
    from securefl.study.training import ModelSpec, TrainSection
    from securefl.types import FloatArray

#: Rows scored at a time, always as many: where fewer are left, zeros stand beside them. Whole
#: vectors on every machine.
_ROWS_AT_ONCE = 256


def family_of(model: ModelSpec, data: DataSpec) -> Family:
    """The model that a study describes, with the shapes that its data give it."""
    outputs = task_of(data).outputs
    return FAMILIES[model.family].of(model, data.columns, outputs)


def first_weights(train: TrainSection, data: DataSpec) -> FloatArray:
    """The first global model float64[p]: that of the study that is continued, else the one that the
    family draws from the study's public seed.

    Raises:
        MessageError: the earlier model has another number of weights, or one that is no number.
    """
    family = family_of(train.model, data)
    if train.start_weights is None:
        return family.initial_weights(train.model.initial_seed)
    try:
        raw = weights_raw(train.start_weights)
    except ValueError:
        raw = b""
    return weights_from_bytes(raw, family.parameters)


def predict(
    theta: FloatArray,
    family: Family,
    task: Task,
    x: npt.NDArray[np.floating],
) -> FloatArray:
    """Predictions for rows x [n, features], float64[n] or float64[n, q] as the task has it. No
    torch.

    Rows are handled in arrays of the same shape however many there are, and a family sums each
    row's score by itself; so it does not depend on the other rows, not even in its last bit: a
    patient who joins cannot move another across a bin edge.
    """
    parts = []
    for start in range(0, max(len(x), 1), _ROWS_AT_ONCE):
        some = x[start : start + _ROWS_AT_ONCE]
        rows = np.zeros((_ROWS_AT_ONCE, x.shape[1]))
        rows[: len(some)] = some
        said = task.predictions(family.scores(theta, rows))
        parts.append(said[: len(some)])
    return np.concatenate(parts)


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
