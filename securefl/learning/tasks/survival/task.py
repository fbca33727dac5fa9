"""Task of a time to an event: hazards of public intervals, learnt as one score a patient.

A row is one patient from start to event or end of observation, and its whole loss is one term:
gradients of all its intervals are added before anything is clipped, so that the clip norm holds for
the patient and not for an interval.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.portable.program import beside
from securefl.learning.summing import sum_in_order
from securefl.learning.tasks.counted import CountedTask
from securefl.learning.tasks.survival import evaluation as figures
from securefl.learning.tasks.survival.curve import band_edges, curve_of
from securefl.learning.tasks.survival.labels import declared_texts, parts, targets
from securefl.learning.tasks.survival.own_figures import exact_c_index, figures_of
from securefl.learning.tasks.survival.words import (
    METRIC,
    edge_words,
    label_words,
    told,
    told_own,
)
from securefl.study.survival_evaluation import CIndexSection

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.learning.portable.program import Value
    from securefl.learning.table import Cell, Table
    from securefl.learning.tasks.survival.curve import Curve
    from securefl.learning.tasks.survival.evaluation import SurvivalEvaluation
    from securefl.learning.tasks.survival.own_figures import OwnSurvival
    from securefl.learning.tasks.told import Told
    from securefl.study.schema import Quality, Verdict
    from securefl.study.survival_label import TimeToEventLabel
    from securefl.types import FloatArray, IntArray


class TimeToEvent(CountedTask):
    """One score a row: how far its log odds of the event lie above the published ones, in every
    interval. Targets are int16 (:mod:`securefl.learning.tasks.survival.labels`).
    """

    regression = "discrete-time hazard regression with proportional odds"
    dtype = np.int16
    EvaluationTable = CIndexSection
    metric = METRIC
    chance = 0.5
    ratio = "hazard odds"
    estimator = "survival"
    noun = "prediction"
    released_as = "histogram of risks"
    histogram_words = (
        "how many of the patients kept aside fall into each band of the predicted risk, by the"
        " interval in which the event came or the observation ended"
    )

    def __init__(self, label: TimeToEventLabel) -> None:
        self._label = label
        self._intervals = len(label.edges)
        self.steepest = float(self._intervals)
        last = edge_words(label, self._intervals - 1)
        self.strata = (f"without {label.event_name} by {last}", f"with {label.event_name}")
        self.strata_words = f"without and with {label.event_name} by {last}"
        self.score_names = tuple(
            f"no {label.event_name} by {edge_words(label, edge)}" for edge in range(self._intervals)
        )

    @cached_property
    def _curve(self) -> Curve:
        return curve_of(self._label)

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def targets(self, table: Table) -> tuple[list[int | str], list[Cell]]:
        """By time and event (:mod:`securefl.learning.tasks.survival.labels`)."""
        return targets(table, self._label)

    def near(
        self,
        reason: str,
        text: str,
        decimal: str,
    ) -> str | None:
        """The declared text of the event's column."""
        if reason.startswith(f"{self._label.event}: "):
            return declared_texts(self._label, decimal).near(text)
        return None

    def mock(self, u: float) -> tuple[str, ...]:
        """The event for the lower half of ``u``, at a time within the intervals; else without it,
        at any time.
        """
        label = self._label
        if u < 0.5:
            return f"{2 * u * float(label.edges[-1]):.4g}", label.happened[0]
        return f"{(2 * u - 1) * float(label.longest):.4g}", label.censored[0]

    def loss(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """-log likelihood: of going through each interval at risk, and of the event."""
        z = scores + self._curve.log_odds
        _, event, at_risk = self._at_risk(y)
        through = np.where(at_risk, np.logaddexp(0.0, z), 0.0).sum(axis=1)
        last = np.maximum(at_risk.sum(axis=1) - 1, 0)
        found: FloatArray = through - event * z[np.arange(len(y)), last]
        return found

    def loss_gradient(
        self,
        scores: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """Hazards of the intervals at risk, less 1 for the event."""
        _, event, at_risk = self._at_risk(y)
        hazards = np.where(at_risk, self._curve.hazards(scores[:, 0]), 0.0)
        return (sum_in_order(hazards) - event)[:, None]

    def predictions(self, scores: FloatArray) -> FloatArray:
        """Chances of no event by each edge, float64[m, T]."""
        return self._curve.survival(scores[:, 0])

    def portable(self, scores: Value) -> Value:
        """Sigmoids, multiplied interval by interval."""
        program = scores.program
        # sigmoid(-(score + log odds)), an interval a column
        through = (scores * -1.0 - program.constant(self._curve.log_odds)).sigmoid()
        chances = [through.columns(0)]
        for interval in range(1, self._intervals):
            chances.append(chances[-1] * through.columns(interval))
        return beside(chances)

    def stratum(self, y: npt.NDArray[np.number]) -> IntArray:
        """True if the event came."""
        return parts(y, self._intervals)[1]

    def histogram_size(self, evaluation: CIndexSection) -> int:
        """A number for each band and target."""
        return evaluation.bins * (2 * self._intervals + 1)

    def place(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.number],
        evaluation: CIndexSection,
    ) -> IntArray:
        """The band of the chance of no event by the last edge, from high to low; then the target."""
        inner = self._curve.survival(band_edges(evaluation.bins))[:, -1]
        bands = np.searchsorted(-inner, -predictions[:, -1], side="right")
        places: IntArray = bands * (2 * self._intervals + 1) + y.astype(np.int64)
        return places

    def evaluate(
        self,
        total: IntArray,
        evaluation: CIndexSection,
        noises: float,
    ) -> SurvivalEvaluation:
        """C-index and Brier scores, intervals first."""
        return figures.evaluate(total, self._curve, evaluation, noises)

    def own_figures(
        self,
        predictions: FloatArray,
        y: npt.NDArray[np.integer],
        evaluation: CIndexSection,  # noqa: ARG002 - exact figures need no bands
    ) -> OwnSurvival:
        """C-index and Brier scores."""
        return figures_of(predictions, y.astype(np.int64))

    def released_figure(self, evaluation: SurvivalEvaluation) -> float | None:
        """The C-index, where it can be told from a guess."""
        return evaluation.c_index

    def figure(self, predictions: FloatArray, y: npt.NDArray[np.integer]) -> float:
        """The C-index."""
        place, event = parts(y.astype(np.int64), self._intervals)
        return exact_c_index(1.0 - predictions[:, -1], place, event)

    def exact_figure(self, figures: OwnSurvival) -> float:
        """The C-index."""
        return figures.c_index

    def judge(
        self,
        evaluation: SurvivalEvaluation,
        quality: Quality,
    ) -> Verdict:
        """By the interval of the C-index."""
        return figures.judge(evaluation, quality)

    def told(self, evaluation: SurvivalEvaluation) -> Told:
        """The interval of the C-index first; Brier scores as a table."""
        return told(evaluation, self._label)

    def told_own(
        self,
        figures: OwnSurvival,
        units: str,
    ) -> Told:
        """C-index and Brier scores."""
        return told_own(figures, self._label, units)

    def words(self) -> str:
        """Time and event in words, and what sets a row aside."""
        return label_words(self._label)

    def score_words(self, *, probability: bool) -> str:  # noqa: ARG002 - Brier scores say it
        """Chances by time."""
        return (
            f"A chance of no {self._label.event_name} by each of these times:"
            f" {', '.join(edge_words(self._label, e) for e in range(self._intervals))}. The"
            " Brier scores say how far such chances lie from what came."
        )

    def check(self, y: npt.NDArray[np.number]) -> bool:
        """Whole numbers from 0 to 2 T."""
        return bool(np.isin(y, np.arange(2 * self._intervals + 1)).all())

    def _at_risk(self, y: FloatArray) -> tuple[IntArray, IntArray, npt.NDArray[np.bool_]]:
        """(interval, event, at risk of it): int64[m] twice, bool[m, T]."""
        place, event = parts(y, self._intervals)
        return place, event, np.arange(self._intervals) < (place + event)[:, None]
