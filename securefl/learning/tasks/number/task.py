"""Task of a number: squared or Huber loss on its public scale, judged by R2.

The loss' gradient is cut at the length of the scale, 2: a prediction that far off is outside the
range anyway. So the squared loss has a largest gradient too, which grids of exact gradients need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.number import evaluation as figures
from securefl.learning.tasks.number.expected import plan_evaluation
from securefl.learning.tasks.number.labels import places
from securefl.learning.tasks.number.moments import ITEMS
from securefl.learning.tasks.number.own_figures import figures_of
from securefl.learning.tasks.number.scale import Scale
from securefl.learning.tasks.number.words import (
    METRIC,
    label_words,
    told,
    told_own,
    told_plan,
)
from securefl.learning.tasks.summed import SummedTask
from securefl.learning.whole_vectors import padded
from securefl.study.number_evaluation import R2Section

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.learning.table import Cell, Table
    from securefl.learning.tasks.number.evaluation import Frame, NumberEvaluation
    from securefl.learning.tasks.number.expected import NumberPlan
    from securefl.learning.tasks.number.own_figures import OwnNumbers
    from securefl.learning.tasks.told import Told
    from securefl.study.number_label import NumberLabel
    from securefl.study.schema import Quality, Template, Verdict
    from securefl.types import FloatArray, IntArray

#: Length of the scale, and the largest gradient of the squared loss.
_LONGEST = 2.0


class Number(SummedTask):
    """One score a row: how far the number lies above the typical one on the scale. Targets are
    float64, places on the scale.
    """

    regression = "linear regression"
    dtype = np.float64
    EvaluationTable = R2Section
    metric = METRIC
    noun = "prediction"
    released_as = "list of sums"
    histogram_words = (
        "eleven sums over the patients kept aside: how many they are, and powers of their value and"
        " of the model's error; what one patient adds to all of them together is limited"
    )

    def __init__(self, label: NumberLabel) -> None:
        self._label = label
        self._column = label.read_as
        self._scale = scale_of(label)
        self._typical = 0.0
        if label.typical is not None:
            self._typical = self._scale.place(float(label.typical))
        self.steepest = _LONGEST
        if label.huber is not None:
            self.steepest = _LONGEST * float(label.huber)
        middle = self._scale.words(self._scale.value(self._typical))
        self.strata = (f"below {middle}", f"of {middle} or more")
        self.strata_words = f"below {middle} and from there on"
        self.strata_alike = f"lie on one side of {middle}"
        self.score_names = (self._name(),)

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def targets(self, table: Table) -> tuple[list[float | str], list[Cell]]:
        """By the label's range (:mod:`securefl.learning.tasks.number.labels`)."""
        return places(table, self._column)

    def mock(self, u: float) -> tuple[str, ...]:
        """A number of the range, evenly on its scale."""
        value = self._scale.value(2.0 * u - 1.0)
        return (f"{value:.10g}",)

    def loss(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Half the squared error up to :attr:`steepest`, in proportion above (Huber 1964)."""
        apart = np.abs(scores[:, 0] + self._typical - y)
        near = np.minimum(apart, self.steepest)
        found: FloatArray = near * near / 2.0 + self.steepest * (apart - near)
        return found

    def loss_gradient(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """The error, cut at :attr:`steepest` either way."""
        return np.clip(scores + self._typical - y[:, None], -self.steepest, self.steepest)

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Numbers in the label's unit, cut to its range."""
        return self._scale.values(scores[:, 0] + self._typical)

    def stratum(self, y: npt.NDArray[np.floating]) -> IntArray:
        """Below the typical place, or not."""
        return (y >= self._typical).astype(np.int64)

    def histogram_size(self, evaluation: R2Section) -> int:  # noqa: ARG002 - always as many
        """Eleven."""
        return len(ITEMS)

    def row_numbers(
        self, predictions: FloatArray, y: npt.NDArray[np.float64], evaluation: R2Section
    ) -> IntArray:
        """Powers of value and error (:mod:`securefl.learning.tasks.number.moments`)."""
        return figures.numbers_of_rows(predictions, y, self._frame(evaluation), evaluation)

    def evaluate(
        self, total: IntArray, evaluation: R2Section, contributors: int
    ) -> NumberEvaluation:
        """R2 and mean errors, intervals first."""
        return figures.evaluate(total, self._frame(evaluation), evaluation, contributors)

    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.float64],
        evaluation: R2Section,  # noqa: ARG002 - exact figures need no limits
    ) -> OwnNumbers:
        """R2, mean errors and bands of the prediction."""
        said = self._scale.places(padded(predictions))[: len(predictions)]
        return figures_of(said, y)

    def released_figure(self, evaluation: NumberEvaluation) -> float | None:
        """R2, where the model can be told from always saying the mean."""
        return evaluation.r2

    def exact_figure(self, figures: OwnNumbers) -> float:
        """R2."""
        return figures.r2

    def judge(self, evaluation: NumberEvaluation, quality: Quality) -> Verdict:
        """By the interval of R2."""
        return figures.judge(evaluation, quality)

    def told(self, evaluation: NumberEvaluation) -> Told:
        """The interval of R2 first, errors in the unit."""
        return told(evaluation, self._scale)

    def told_own(self, figures: OwnNumbers, units: str) -> Told:
        """R2, errors and bands as a table."""
        return told_own(figures, self._scale, units)

    def plan(self, study: Template, hospitals: int) -> NumberPlan | None:
        """The interval to expect for each true R2, where the study names a deviation."""
        return plan_evaluation(study, hospitals, self._scale, self._typical)

    def told_plan(self, plan: NumberPlan | None) -> Told:
        """Sentences, and a row for each true R2."""
        return told_plan(plan)

    def words(self) -> str:
        """The number in words, and what sets a row aside."""
        return label_words(self._label)

    def score_words(self, *, probability: bool) -> str:  # noqa: ARG002 - it is none
        """The number in its unit."""
        return (
            f"The prediction is {self._name()}, never outside {self._label.low:f} to"
            f" {self._label.high:f}: the model's best guess, not a measured value."
        )

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """Places on the scale."""
        return bool((np.abs(y) <= 1.0).all())

    def _frame(self, section: R2Section) -> Frame:
        return figures.frame_of(self._scale, self._typical, section)

    def _name(self) -> str:
        if self._label.unit is None:
            return self._label.column
        return f"{self._label.column} in {self._label.unit}"


def scale_of(label: NumberLabel) -> Scale:
    """The label's scale."""
    return Scale(float(label.low), float(label.high), label.unit or "", label.transform == "log")
