"""Orthonormal directions in which a layer moves, dense and drawn by a public lot.

Every unit has a part in every direction, and all directions are of one length whatever the width.
The numbers are hashed out of a public seed and made orthonormal by additions, products and roots in
a fixed order, which IEEE 754 defines to the last bit. So all machines have the same directions.

>>> columns = Directions("a lot", 5, 2).upward(np.eye(2))
>>> np.allclose(columns @ columns.T, np.eye(2))
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.public import public_uniforms
from securefl.learning.summing import sum_in_order

if TYPE_CHECKING:
    from securefl.types import FloatArray

#: Times that what a direction shares with those before is taken off: "twice is enough" for full
#: accuracy (Giraud, Langou, Rozložník 2005).
_PASSES: Final = 2


class Directions:
    """A matrix with orthonormal columns, float64[size, dimensions].

    Args:
        seed: public text.
        size: units of the layer.
        dimensions: directions, at most ``size``.
    """

    def __init__(self, seed: str, size: int, dimensions: int) -> None:
        drawn = public_uniforms("directions", seed.encode(), dimensions * size)
        self._rows = _orthonormal((2.0 * drawn - 1.0).reshape(dimensions, size))

    def upward(self, z: FloatArray) -> FloatArray:
        """What numbers along the directions are of all units: float64[m, size] of [m, k]."""
        found = np.zeros((*z.shape[:-1], self._rows.shape[1]))
        for j, direction in enumerate(self._rows):
            found += z[..., j, None] * direction
        return found

    def downward(self, gradients: FloatArray) -> FloatArray:
        """Rows along the directions: float64[m, k] of float64[m, size].

        Each number is added in one order whatever the other rows are.
        """
        found = np.empty((len(gradients), len(self._rows)))
        for j, direction in enumerate(self._rows):
            found[:, j] = sum_in_order(gradients * direction)
        return found


def _orthonormal(rows: FloatArray) -> FloatArray:
    """Gram and Schmidt's rows: each less what it shares with those before, and of length 1."""
    for j in range(len(rows)):
        before, row = rows[:j], rows[j]
        for _ in range(_PASSES):
            shared = sum_in_order(before * row)
            row -= sum_in_order((before * shared[:, None]).T.copy())
        row /= np.sqrt(sum_in_order(row * row))
    return rows
