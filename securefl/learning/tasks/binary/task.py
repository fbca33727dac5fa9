"""Binary task: does it hold or not; logistic loss, judged by how held-out patients are ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.binary.evaluation import (
    Evaluation,
    evaluate,
    exact_auc,
    judge,
    score_places,
)
from securefl.learning.tasks.binary.exact_interval import area_interval
from securefl.learning.tasks.binary.expected import EvaluationPlan, plan_evaluation
from securefl.learning.tasks.binary.label_words import label_words
from securefl.learning.tasks.binary.labels import near_outcome, outcomes
from securefl.learning.tasks.binary.mock import mock_label
from securefl.learning.tasks.binary.other_edges import other_edges
from securefl.learning.tasks.binary.own_figures import OwnFigures, calibration_error, figures_of
from securefl.learning.tasks.binary.words import told, told_own, told_plan
from securefl.learning.tasks.counted import CountedTask
from securefl.study.binary_evaluation import AucSection

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.learning.tasks.told import Told
    from securefl.study.binary_label import Label
    from securefl.study.schema import Quality, Template, Verdict
    from securefl.types import FloatArray, IntArray


class Binary(CountedTask):
    """One score a row; its sigmoid is the score that people see. Targets are int8, 0 or 1."""

    regression = "logistic regression"
    steepest = 1.0
    dtype = np.int8
    EvaluationTable = AucSection
    metric = "AUC"
    chance = 0.5
    ratio = "odds"
    estimator = "classifier"
    strata = ("negative", "positive")
    strata_words = "without and with what is to be predicted"
    histogram_words = "how many of the patients kept aside fall into each band of the model's score"

    def __init__(self, label: Label) -> None:
        self._label = label

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def targets(self, table: Table) -> tuple[list[int | str], list[Cell]]:
        """By the label's conditions (:mod:`securefl.learning.tasks.binary.labels`)."""
        return outcomes(table, self._label)

    def near(self, reason: str, text: str, decimal: str) -> str | None:
        """The declared text of the condition on the column that the reason names."""
        for condition in self._label.parts:
            if reason.startswith(f"{condition.column}: "):
                return near_outcome(condition, text, decimal)
        return None

    def mock(self, u: float) -> tuple[str, ...]:
        """A positive label for the upper half of ``u``, a negative one for the lower."""
        return mock_label(self._label, u)

    def loss(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Log loss, log(1 + exp(s)) - y s."""
        found: FloatArray = np.logaddexp(0.0, scores[:, 0]) - y * scores[:, 0]
        return found

    def loss_gradient(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Sigmoid(s) - y."""
        return sigmoid(scores) - y[:, None]

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Sigmoid(s), in (0, 1): the higher, the more likely positive."""
        return sigmoid(scores[:, 0].copy())

    def portable(self, scores: Value) -> Value:
        """Sigmoid."""
        return scores.sigmoid()

    def stratum(self, y: npt.NDArray[np.integer]) -> IntArray:
        """The target itself."""
        return y.astype(np.int64)

    def count_words(self, counts: Sequence[int]) -> str:
        """The positives alone: the others are the rest."""
        return f"about {max(counts[1], 0):,} of them positive"

    def exact_count_words(self, counts: Sequence[int]) -> str:
        """As :meth:`count_words`."""
        return f"{counts[1]:,} positive"

    def histogram_size(self, evaluation: AucSection) -> int:
        """A number for each class and band of the score."""
        return 2 * evaluation.bins

    def place(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.integer],
        evaluation: AucSection,
    ) -> IntArray:
        """The bands of the negatives first, then those of the positives."""
        return score_places(predictions, y, evaluation.edges)

    def evaluate(
        self,
        total: IntArray,
        evaluation: AucSection,
        noises: float,
    ) -> Evaluation:
        """AUC, accuracy and calibration, intervals first."""
        return evaluate(total, evaluation, noises)

    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.integer],
        evaluation: AucSection,
    ) -> OwnFigures:
        """AUC and bands."""
        return figures_of(predictions, y, evaluation.edges)

    def released_figure(self, evaluation: Evaluation) -> float | None:
        """The AUC, where it can be told from chance."""
        return evaluation.auc

    def figure(self, predictions: FloatArray, y: npt.NDArray[np.integer]) -> float:
        """The AUC."""
        return exact_auc(y, predictions)

    def exact_figure(self, figures: OwnFigures) -> float:
        """The AUC."""
        return figures.auc

    def exact_interval(self, figures: OwnFigures) -> tuple[float, float]:
        """That of the AUC."""
        negatives = figures.patients - figures.positives
        return area_interval(figures.auc, figures.positives, negatives)

    def other_evaluations(
        self,
        evaluation: AucSection,
        scored: Sequence[tuple[FloatArray, IntArray]],
    ) -> dict[str, AucSection]:
        """Other edges of the score's bands."""
        return other_edges(evaluation, scored)

    def calibration_error(self, figures: OwnFigures) -> float | None:
        """Over bands: between mean score and share of positives, weighted by patients."""
        return calibration_error(figures)

    def judge(self, evaluation: Evaluation, quality: Quality) -> Verdict:
        """By the interval of the AUC."""
        return judge(evaluation, quality)

    def told(self, evaluation: Evaluation) -> Told:
        """The interval of the AUC first; bands of the score as a table."""
        return told(evaluation)

    def told_own(self, figures: OwnFigures, units: str) -> Told:
        """AUC, and bands as a table."""
        return told_own(figures, units)

    def plan(self, study: Template, noises: float) -> EvaluationPlan | None:
        """The interval to expect for each true AUC, where the study names a prevalence."""
        return plan_evaluation(study, noises)

    def told_plan(self, plan: EvaluationPlan | None) -> Told:
        """Sentences, and a row for each true AUC."""
        return told_plan(plan)

    def words(self) -> str:
        """Label in words: what counts as positive, and what sets a row aside."""
        return label_words(self._label)

    def score_words(self, *, probability: bool) -> str:
        """A probability only where the released calibration supports it."""
        if probability:
            return f"The score is the estimated probability that this holds: {self.words()}."
        return (
            "The score is a score, not a probability: the higher it is, the more likely it is that"
            f" this holds: {self.words()}."
        )

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """0 and 1."""
        return bool(np.isin(y, (0, 1)).all())


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0 / (1.0 + small), small / (1.0 + small))
