"""Task of a number: squared or Huber loss on its public scale.

The loss' gradient is cut at the length of the scale, 2: a prediction that far off is outside the
range anyway. So the squared loss has a largest gradient too, which grids of exact gradients need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.number.labels import places
from securefl.learning.tasks.number.r2_task import R2Task
from securefl.learning.tasks.number.scale import Scale
from securefl.learning.tasks.number.words import label_words

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.study.number_label import NumberLabel
    from securefl.types import FloatArray

#: Length of the scale, and the largest gradient of the squared loss.
_LONGEST = 2.0


class Number(R2Task):
    """One score a row: how far the number lies above the typical one on the scale. Targets are
    float64, places on the scale.
    """

    regression = "linear regression"
    dtype = np.float64

    def __init__(self, label: NumberLabel) -> None:
        scale = scale_of(label)
        typical = 0.0
        if label.typical is not None:
            typical = scale.place(float(label.typical))
        super().__init__(scale, typical, label.column)
        self._label = label
        self.steepest = _LONGEST
        if label.huber is not None:
            self.steepest = _LONGEST * float(label.huber)

    def targets(self, table: Table) -> tuple[list[float | str], list[Cell]]:
        """By the label's range (:mod:`securefl.learning.tasks.number.labels`)."""
        return places(table, self._label.read_as)

    def places(self, y: npt.NDArray[np.float64]) -> FloatArray:
        """The targets themselves."""
        return y

    def mock(self, u: float) -> tuple[str, ...]:
        """A number of the range, evenly on its scale."""
        value = self.scale.value(2.0 * u - 1.0)
        return (f"{value:.10g}",)

    def loss(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """Half the squared error up to :attr:`steepest`, in proportion above (Huber 1964)."""
        apart = np.abs(scores[:, 0] + self.typical - y)
        near = np.minimum(apart, self.steepest)
        found: FloatArray = near * near / 2.0 + self.steepest * (apart - near)
        return found

    def loss_gradient(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """The error, cut at :attr:`steepest` either way."""
        return np.clip(scores + self.typical - y[:, None], -self.steepest, self.steepest)

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Numbers in the label's unit, cut to its range."""
        return self.scale.values(scores[:, 0] + self.typical)

    def portable(self, scores: Value) -> Value:
        """The place on the scale as a value in its unit."""
        return self.scale.portable(scores + self.typical)

    def in_units(self, y: npt.NDArray[np.float64]) -> FloatArray:
        """The values at these places."""
        return self.scale.values(y)

    def words(self) -> str:
        """The number in words, and what sets a row aside."""
        return label_words(self._label)

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """Places on the scale."""
        return bool((np.abs(y) <= 1.0).all())


def scale_of(label: NumberLabel) -> Scale:
    """The label's scale."""
    logarithmic = label.transform == "log"
    return Scale(float(label.low), float(label.high), label.unit or "", logarithmic)
