"""Task of a count: Poisson regression.

A model's score is the logarithm of the rate over the typical one, so rates are above 0 and a model
of zeros says the typical rate. The loss' gradient, rate less count, is cut at the largest count,
so that it has a largest one, which grids of exact gradients need; from there on the loss grows in
proportion, as Huber's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.tasks.count.labels import counts
from securefl.learning.tasks.count.words import label_words
from securefl.learning.tasks.number.r2_task import R2Task
from securefl.learning.tasks.number.scale import Scale

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.study.count_label import CountLabel
    from securefl.types import FloatArray

#: Scores beyond count as that: exp(500) is far above any largest count, and no overflow.
_FARTHEST: Final = 500.0


class Count(R2Task):
    """One score a row; its exponential times the typical count is the rate. Targets are int32."""

    regression = "Poisson regression"
    ratio = "rate"
    dtype = np.int32

    def __init__(self, label: CountLabel) -> None:
        scale = Scale(0.0, float(label.largest), label.unit or "")
        super().__init__(scale, scale.place(float(label.typical)), label.column)
        self._label = label
        self._usual = float(label.typical)
        self.steepest = float(label.largest)

    def targets(self, table: Table) -> tuple[list[int | str], list[Cell]]:
        """Whole numbers up to the largest (:mod:`securefl.learning.tasks.count.labels`)."""
        return counts(table, self._label)

    def places(self, y: npt.NDArray[np.integer]) -> FloatArray:
        """0 at -1, the largest count at 1."""
        return self.scale.places(y.astype(np.float64))

    def mock(self, u: float) -> tuple[str, ...]:
        """Each count for an equal part of ``u``."""
        return (str(min(int(u * (self._label.largest + 1)), self._label.largest)),)

    def loss(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """The Poisson distribution's -log up to a constant of the count, rate - y log(rate / typical);
        in proportion where the gradient is cut.
        """
        cut = np.log((y + self.steepest) / self._usual)
        near = np.minimum(scores[:, 0], cut)
        beyond = self.steepest * (scores[:, 0] - near)
        found: FloatArray = self._rates(near[:, None]) - y * near + beyond
        return found

    def loss_gradient(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """Rate - y, cut at the largest count."""
        gradient = np.clip(self._rates(scores) - y, -self.steepest, self.steepest)
        return gradient[:, None]

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Rates, at most the largest count."""
        return np.minimum(self._rates(scores), self.scale.high)

    def portable(self, scores: Value) -> Value:
        """Exponential, cut to the largest count."""
        rates = scores.clip(-_FARTHEST, _FARTHEST).exp() * self._usual
        return rates.minimum(self.scale.high)

    def words(self) -> str:
        """The count in words, and what sets a row aside."""
        return label_words(self._label)

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """Whole numbers from 0 to the largest."""
        whole = (y == np.floor(y)) & (y >= 0) & (y <= self.scale.high)
        return bool(whole.all())

    def _rates(self, scores: FloatArray) -> FloatArray:
        found: FloatArray = self._usual * np.exp(np.clip(scores[:, 0], -_FARTHEST, _FARTHEST))
        return found
