"""Evaluation of several classes from one noised histogram: each class against the rest, their mean,
and a table of true and told classes.

Layout of the histogram for K classes and b bands: for each class b numbers of the patients of all
other classes, then b of its own, by the band of that class' score (:func:`binary score places
<securefl.learning.tasks.binary.evaluation.score_places>`); then K · K numbers, the true class in
the rows and the told one in the columns. A patient adds 1 to K + 1 numbers, so the L2 sensitivity
is sqrt(K + 1), and every number carries noise of that many noise multipliers.

The area under the curve of a class against the rest is the binary task's unbiased estimate. Their
mean is the macro average of the one-against-rest form (Provost and Domingos 2000, with equal
weights). The classes' noises are independent, so their squares add. Sampling is not: all classes
are judged on the same patients. The standard deviation of a sum is at most the sum of the standard
deviations, so those are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError
from securefl.learning.intervals import share_interval
from securefl.learning.tasks.binary.discrimination import auc_interval, unbiased_auc
from securefl.learning.tasks.binary.evaluation import CHANCE, exact_auc, score_places
from securefl.learning.tasks.binary.exact_interval import area_interval
from securefl.shown import Shown

if TYPE_CHECKING:
    import numpy.typing as npt

    from securefl.study.classes_evaluation import MacroAucSection
    from securefl.study.schema import Quality, Verdict
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class ClassFigures:
    """One class against the rest.

    Attributes:
        name: of the class.
        patients: estimated number of held-out patients of the class, at least 0.
        low: lower end of the 95 % interval of the area under its ROC curve.
        high: upper end.
        auc: the area, within the interval; None where the interval holds .5 or nothing is known.
        recall_low: lower end of the 95 % interval of the share told rightly among them.
        recall_high: upper end.
        recall: the share itself; None where nothing is known.
    """

    name: str
    patients: float
    low: float
    high: float
    auc: float | None
    recall_low: float
    recall_high: float
    recall: float | None


@dataclass(frozen=True, repr=False)
class ClassesEvaluation(Shown):
    """Figures of the noised histogram, each as an interval first.

    Attributes:
        low: lower end of the 95 % interval of the mean of the classes' areas.
        high: upper end.
        auc: that mean, within the interval; None where the interval holds .5 or a class is unknown.
        accuracy_low: lower end of the 95 % interval of the share told rightly.
        accuracy_high: upper end.
        accuracy: the share itself; None where nothing is known.
        patients: estimated number of held-out patients, at least 0.
        classes: each class against the rest.
        table: estimated numbers, at least 0: true class in the rows, told class in the columns.
    """

    low: float
    high: float
    auc: float | None
    accuracy_low: float
    accuracy_high: float
    accuracy: float | None
    patients: float
    classes: tuple[ClassFigures, ...]
    table: tuple[tuple[float, ...], ...]

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("macro AUC", f"macro AUC {self.low:.3f} to {self.high:.3f} (95 %)"),
            ("patients", f"about {self.patients:,.0f}"),
        ]


def histogram_size(section: MacroAucSection) -> int:
    """Numbers in the histogram."""
    count = len(section.shares)
    return count * 2 * section.bins + count * count


def places(
    predictions: FloatArray,
    y: npt.NDArray[np.integer],
    section: MacroAucSection,
) -> IntArray:
    """The K + 1 numbers in which each row counts, int64[m, K + 1], in rising order.

    Args:
        predictions: float64[m, K], a score for each class.
        y: the true classes, from 0.
        section: bands of the scores.
    """
    count = len(section.shares)
    block = 2 * section.bins
    true = y.astype(np.int64)
    columns = [
        block * place + score_places(predictions[:, place], true == place, section.edges_of(place))
        for place in range(count)
    ]
    columns.append(count * block + count * true + predictions.argmax(axis=1))
    return np.column_stack(columns).astype(np.int64)


def evaluate(
    total: IntArray,
    names: tuple[str, ...],
    section: MacroAucSection,
    noises: float,
) -> ClassesEvaluation:
    """The figures from the opened sum of histograms, which carries so many full ``noises``.

    Raises:
        RoundError: the sum has another length.
    """
    size = histogram_size(section)
    if total.shape != (size,):
        raise RoundError(
            f"the evaluation sum has shape {list(total.shape)}; {size} values are due.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
    count = len(names)
    noise = noises * float(section.sigma) ** 2
    counts = total.astype(np.float64)
    table = counts[-count * count :].reshape(count, count)
    sides = [_sides(place, counts, section) for place in range(count)]
    rows = tuple(
        _against_the_rest(name, sides[place], np.roll(table[place], -place), noise)
        for place, name in enumerate(names)
    )
    mean, low, high = _mean_area(sides, noise)
    told = low > CHANCE or high < CHANCE
    right = float(np.trace(table))
    whole = float(table.sum())
    share = share_interval(right, whole, noise * count, noise * count * count)
    return ClassesEvaluation(
        low=low,
        high=high,
        auc=_within(mean, low, high) if told else None,
        accuracy_low=share[0],
        accuracy_high=share[1],
        accuracy=None if share == (0.0, 1.0) else _within(right / whole, *share),
        patients=max(0.0, whole),
        classes=rows,
        table=tuple(tuple(max(0.0, float(cell)) for cell in row) for row in table),
    )


def judge(evaluation: ClassesEvaluation, quality: Quality) -> Verdict:
    """The quality rule on the interval of the mean area: met where all of it is high enough, not
    met where none of it is.
    """
    minimum = float(quality.minimum)
    if evaluation.low >= minimum:
        return "met"
    if evaluation.high < minimum:
        return "not-met"
    return "cannot-be-judged"


@dataclass(frozen=True)
class OwnClasses:
    """Exact figures of one hospital's held-out patients.

    Attributes:
        patients: how many.
        macro_auc: mean of the areas of the classes that can be worked out; NaN where none can.
        aucs: of each class against the rest; NaN where one side is empty.
        right: how many are told rightly.
        table: true class in the rows, told class in the columns.
    """

    patients: int
    macro_auc: float
    aucs: tuple[float, ...]
    right: int
    table: tuple[tuple[int, ...], ...]


def own_figures(
    predictions: FloatArray,
    y: npt.NDArray[np.integer],
    count: int,
) -> OwnClasses:
    """Work out the figures without noise: for the owner's own screen only (rule 1)."""
    aucs = [
        exact_auc((y == place).astype(np.int8), predictions[:, place]) for place in range(count)
    ]
    known = [auc for auc in aucs if not np.isnan(auc)]
    told = predictions.argmax(axis=1)
    table = np.zeros((count, count), dtype=np.int64)
    np.add.at(table, (y.astype(np.int64), told), 1)
    return OwnClasses(
        patients=len(y),
        macro_auc=float(np.mean(known)) if known else float("nan"),
        aucs=tuple(aucs),
        right=int(np.trace(table)),
        table=tuple(tuple(int(cell) for cell in row) for row in table),
    )


def mean_interval(found: OwnClasses) -> tuple[float, float]:
    """95 % interval of the mean area over the sampling of patients, (0, 1) where it is not known.

    All classes are judged on the same patients, so their areas may err together: the mean of the
    ends, and nothing less.
    """
    sizes = [sum(row) for row in found.table]
    ends = [
        area_interval(area, size, found.patients - size)
        for area, size in zip(found.aucs, sizes, strict=True)
        if not np.isnan(area)
    ]
    if not ends:
        return 0.0, 1.0
    return float(np.mean([low for low, _ in ends])), float(np.mean([high for _, high in ends]))


def _sides(
    place: int, counts: FloatArray, section: MacroAucSection
) -> tuple[FloatArray, FloatArray]:
    """(the rest, the class), float64[bins] each, by the band of the class' score."""
    bins = section.bins
    start = 2 * bins * place
    return counts[start : start + bins], counts[start + bins : start + 2 * bins]


def _mean_area(
    sides: list[tuple[FloatArray, FloatArray]], noise: float
) -> tuple[float, float, float]:
    """The mean of the classes' areas and its 95 % interval; (0, 1) where one is unknown.

    Args:
        sides: of each class, bands of the rest and of the class.
        noise: variance of each number.
    """
    areas = [unbiased_auc(*both, noise) for both in sides]
    whole = [auc_interval(*both, noise) for both in sides]
    mean = float(np.mean(areas))
    if (0.0, 1.0) in whole or np.isnan(mean):
        return mean, 0.0, 1.0
    sampling = [auc_interval(*both, 0.0) for both in sides]
    ends = []
    for end in (0, 1):
        reach = np.array([abs(area - both[end]) for area, both in zip(areas, whole, strict=True)])
        of_sampling = np.array(
            [abs(a - both[end]) for a, both in zip(areas, sampling, strict=True)]
        )
        of_sampling = np.minimum(of_sampling, reach)
        of_noise = reach**2 - of_sampling**2
        ends.append(float(np.sqrt(of_sampling.sum() ** 2 + of_noise.sum()) / len(areas)))
    return mean, max(0.0, mean - ends[0]), min(1.0, mean + ends[1])


def _against_the_rest(
    name: str,
    sides: tuple[FloatArray, FloatArray],
    told_as: FloatArray,
    noise: float,
) -> ClassFigures:
    """Figures of one class.

    Args:
        name: of the class.
        sides: bands of the rest and of the class.
        told_as: its row of the table, the class itself first.
        noise: variance of each number.
    """
    low, high = auc_interval(*sides, noise)
    right = float(told_as[0])
    whole = float(told_as.sum())
    recall = share_interval(right, whole, noise, noise * told_as.size)
    told = low > CHANCE or high < CHANCE
    area = unbiased_auc(*sides, noise)
    return ClassFigures(
        name=name,
        patients=max(0.0, whole),
        low=low,
        high=high,
        auc=_within(area, low, high) if told else None,
        recall_low=recall[0],
        recall_high=recall[1],
        recall=None if recall == (0.0, 1.0) else _within(right / whole, *recall),
    )


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
