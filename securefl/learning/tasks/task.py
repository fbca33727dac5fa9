"""Interface of a task: what is predicted of a row, with which loss, and how a model is judged.

Nothing outside a task knows how many outcomes there are or what a target looks like. A task is made
for a study's label, the section of the study file that says where the target is read from.

Two promises keep one patient's rows from moving another's integers (rule 10), and property tests
hold every registered task to them: what is made of a row depends on that row alone, to the last
bit; and a row adds to a released list no more than the evaluation's noise is drawn for: 1 to a
fixed number of counts, or whole numbers of a bounded length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from securefl.learning.tasks.told import Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.study.counts import EvaluateSection
    from securefl.study.schema import Quality, Template, Verdict
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray

#: A row's target; for a binary task 1 or 0.
Target: TypeAlias = int | float


class Task(ABC):
    """A task with its label.

    Args:
        label: the study's, of a kind that names this task.

    Attributes:
        regression: what a linear model with this loss is called, as "logistic regression".
        steepest: the largest magnitude that a loss' gradient may have; larger ones are cut to it.
            Grids of exact gradients follow from it.
        dtype: of targets; with its bytes a row enters the lot of its patient.
        EvaluationTable: table of an evaluation in the study file, with the keys of the task's metric.
        metric: name of the figure that a quality rule is judged on, as "AUC".
        least: the lowest value of that figure; a quality rule of it asks for nothing.
        chance: the figure of a model that guesses the order of patients, as .5; None where the
            figure is no judgement of an order. A figure below it orders them the wrong way round.
        strata: names of the groups that a count of patients is split into.
        strata_words: how it is split, as "by stage of the disease": for owners.
        strata_alike: what is said of rows that are all in one of them: "have the same outcome".
        noun: what a prediction is called, "score" or "prediction".
        score_names: names of the figures of a prediction, where they need any.
        histogram_words: what an evaluation counts, as "how many of the patients kept aside ...":
            for owners.
        estimator: what scikit-learn takes it for: "classifier", "regressor" or "survival".
        ratio: what is multiplied where a score rises: "odds"; empty where nothing is.
        released_as: what leaves for an evaluation, in two words, for the model card.
    """

    regression: ClassVar[str]
    steepest: float
    dtype: ClassVar[type[np.number[Any]]]
    EvaluationTable: ClassVar[type[EvaluateSection]]
    metric: ClassVar[str]
    least: ClassVar[float] = 0.0
    chance: ClassVar[float | None] = None
    strata: tuple[str, ...]
    strata_words: str
    strata_alike: str = "have the same outcome"
    noun: ClassVar[str] = "score"
    score_names: tuple[str, ...] = ()
    histogram_words: ClassVar[str]
    ratio: ClassVar[str] = ""
    released_as: ClassVar[str] = "score histogram"
    estimator: ClassVar[str] = "regressor"

    @abstractmethod
    def __init__(self, label: Any) -> None:  # noqa: ANN401 - each task has labels of its own
        """See the class."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Scores k that a model gives a row."""

    @abstractmethod
    def targets(self, table: Table) -> tuple[Sequence[Target | str], Sequence[Cell]]:
        """Of each row its target, or the reason why it has none; and the cell that is the reason.

        Raises:
            DataError: a column of the label is not in the table.
        """

    def near(
        self,
        reason: str,
        text: str,
        decimal: str,
    ) -> str | None:
        """The declared text that a cell seems to mean which set its row aside; None where there is
        none, or the reason is not one of the label's.
        """
        del reason, text, decimal
        return None

    @abstractmethod
    def mock(self, u: float) -> tuple[str, ...]:
        """Invented cells, one for each column of the label, for a number in (0, 1); such that all
        targets come up.
        """

    @abstractmethod
    def loss(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """The loss of rows, float64[m], for scores float64[m, k] and targets float64[m]."""

    @abstractmethod
    def loss_gradient(self, scores: FloatArray, y: FloatArray) -> FloatArray:
        """Its gradient with respect to the scores, float64[m, k]; m is a multiple of whole
        vectors.
        """

    @abstractmethod
    def predictions(self, scores: FloatArray) -> FloatArray:
        """Predictions for rows of scores float64[m, k]; m as above: float64[m], or
        float64[m, q] where it says q figures of each.
        """

    def portable(self, scores: Value) -> Value:
        """:meth:`predictions` in steps that other runtimes have (:mod:`securefl.learning.portable`).

        Raises:
            NotImplementedError: the task does not say them.
        """
        del scores
        raise NotImplementedError(f"the task {type(self).__name__} does not say its steps")

    @abstractmethod
    def stratum(self, y: npt.NDArray[Any]) -> IntArray:
        """The place of each target in :attr:`strata`, int64[m]."""

    def count_words(self, counts: Sequence[int]) -> str:
        """Counts of each of :attr:`strata` in words, at least 0 each."""
        named = zip(counts, self.strata, strict=True)
        return ", ".join(f"about {max(count, 0):,} of them {name}" for count, name in named)

    def exact_count_words(self, counts: Sequence[int]) -> str:
        """A hospital's own counts of each of :attr:`strata`, for its owner's screen."""
        named = zip(counts, self.strata, strict=True)
        return ", ".join(f"{count:,} {name}" for count, name in named)

    def evaluation_faults(self, evaluation: Any) -> Iterable[Finding]:  # noqa: ANN401 - each task has a section of its own
        """Figures of an evaluation's section that do not fit the label: the key, and what would."""
        del evaluation
        return ()

    @abstractmethod
    def histogram_size(self, evaluation: Any) -> int:  # noqa: ANN401 - each task has a section of its own
        """Numbers in the list that an evaluation releases."""

    @abstractmethod
    def tally(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - as above
    ) -> IntArray:
        """Those numbers without noise, int64[:meth:`histogram_size`]: a sum over the rows, each of
        which adds what follows from it alone. Private: never released without noise.

        One row's addition has an L2 norm of at most the section's ``sigma`` over its
        ``noise_multiplier``. Two classes see to that: a task derives from
        :class:`~securefl.learning.tasks.counted.CountedTask` or
        :class:`~securefl.learning.tasks.summed.SummedTask`.
        """

    @abstractmethod
    def evaluate(
        self,
        total: IntArray,
        evaluation: Any,  # noqa: ANN401 - as above
        noises: float,
    ) -> Any:  # noqa: ANN401 - each task has figures of its own
        """The figures from the opened sum of noised lists: a frozen dataclass of plain values,
        ``low`` and ``high`` among them, the interval of the :attr:`metric`.

        Args:
            total: int64[:meth:`histogram_size`].
            evaluation: the study's section.
            noises: full noises, of the section's ``sigma``, that the sum carries: as many as
                hospitals, or fewer where they share the noise.

        Raises:
            RoundError: the sum has another length.
        """

    @abstractmethod
    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[Any],
        evaluation: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - as above
        """Exact figures of a hospital's own held-out rows, a frozen dataclass of plain values:
        private, for the owner's own screen (rule 1).
        """

    def released_figure(self, evaluation: Any) -> float | None:  # noqa: ANN401 - as above
        """The :attr:`metric` itself in what :meth:`evaluate` gave; None where no single figure is
        given beside the interval.
        """
        del evaluation
        return None

    def figure(self, predictions: FloatArray, y: npt.NDArray[Any]) -> float:
        """The :attr:`metric` of predictions for rows whose targets are known, without noise: for
        tables that whoever asks may see. NaN where it is not known.

        Raises:
            NotImplementedError: the task does not say it.
        """
        del predictions, y
        raise NotImplementedError(f"the task {type(self).__name__} does not say its figure")

    def in_units(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Targets as a table holds them, in the units of :meth:`predictions`."""
        return y

    def exact_figure(self, figures: Any) -> float:  # noqa: ANN401 - as above
        """The :attr:`metric` itself in what :meth:`own_figures` gave; NaN where it is not known.
        For data that anybody may see: a simulation's.
        """
        del figures
        return float("nan")

    def exact_interval(self, figures: Any) -> tuple[float, float] | None:  # noqa: ANN401 - as above
        """95 % interval of :meth:`exact_figure` over the sampling of the rows; None where the task
        has none.
        """
        del figures
        return None

    def other_evaluations(
        self,
        evaluation: Any,  # noqa: ANN401 - as above
        scored: Sequence[tuple[FloatArray, IntArray]],
    ) -> Mapping[str, Any]:
        """Sections of an evaluation that a simulation may compare with the study's, by what a study
        file would say; none where the task knows of none.

        Args:
            evaluation: the study's section.
            scored: predictions and targets of public rows, for each of several models.
        """
        del evaluation, scored
        return {}

    def calibration_error(self, figures: Any) -> float | None:  # noqa: ANN401 - as above
        """Mean distance of the predictions in :meth:`own_figures` from the true shares; None where
        they are not read as probabilities.
        """
        del figures
        return None

    def asks(self, quality: Quality) -> bool:
        """Tell whether a quality rule asks for anything."""
        return float(quality.minimum) > self.least or quality.minimum_each is not None

    @abstractmethod
    def judge(self, evaluation: Any, quality: Quality) -> Verdict:  # noqa: ANN401 - as above
        """The study's quality rule, judged on an interval."""

    @abstractmethod
    def told(self, evaluation: Any) -> Told:  # noqa: ANN401 - as above
        """The figures of :meth:`evaluate` in words."""

    @abstractmethod
    def told_own(self, figures: Any, units: str) -> Told:  # noqa: ANN401 - as above
        """Those of :meth:`own_figures`.

        Args:
            figures: of one hospital.
            units: what is counted, "patients" or "rows".
        """

    def plan(self, study: Template, noises: float) -> Any | None:  # noqa: ANN401 - as above
        """Figures to expect of an evaluation, from a study's public ones; None where those do
        not tell.
        """
        del study, noises
        return None

    def told_plan(self, plan: Any | None) -> Told:  # noqa: ANN401 - as above
        """Those of :meth:`plan`."""
        del plan
        return Told(note="What it will be able to say is not worked out beforehand.")

    @abstractmethod
    def words(self) -> str:
        """Prediction in words: "whether died is yes (against no; ...)"."""

    @abstractmethod
    def score_words(self, *, probability: bool) -> str:
        """Meaning of a prediction, in a sentence.

        Args:
            probability: whether the released figures support reading it as one.
        """

    def check(self, y: npt.NDArray[Any]) -> bool:
        """Tell whether these are targets of the task."""
        return bool(np.isfinite(y).all())
