"""Padding of batches to whole vectors, so that no row is handled by the code for a remainder.

A loop over an array runs on whole vectors of the processor and finishes with other instructions;
``exp`` and ``tanh`` may then round another way. So a row's last bit would follow from how many rows
stand before it (rule 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from securefl.learning.steps import GradientFunction
    from securefl.types import FloatArray

#: Batches are padded to a multiple of this many rows: whole vectors on every machine.
PAD: Final = 64


def padded(rows: FloatArray) -> FloatArray:
    """Rows [m, ...] with zeros behind them up to a multiple of :data:`PAD`, and at least that."""
    found = np.zeros((-(-max(len(rows), 1) // PAD) * PAD, *rows.shape[1:]))
    found[: len(rows)] = rows
    return found


def in_whole_vectors(gradients: GradientFunction) -> GradientFunction:
    """A gradient function that is handed padded rows only."""

    def of_padded(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
        return gradients(theta, padded(x), padded(y))[: len(x)]

    return of_padded
