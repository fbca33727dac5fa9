"""Evaluation of a time to an event from one noised histogram: C-index and Brier score by time.

Layout: for each band of the risk, from low to high, 2 T + 1 numbers by target. A patient adds 1 to
one of them, so the sensitivity is 1.

The Brier score at an edge (Graf et al. 1999) is the mean squared distance of the predicted chance
of no event from what came, over those of whom it is known, weighted by one over the chance not to
be censored before. That chance follows from the counts of all bands together. Predictions are taken
at the middle of their band; beside each score stands that of the published curve, the same for
everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError
from securefl.learning.intervals import fieller
from securefl.learning.tasks.binary.evaluation import CHANCE
from securefl.learning.tasks.survival.curve import band_middles
from securefl.learning.tasks.survival.pairs import concordance
from securefl.shown import Shown

if TYPE_CHECKING:
    from securefl.learning.tasks.survival.curve import Curve
    from securefl.study.schema import Quality, Verdict
    from securefl.study.survival_evaluation import CIndexSection
    from securefl.types import FloatArray, IntArray

#: Chances not to be censored below this are taken as it: a weight would be mostly noise.
_LEAST_UNCENSORED = 0.05


@dataclass(frozen=True)
class BrierRow:
    """Brier score at one edge.

    Attributes:
        edge: number of the edge, from 0.
        low: lower end of the 95 % interval.
        high: upper end; (0, 1) where nothing can be said.
        published: of the published curve, which no model is needed for; None likewise.
    """

    edge: int
    low: float
    high: float
    published: float | None


@dataclass(frozen=True, repr=False)
class SurvivalEvaluation(Shown):
    """Figures of the noised histogram, each as an interval first.

    Attributes:
        low: lower end of the 95 % interval of the C-index.
        high: upper end.
        c_index: the index itself; None where the interval holds .5 or nothing is known.
        patients: estimated number of held-out patients, at least 0.
        events: estimated number of events within the intervals, at least 0.
        brier: a row for each edge.
    """

    low: float
    high: float
    c_index: float | None
    patients: float
    events: float
    brier: tuple[BrierRow, ...]

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("C-index", f"C-index {self.low:.3f} to {self.high:.3f} (95 %)"),
            ("patients", f"about {self.patients:,.0f}"),
        ]


def evaluate(
    total: IntArray,
    curve: Curve,
    section: CIndexSection,
    noises: float,
) -> SurvivalEvaluation:
    """The figures from the opened sum of histograms, which carries so many full ``noises``.

    Raises:
        RoundError: the sum has another length.
    """
    codes = 2 * curve.intervals + 1
    if total.shape != (section.bins * codes,):
        raise RoundError(
            f"the evaluation sum has shape {list(total.shape)}; {section.bins * codes} values are"
            " due.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
    counts = total.astype(np.float64).reshape(section.bins, codes)
    noise = noises * float(section.sigma) ** 2
    found = concordance(counts, noise)
    index = None
    if found.low > CHANCE or found.high < CHANCE:
        index = min(max(found.share, found.low), found.high)
    said = curve.survival(band_middles(section.bins))
    same = np.broadcast_to(curve.survival(np.zeros(1)), said.shape)
    rows = []
    for edge in range(curve.intervals):
        low, high = brier_interval(counts, said[:, edge], edge, noise)
        known = (low, high) != (0.0, 1.0)
        published = _brier(counts, same[:, edge], edge) if known else None
        rows.append(BrierRow(edge, low, high, published))
    return SurvivalEvaluation(
        low=found.low,
        high=found.high,
        c_index=index,
        patients=max(0.0, float(counts.sum())),
        events=max(0.0, float(counts[:, curve.intervals + 1 :].sum())),
        brier=tuple(rows),
    )


def judge(
    evaluation: SurvivalEvaluation,
    quality: Quality,
) -> Verdict:
    """The quality rule on the interval of the C-index: met where all of it is high enough, not met
    where none of it is.
    """
    minimum = float(quality.minimum)
    if evaluation.low >= minimum:
        return "met"
    if evaluation.high < minimum:
        return "not-met"
    return "cannot-be-judged"


def brier_interval(
    counts: FloatArray,
    said: FloatArray,
    edge: int,
    noise: float,
) -> tuple[float, float]:
    """95 % interval of the Brier score at an edge; (0, 1) where nothing can be said.

    Args:
        counts: float64[rows, 2 T + 1]; bands, or single patients without noise.
        said: predicted chance of no event by the edge, float64[rows].
        edge: its number.
        noise: variance of the noise on each count.
    """
    whole = float(counts.sum())
    uncensored = _uncensored(counts)
    if whole <= 0 or uncensored is None:
        return 0.0, 1.0
    weights = _weights(said, edge, uncensored)
    spread = np.maximum(counts, 0.0) + noise
    variance = (
        float((weights**2 * spread).sum()),
        float((weights * spread).sum()),
        float(spread.sum()),
    )
    return fieller(float((weights * counts).sum()), whole, variance)


def _brier(
    counts: FloatArray,
    said: FloatArray,
    edge: int,
) -> float | None:
    """The Brier score itself. Arguments as above."""
    uncensored = _uncensored(counts)
    if uncensored is None:
        return None
    weights = _weights(said, edge, uncensored)
    return float((weights * counts).sum() / counts.sum())


def brier_score(
    counts: FloatArray,
    said: FloatArray,
    edge: int,
) -> float:
    """As :func:`brier_interval`, of counts without noise; NaN where it is not known."""
    found = _brier(counts, said, edge) if counts.sum() > 0 else None
    return float("nan") if found is None else found


def _uncensored(counts: FloatArray) -> FloatArray | None:
    """Chance not to be censored through each interval, float64[T] (Kaplan and Meier 1958, with
    censoring as the event); None where nobody is left.
    """
    intervals = (counts.shape[1] - 1) // 2
    by_target = counts.sum(axis=0)
    censored = by_target[: intervals + 1]
    events = by_target[intervals + 1 :]
    left = float(by_target.sum())
    chance = 1.0
    found = []
    for interval in range(intervals):
        if left <= 0:
            return None
        chance *= 1.0 - min(max(float(censored[interval]) / left, 0.0), 1.0)
        found.append(max(chance, _LEAST_UNCENSORED))
        left -= float(censored[interval] + events[interval])
    return np.array(found)


def _weights(
    said: FloatArray,
    edge: int,
    uncensored: FloatArray,
) -> FloatArray:
    """What one patient of each count adds to the Brier score, float64[rows, 2 T + 1]."""
    intervals = len(uncensored)
    found = np.zeros((len(said), 2 * intervals + 1))
    for interval in range(edge + 1):  # the event came by the edge
        found[:, intervals + 1 + interval] = said**2 / uncensored[interval]
    beyond = [*range(edge + 1, intervals + 1), *range(intervals + 2 + edge, 2 * intervals + 1)]
    for place in beyond:  # known to be without it there
        found[:, place] = (1.0 - said) ** 2 / uncensored[edge]
    return found
