"""Evaluation from one noised histogram: how well the model ranks held-out patients, as an interval
first.

Each hospital counts its held-out patients by class and score bin (public edges), adds its own
integer Gaussian noise to every count (one patient changes one count by 1, so the sensitivity is 1),
and only the sum over hospitals opens. All figures here are post-processing of that sum, with no
assumption on the model: a worthless one gets no better figure than it deserves
(:mod:`securefl.learning.tasks.binary.discrimination`). Where the interval of the AUC holds .5, chance, no single
figure is given: it would be read as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from securefl.errors import RoundError
from securefl.learning.counts import row_counts
from securefl.learning.intervals import share_interval
from securefl.learning.tasks.binary.calibration import (
    CalibrationRow,
    CalibrationVerdict,
    calibration_rows,
    calibration_verdict,
)
from securefl.learning.tasks.binary.discrimination import auc_interval, unbiased_auc
from securefl.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.study.binary_evaluation import AucSection
    from securefl.study.schema import Quality, Verdict
    from securefl.types import FloatArray, IntArray

#: The AUC of a score that says nothing.
CHANCE = 0.5


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """Figures of the noised histogram, each as an interval first.

    Attributes:
        low: lower end of the 95 % interval of the area under the ROC curve (noise and sampling of
            patients together).
        high: upper end.
        auc: the area itself, within the interval; None where the interval holds .5, chance, or
            nothing is known.
        accuracy_low: lower end of the 95 % interval of the share classified rightly when a score of
            ``threshold`` or more counts as positive.
        accuracy_high: upper end.
        accuracy: the share itself; None where nothing is known.
        threshold: the bin edge nearest to 0.5.
        negatives: estimated number of held-out negatives, at least 0.
        positives: estimated number of held-out positives, at least 0.
        calibration: rows of neighbouring bins, from the lowest score up.
        calibrated: whether ``calibration`` supports that the score is a probability.
    """

    low: float
    high: float
    auc: float | None
    accuracy_low: float
    accuracy_high: float
    accuracy: float | None
    threshold: float
    negatives: float
    positives: float
    calibration: tuple[CalibrationRow, ...]
    calibrated: CalibrationVerdict

    @property
    def known(self) -> bool:
        """Tell whether anything is known about the AUC: in [0, 1] there is always something to say
        otherwise.
        """
        return (self.low, self.high) != (0.0, 1.0)

    def _shown(self) -> list[tuple[str, str]]:
        around = "no single figure" if self.auc is None else f"around {self.auc:.3f}"
        return [
            ("AUC", f"AUC {self.low:.3f} to {self.high:.3f} (95 %)"),
            ("point", around),
            ("patients", f"about {self.negatives + self.positives:,.0f}"),
            ("positive", f"about {self.positives:,.0f}"),
        ]


def score_places(
    scores: FloatArray,
    y: npt.NDArray[np.integer],
    edges: Sequence[Decimal],
) -> IntArray:
    """The bin of each row, int64[m]: the negatives' bins are numbered first.

    A score equal to an edge belongs to the bin above it.
    """
    inner = np.array([float(edge) for edge in edges])
    place: IntArray = np.searchsorted(inner, scores, side="right") + (len(inner) + 1) * y.astype(
        np.int64
    )
    return place


def score_histogram(
    scores: FloatArray,
    y: npt.NDArray[np.integer],
    edges: Sequence[Decimal],
) -> IntArray:
    """Counts of held-out patients: int64[2 · bins]. Private: never released without noise."""
    return row_counts(score_places(scores, y, edges), 2 * (len(edges) + 1))


def evaluate(total: IntArray, spec: AucSection, noises: float) -> Evaluation:
    """The figures from the opened sum, which carries so many full ``noises``. The same sum gives the
    same figures.

    Raises:
        RoundError: the sum does not have 2 · bins values.
    """
    negatives, positives = _classes(total, spec)
    noise = _noise_variance(spec, noises)
    low, high = auc_interval(negatives, positives, noise)
    told = low > CHANCE or high < CHANCE
    edges = [float(edge) for edge in spec.edges]
    cut = int(np.argmin(np.abs(np.array(edges) - 0.5)))
    right = float(negatives[: cut + 1].sum() + positives[cut + 1 :].sum())
    patients = float(total.sum())
    accuracy = share_interval(right, patients, noise * spec.bins, 2 * noise * spec.bins)
    rows = calibration_rows(negatives, positives, noise, edges)
    return Evaluation(
        low=low,
        high=high,
        auc=_within(unbiased_auc(negatives, positives, noise), low, high) if told else None,
        accuracy_low=accuracy[0],
        accuracy_high=accuracy[1],
        accuracy=None if accuracy == (0.0, 1.0) else _within(right / patients, *accuracy),
        threshold=edges[cut],
        negatives=max(0.0, float(negatives.sum())),
        positives=max(0.0, float(positives.sum())),
        calibration=rows,
        calibrated=calibration_verdict(rows),
    )


def raw_auc(total: IntArray, spec: AucSection, noises: float) -> float:
    """The unbiased AUC behind :func:`evaluate`, for studies of the estimate: without an interval it
    says nothing.

    It may lie outside [0, 1], and is NaN where a class has no size.
    """
    return unbiased_auc(*_classes(total, spec), _noise_variance(spec, noises))


def judge(evaluation: Evaluation, quality: Quality) -> Verdict:
    """The quality rule, judged on the interval: met where all of it is high enough, not met where
    none of it is.
    """
    minimum = float(quality.minimum)
    if evaluation.low >= minimum:
        return "met"
    if evaluation.high < minimum:
        return "not-met"
    return "cannot-be-judged"


def exact_auc(y: npt.NDArray[np.integer], scores: FloatArray) -> float:
    """AUC by ranks (Mann and Whitney 1947), ties counting half. On private data: for the owner's
    own screen only.

    Returns NaN if a class is empty.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = int((y == 1).sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _classes(total: IntArray, spec: AucSection) -> tuple[FloatArray, FloatArray]:
    """(negatives, positives) of an opened sum, each float64[bins], as noised as they came."""
    if total.shape != (2 * spec.bins,):
        raise RoundError(
            f"the evaluation sum has shape {list(total.shape)}; {2 * spec.bins} values are due.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
    counts = total.astype(np.float64)
    return counts[: spec.bins], counts[spec.bins :]


def _noise_variance(spec: AucSection, noises: float) -> float:
    """Variance of the noise on each count of the sum: every contributor adds its own."""
    return noises * float(spec.noise_multiplier) ** 2


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
