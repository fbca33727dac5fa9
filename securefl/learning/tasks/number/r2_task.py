"""Base of tasks of a number on a public range, whatever its loss: judged by R2 and mean errors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from securefl.learning.tasks.number import evaluation as figures
from securefl.learning.tasks.number.expected import plan_evaluation
from securefl.learning.tasks.number.moments import ITEMS
from securefl.learning.tasks.number.own_figures import figures_of
from securefl.learning.tasks.number.words import METRIC, told, told_own, told_plan
from securefl.learning.tasks.summed import SummedTask
from securefl.learning.whole_vectors import padded
from securefl.study.number_evaluation import R2Section

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.learning.tasks.number.evaluation import Frame, NumberEvaluation
    from securefl.learning.tasks.number.expected import NumberPlan
    from securefl.learning.tasks.number.own_figures import OwnNumbers
    from securefl.learning.tasks.number.scale import Scale
    from securefl.learning.tasks.told import Told
    from securefl.study.schema import Quality, Template, Verdict
    from securefl.types import FloatArray, IntArray


class R2Task(SummedTask):
    """A task with one score a row. A subclass says targets, loss and predictions.

    Attributes:
        scale: the public range.
        typical: place on the scale where the model begins and from which values are counted.
    """

    EvaluationTable = R2Section
    metric = METRIC
    least = figures.LEAST_R2
    noun = "prediction"
    released_as = "list of sums"
    histogram_words = (
        "eleven sums over the patients kept aside: how many they are, and powers of their value and"
        " of the model's error; what one patient adds to all of them together is limited"
    )

    scale: Scale
    typical: float

    def __init__(
        self,
        scale: Scale,
        typical: float,
        name: str,
    ) -> None:
        """See the class; ``name`` is that of the predicted column."""
        self.scale = scale
        self.typical = typical
        middle = scale.words(scale.value(typical))
        self.strata = (f"below {middle}", f"of {middle} or more")
        self.strata_words = f"below {middle} and from there on"
        self.strata_alike = f"lie on one side of {middle}"
        self.score_names = (f"{name} in {scale.unit}" if scale.unit else name,)

    @abstractmethod
    def places(self, y: npt.NDArray[Any]) -> FloatArray:
        """Targets as places on the scale, float64[m]."""

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def stratum(self, y: npt.NDArray[Any]) -> IntArray:
        """Below the typical place, or not."""
        return (self.places(y) >= self.typical).astype(int)

    def histogram_size(self, evaluation: R2Section) -> int:  # noqa: ARG002 - always as many
        """Eleven."""
        return len(ITEMS)

    def row_numbers(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: R2Section,
    ) -> IntArray:
        """Powers of value and error (:mod:`securefl.learning.tasks.number.moments`)."""
        return figures.numbers_of_rows(
            predictions,
            self.places(y),
            self._frame(evaluation),
            evaluation,
        )

    def evaluate(
        self,
        total: IntArray,
        evaluation: R2Section,
        noises: float,
    ) -> NumberEvaluation:
        """R2 and mean errors, intervals first."""
        return figures.evaluate(total, self._frame(evaluation), evaluation, noises)

    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: R2Section,  # noqa: ARG002 - exact figures need no limits
    ) -> OwnNumbers:
        """R2, mean errors and bands of the prediction."""
        said = self.scale.places(padded(predictions))[: len(predictions)]
        return figures_of(said, self.places(y))

    def released_figure(self, evaluation: NumberEvaluation) -> float | None:
        """R2, where the model can be told from always saying the mean."""
        return evaluation.r2

    def figure(self, predictions: FloatArray, y: npt.NDArray[Any]) -> float:
        """R2, on the scale."""
        said = self.scale.places(padded(predictions))[: len(predictions)]
        return figures_of(said, self.places(y)).r2

    def exact_figure(self, figures: OwnNumbers) -> float:
        """R2."""
        return figures.r2

    def judge(
        self,
        evaluation: NumberEvaluation,
        quality: Quality,
    ) -> Verdict:
        """By the interval of R2."""
        return figures.judge(evaluation, quality)

    def told(self, evaluation: NumberEvaluation) -> Told:
        """The interval of R2 first, errors in the unit."""
        return told(evaluation, self.scale)

    def told_own(
        self,
        figures: OwnNumbers,
        units: str,
    ) -> Told:
        """R2, errors and bands as a table."""
        return told_own(figures, self.scale, units)

    def plan(
        self,
        study: Template,
        noises: float,
    ) -> NumberPlan | None:
        """The interval to expect for each true R2, where the study names a deviation."""
        return plan_evaluation(study, noises, self.scale, self.typical)

    def told_plan(self, plan: NumberPlan | None) -> Told:
        """Sentences, and a row for each true R2."""
        return told_plan(plan)

    def score_words(self, *, probability: bool) -> str:  # noqa: ARG002 - it is none
        """The number in its unit."""
        return (
            f"The prediction is {self.score_names[0]}, never outside"
            f" {self.scale.low:g} to {self.scale.high:g}: the model's best guess, not a measured"
            " value."
        )

    def _frame(self, section: R2Section) -> Frame:
        return figures.frame_of(self.scale, self.typical, section)
