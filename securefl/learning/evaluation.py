"""Evaluation from one noised histogram: how well the model ranks held-out patients, with an interval.

Each hospital counts its held-out patients by class and score bin (public edges), adds its own integer Gaussian noise to
every count (one patient changes one count by 1, so the sensitivity is 1), and only the sum over hospitals opens. All
figures here are post-processing of that sum.

Noise makes counts negative and lets the share of positives fall where it should rise with the score. The estimate
mends both: negative counts are lifted to the nearest counts of the same total, and the shares of positives are made to
rise by pooling neighbours (isotonic regression, Barlow et al. 1972). That assumes a model that ranks no bin wrongly; a
model that does is reported a little too well, by what pooling those bins hides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.learning.steps import Draws
    from securefl.study.schema import EvaluationSpec, PreparationSpec, Quality, Verdict

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_NORMAL_95 = 1.959964
#: A class is told from nothing when its noised size is this many standard deviations of its noise.
_TELLING = 2.0


@dataclass(frozen=True)
class CalibrationRow:
    """One score bin of the summed, noised histogram.

    Attributes:
        low: lower edge of the score.
        high: upper edge of the score.
        patients: estimated number of held-out patients.
        positive_share: estimated share of positives among them.
    """

    low: float
    high: float
    patients: float
    positive_share: float


@dataclass(frozen=True)
class Evaluation:
    """What the noised histogram says about the model.

    Attributes:
        auc: area under the ROC curve, in [0, 1].
        low: lower end of the 95 % interval (noise and sampling of patients together).
        high: upper end.
        accuracy: share classified rightly when a score of ``threshold`` or more counts as positive.
        threshold: the bin edge nearest to 0.5.
        negatives: estimated number of held-out negatives.
        positives: estimated number of held-out positives.
        calibration: a row for each bin.
    """

    auc: float
    low: float
    high: float
    accuracy: float
    threshold: float
    negatives: float
    positives: float
    calibration: tuple[CalibrationRow, ...]


def score_histogram(scores: FloatArray, y: npt.NDArray[np.integer], edges: Sequence[Decimal]) -> IntArray:
    """Counts of held-out patients: int64[2 · bins], the negatives' bins first. Private: never released without noise.

    A score equal to an edge belongs to the bin above it.
    """
    inner = np.array([float(edge) for edge in edges])
    bins = len(inner) + 1
    place = np.searchsorted(inner, scores, side="right") + bins * y.astype(np.int64)
    return np.bincount(place, minlength=2 * bins).astype(np.int64)


def release_counts(counts: IntArray, spec: EvaluationSpec | PreparationSpec, draws: Draws) -> IntArray:
    """A hospital's contribution to the evaluation (int64[2 · bins]) or to the count before training: clamped to ``spec.bound``, plus noise."""
    return np.clip(counts, -spec.bound, spec.bound) + draws.gaussian(spec.noise_multiplier, counts.size)


def evaluate(total: IntArray, spec: EvaluationSpec, contributors: int) -> Evaluation:
    """The figures from the opened sum of ``contributors`` noised histograms. The same sum gives the same figures.

    Raises:
        RoundError: the sum does not have 2 · bins values.
    """
    if total.shape != (2 * spec.bins,):
        raise RoundError(
            f"the evaluation sum has shape {list(total.shape)}; {2 * spec.bins} values are due.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
    counts = total.astype(np.float64)
    negatives, positives = _mend(counts, spec.bins)
    auc = histogram_auc(negatives, positives)
    low, high = _interval(counts[: spec.bins], counts[spec.bins :], contributors * float(spec.noise_multiplier) ** 2)
    edges = np.array([float(edge) for edge in spec.edges])
    cut = int(np.argmin(np.abs(edges - 0.5)))
    patients = negatives + positives
    right = negatives[: cut + 1].sum() + positives[cut + 1 :].sum()
    ends = (0.0, *edges.tolist(), 1.0)
    return Evaluation(
        auc=auc,
        low=min(auc, low),
        high=max(auc, high),
        accuracy=float(right / patients.sum()),
        threshold=float(edges[cut]),
        negatives=float(negatives.sum()),
        positives=float(positives.sum()),
        calibration=tuple(
            CalibrationRow(ends[i], ends[i + 1], float(patients[i]), float(positives[i] / patients[i]))
            for i in range(spec.bins)
        ),
    )


def judge(evaluation: Evaluation, quality: Quality) -> Verdict:
    """The quality rule, judged on the interval: met where all of it is high enough, not met where none of it is."""
    minimum = float(quality.minimum)
    if evaluation.low >= minimum:
        return "met"
    return "not-met" if evaluation.high < minimum else "cannot-be-judged"


def histogram_auc(negatives: FloatArray, positives: FloatArray) -> float:
    """AUC of two histograms over the same bins, pairs within a bin counting half; 0.5 if a class is empty."""
    below = np.cumsum(negatives) - negatives / 2
    pairs = negatives.sum() * positives.sum()
    return float((positives * below).sum() / pairs) if pairs > 0 else 0.5


def exact_auc(y: npt.NDArray[np.integer], scores: FloatArray) -> float:
    """AUC by ranks (Mann and Whitney 1947), ties counting half. On private data: for the owner's own screen only.

    Returns NaN if a class is empty.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = int((y == 1).sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return float("nan")
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _interval(negatives: FloatArray, positives: FloatArray, noise_variance: float) -> tuple[float, float]:
    """95 % interval of the AUC from the counts as opened, within [0, 1].

    The unmended AUC is nearly unbiased; its variance follows by the delta method from each count's own variance: its
    size (Poisson sampling of patients) plus the noise. How the model ranks within a bin is not seen: anything from
    chance to perfect is allowed for, so the upper end rises by half the share of pairs that fall into one bin.
    Measured: it covered the population's AUC in 97.9 to 100 % of 1000 runs in each of nine settings (AUC .5 to .986, 40
    to 3000 positives, five hospitals, epsilon 1).
    """
    n, p = negatives.sum(), positives.sum()
    total_noise = np.sqrt(noise_variance * negatives.size)
    if min(n, p) < _TELLING * total_noise:
        return 0.0, 1.0  # a class whose size is lost in the noise: nothing can be said
    auc = histogram_auc(negatives, positives)
    below = (np.cumsum(negatives) - negatives / 2) / n
    above = 1.0 - (np.cumsum(positives) - positives / 2) / p
    variance = (((below - auc) / p) ** 2 * (np.maximum(positives, 0.0) + noise_variance)).sum()
    variance += (((above - auc) / n) ** 2 * (np.maximum(negatives, 0.0) + noise_variance)).sum()
    reach = _NORMAL_95 * float(np.sqrt(variance))
    unseen = max(0.0, float((negatives * positives).sum() / (n * p))) / 2
    return min(1.0, max(0.0, auc - reach)), min(1.0, max(0.0, auc + reach + unseen))


def _mend(counts: FloatArray, bins: int) -> tuple[FloatArray, FloatArray]:
    """(negatives, positives), each float64[bins], not negative, the share of positives rising with the bin."""
    negatives = _nearest_counts(counts[:bins])
    patients = np.maximum(negatives + counts[bins:], 1.0)
    share = np.clip(_rising(counts[bins:] / patients, patients), 0.0, 1.0)
    return patients * (1.0 - share), patients * share


def _nearest_counts(counts: FloatArray) -> FloatArray:
    """The nearest vector without negative values that has the same total (Duchi et al. 2008), which is at least 1."""
    total = max(float(counts.sum()), 1.0)
    down = np.sort(counts)[::-1]
    excess = (np.cumsum(down) - total) / np.arange(1, counts.size + 1)
    last = int(np.flatnonzero(down > excess)[-1])
    lifted: FloatArray = np.maximum(counts - excess[last], 0.0)
    return lifted


def _rising(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted isotonic regression by pooling adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            other = pools.pop()
            mass = other[1] + pool[1]
            pool = ((other[0] * other[1] + pool[0] * pool[1]) / mass, mass, other[2] + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(size, value) for value, _, size in pools])
