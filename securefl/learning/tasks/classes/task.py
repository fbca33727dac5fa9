"""Task of several classes: softmax over one score a class, judged by each class against the rest.

A row's loss may be weighted by its true class. The weights are public constants of the study file,
so a row's gradient is still its own alone (rule 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.summing import sum_in_order
from securefl.learning.tasks.classes import evaluation as figures
from securefl.learning.tasks.classes.evaluation import mean_interval
from securefl.learning.tasks.classes.labels import classes, near_class
from securefl.learning.tasks.classes.words import METRIC, label_words, told, told_own
from securefl.learning.tasks.counted import CountedTask
from securefl.study.classes_evaluation import MacroAucSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.learning.tasks.classes.evaluation import ClassesEvaluation, OwnClasses
    from securefl.learning.tasks.told import Told
    from securefl.study.classes_label import ClassesLabel
    from securefl.study.schema import Quality, Verdict
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray


class Classes(CountedTask):
    """One score for each class. Targets are int8, the number of the class from 0."""

    regression = "multinomial regression"
    steepest = 1.0
    dtype = np.int8
    EvaluationTable = MacroAucSection
    metric = METRIC
    chance = 0.5
    estimator = "classifier"
    strata_words = "by class"
    histogram_words = (
        "how many of the patients kept aside of each class fall into each band of the model's"
        " scores, and which class the model tells for them"
    )

    def __init__(self, label: ClassesLabel) -> None:
        self._label = label
        self.strata = self.score_names = label.names
        self._weights = np.array([float(named.weight) for named in label.classes])

    @property
    def outputs(self) -> int:
        """A score for each class."""
        return len(self.strata)

    def targets(self, table: Table) -> tuple[list[int | str], list[Cell]]:
        """By the texts of the classes (:mod:`securefl.learning.tasks.classes.labels`)."""
        return classes(table, self._label)

    def near(self, reason: str, text: str, decimal: str) -> str | None:
        """The declared text of a class, where the reason is the label's."""
        if reason.startswith(f"{self._label.column}: "):
            return near_class(self._label, text, decimal)
        return None

    def mock(self, u: float) -> tuple[str, ...]:
        """Each class for an equal part of ``u``, its texts for equal parts of that."""
        scaled = u * self.outputs
        place = min(int(scaled), self.outputs - 1)
        texts = self._label.classes[place].texts
        if self._label.match == "any-of-letters":  # signs like "|" stand between letters, not alone
            texts = (texts[0], *(letter for letter in texts[1:] if letter.isalnum()))
        return (texts[min(int((scaled - place) * len(texts)), len(texts) - 1)],)

    def loss(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Log loss, log(sum of exp(s)) - s[y], times the weight of y."""
        true = y.astype(np.int64)
        highest = scores.max(axis=1)
        own = scores[np.arange(len(y)), true]
        whole = np.log(sum_in_order(np.exp(scores - highest[:, None])))
        return np.asarray(self._weights[true] * (highest + whole - own), dtype=np.float64)

    def loss_gradient(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Softmax(s) - 1 for the true class, softmax(s) for the others, times the weight of y."""
        true = y.astype(np.int64)
        slope = self.predictions(scores) - (true[:, None] == np.arange(self.outputs))
        return np.asarray(self._weights[true][:, None] * slope, dtype=np.float64)

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Softmax(s), float64[m, K], rows that add up to 1."""
        weights = np.exp(scores - scores.max(axis=1)[:, None])
        return np.asarray(weights / sum_in_order(weights.copy())[:, None], dtype=np.float64)

    def portable(self, scores: Value) -> Value:
        """Softmax."""
        return scores.softmax()

    def stratum(self, y: npt.NDArray[np.integer]) -> IntArray:
        """The target itself."""
        return y.astype(np.int64)

    def evaluation_faults(self, evaluation: MacroAucSection) -> Iterator[Finding]:
        """Shares for another number of classes."""
        if len(evaluation.shares) != self.outputs:
            found = f"has {len(evaluation.shares)} shares for {self.outputs} classes"
            yield ("shares",), f"{found}; give one for each class, in the order of the label"

    def histogram_size(self, evaluation: MacroAucSection) -> int:
        """Two numbers for each class and band, and a table of true and told classes."""
        return figures.histogram_size(evaluation)

    def place(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.integer],
        evaluation: MacroAucSection,
    ) -> IntArray:
        """A number for each class, and one of the table."""
        return figures.places(predictions, y, evaluation)

    def evaluate(
        self,
        total: IntArray,
        evaluation: MacroAucSection,
        noises: float,
    ) -> ClassesEvaluation:
        """Mean area, share told rightly and each class against the rest, intervals first."""
        return figures.evaluate(total, self.strata, evaluation, noises)

    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.integer],
        evaluation: MacroAucSection,  # noqa: ARG002 - exact figures need no bands
    ) -> OwnClasses:
        """Areas, and a table of true and told classes."""
        return figures.own_figures(predictions, y, self.outputs)

    def released_figure(self, evaluation: ClassesEvaluation) -> float | None:
        """The mean area, where it can be told from chance."""
        return evaluation.auc

    def figure(self, predictions: FloatArray, y: npt.NDArray[np.integer]) -> float:
        """The mean area."""
        return figures.own_figures(predictions, y, self.outputs).macro_auc

    def exact_figure(self, figures: OwnClasses) -> float:
        """The mean area."""
        return figures.macro_auc

    def exact_interval(self, figures: OwnClasses) -> tuple[float, float]:
        """That of the mean area."""
        return mean_interval(figures)

    def judge(self, evaluation: ClassesEvaluation, quality: Quality) -> Verdict:
        """By the interval of the mean area."""
        return figures.judge(evaluation, quality)

    def told(self, evaluation: ClassesEvaluation) -> Told:
        """The interval of the mean area first; classes as a table."""
        return told(evaluation)

    def told_own(self, figures: OwnClasses, units: str) -> Told:
        """Areas and the table of true and told classes."""
        return told_own(figures, self.strata, units)

    def words(self) -> str:
        """Classes in words, and what sets a row aside."""
        return label_words(self._label)

    def score_words(self, *, probability: bool) -> str:  # noqa: ARG002 - calibration is not released
        """Order of the scores."""
        return (
            "A score for each class, adding up to 1, in this order:"
            f" {', '.join(self.strata)}. They are scores, not probabilities: the highest names the"
            " class that the model tells."
        )

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """Whole numbers from 0 below the number of classes."""
        return bool(np.isin(y, np.arange(self.outputs)).all())
