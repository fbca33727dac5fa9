"""Exact figures of a model on one hospital's held-out rows: private, for the owner's own screen
(rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.binary.evaluation import exact_auc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Band:
    """Held-out patients whose score lies from ``low`` up to ``high``: how many, how many of them
    positive, their mean score.
    """

    low: float
    high: float
    patients: int
    positives: int
    mean_score: float


@dataclass(frozen=True)
class OwnFigures:
    """The model on this hospital's held-out patients, without noise.

    Attributes:
        patients: held-out patients (or records, where the study counts those).
        positives: how many of them have what is predicted.
        auc: area under the ROC curve; NaN where a class is empty.
        mean_score: mean of their scores; near the share of positives where scores are
            probabilities.
        bands: by the study's own edges.
    """

    patients: int
    positives: int
    auc: float
    mean_score: float
    bands: tuple[Band, ...]


def figures_of(
    scores: NDArray[np.float64],
    y: NDArray[np.integer],
    inner: Sequence[Decimal],
) -> OwnFigures:
    """Work out the figures without noise.

    Args:
        scores: float64[n], at least one.
        y: int8[n], 0 or 1.
        inner: the inner bin edges; a score equal to an edge belongs to the bin above it.
    """
    edges = [0.0, *(float(edge) for edge in inner), 1.0]
    place = np.searchsorted(np.array(edges[1:-1]), scores, side="right")
    bands = []
    for number in range(len(edges) - 1):
        there = place == number
        count = int(there.sum())
        mean = float(scores[there].mean()) if count else float("nan")
        bands.append(
            Band(
                edges[number],
                edges[number + 1],
                count,
                int(y[there].sum()),
                mean,
            )
        )
    return OwnFigures(
        len(scores),
        int(y.sum()),
        exact_auc(y, scores),
        float(scores.mean()),
        tuple(bands),
    )


def calibration_error(figures: OwnFigures) -> float:
    """Expected calibration error: over bands, the distance between mean score and share of
    positives, weighted by patients (Naeini, Cooper, Hauskrecht 2015). NaN without patients.

    >>> band = Band(0.0, 1.0, patients=10, positives=4, mean_score=0.5)
    >>> round(calibration_error(OwnFigures(10, 4, 0.7, 0.5, (band,))), 3)
    0.1
    """
    if not figures.patients:
        return float("nan")
    filled = [band for band in figures.bands if band.patients]
    apart = [abs(band.mean_score * band.patients - band.positives) for band in filled]
    return sum(apart) / figures.patients
