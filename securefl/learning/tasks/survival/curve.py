"""Hazards of public intervals, from the published curve and a patient's log odds beside it.

A patient with score s has in interval t the hazard sigmoid(a_t + s), where a_t is the log odds of
the published hazard (the proportional odds form of the discrete-time model, Cox 1972). A score of 0
is the published curve itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.binary.task import sigmoid

if TYPE_CHECKING:
    from securefl.study.survival_label import TimeToEventLabel
    from securefl.types import FloatArray

#: The bands of a score in log odds, as :mod:`securefl.study.edges` has them.
_SPREAD, _CURVE = 0.3, 7.0


@dataclass(frozen=True)
class Curve:
    """The published curve.

    Attributes:
        log_odds: a, float64[T], of each interval's hazard.
    """

    log_odds: FloatArray

    @property
    def intervals(self) -> int:
        """T."""
        return len(self.log_odds)

    def hazards(self, scores: FloatArray) -> FloatArray:
        """Of each interval, float64[m, T], for scores float64[m]; m a multiple of whole vectors."""
        return sigmoid(scores[:, None] + self.log_odds)

    def survival(self, scores: FloatArray) -> FloatArray:
        """Chances of no event by each edge, float64[m, T]; m as above. Multiplied interval by
        interval: a row's last bit is its own.
        """
        left = sigmoid(-(scores[:, None] + self.log_odds))
        for interval in range(1, self.intervals):
            left[:, interval] *= left[:, interval - 1]
        return left


def curve_of(label: TimeToEventLabel) -> Curve:
    """The curve that the label publishes.

    Raises:
        LookupError: it publishes none; the checks of a study with a model refuse it.
    """
    if label.survival is None:
        raise LookupError("the label publishes no curve")
    shares = [1.0, *(float(share) for share in label.survival)]
    hazards = [1.0 - after / before for before, after in pairwise(shares)]
    return Curve(np.array([math.log(hazard / (1.0 - hazard)) for hazard in hazards]))


def band_edges(bins: int) -> FloatArray:
    """The bins - 1 inner edges of the score's bands, float64, around 0."""
    steps = np.arange(1, bins) / bins - 0.5
    return np.array([_SPREAD * math.sinh(_CURVE * step) for step in steps])


def band_middles(bins: int) -> FloatArray:
    """A score of each band, float64[bins]: its middle; the outer two are as wide as the next."""
    edges = band_edges(bins)
    if bins == 2:
        return np.array([-_SPREAD, _SPREAD])
    inner = (edges[1:] + edges[:-1]) / 2
    first = edges[0] - (edges[1] - edges[0]) / 2
    last = edges[-1] + (edges[-1] - edges[-2]) / 2
    return np.concatenate([[first], inner, [last]])
