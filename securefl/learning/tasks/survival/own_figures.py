"""Exact figures of a time to an event on one hospital's held-out rows: private, for the owner's own
screen (rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.learning.tasks.survival.evaluation import brier_score
from securefl.learning.tasks.survival.labels import parts

if TYPE_CHECKING:
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class OwnSurvival:
    """The model on this hospital's held-out patients, without noise.

    Attributes:
        patients: held-out patients (or records, where the study counts those).
        events: within the intervals.
        c_index: NaN without comparable pairs.
        brier: Brier score at each edge.
    """

    patients: int
    events: int
    c_index: float
    brier: tuple[float, ...]


def figures_of(
    survival: FloatArray,
    y: IntArray,
) -> OwnSurvival:
    """Work out the figures.

    Args:
        survival: predicted chance of no event by each edge, float64[n, T].
        y: targets, int[n].
    """
    intervals = survival.shape[1]
    place, event = parts(y, intervals)
    each = np.zeros((len(y), 2 * intervals + 1))
    each[np.arange(len(y)), y.astype(np.int64)] = 1.0
    return OwnSurvival(
        patients=len(y),
        events=int(event.sum()),
        c_index=exact_c_index(1.0 - survival[:, -1], place, event),
        brier=tuple(brier_score(each, survival[:, edge], edge) for edge in range(intervals)),
    )


def exact_c_index(
    risk: FloatArray,
    place: IntArray,
    event: IntArray,
) -> float:
    """Share of comparable pairs in the right order, ties of the risk counting half.

    Args:
        risk: float64[n].
        place: interval of the event, or whole intervals without it.
        event: 1 where it came.
    """
    won = pairs = 0.0
    for interval in range(int(place.max(initial=-1)) + 1):
        now = (place == interval) & (event == 1)
        beyond = place > interval
        count = float(now.sum()) * float(beyond.sum())
        if count:
            both = now | beyond
            won += count * exact_auc(now[both].astype(np.int8), risk[both])
            pairs += count
    return won / pairs if pairs else float("nan")
