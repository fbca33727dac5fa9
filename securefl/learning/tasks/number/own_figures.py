"""Exact figures of a model of a number on one hospital's held-out rows: private, for the owner's
own screen (rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray

#: Bands of the prediction, of equal width on the scale.
_BANDS: Final = 4


@dataclass(frozen=True)
class NumberBand:
    """Held-out patients whose prediction lies from ``low`` up to ``high``; places on the scale."""

    low: float
    high: float
    patients: int
    mean_prediction: float
    mean_value: float


@dataclass(frozen=True)
class OwnNumbers:
    """The model on this hospital's held-out patients, without noise; distances on the scale.

    Attributes:
        patients: held-out patients (or records, where the study counts those).
        r2: 1 less the squared errors over the values' squared distances from their mean; NaN where
            all have one value.
        mae: mean absolute error.
        bias: mean error, prediction less value.
        bands: by prediction.
    """

    patients: int
    r2: float
    mae: float
    bias: float
    bands: tuple[NumberBand, ...]


def figures_of(
    said: FloatArray,
    places: FloatArray,
) -> OwnNumbers:
    """Work out the figures without noise, and without a limit on errors.

    Args:
        said: predictions, float64[n] on the scale, at least one.
        places: the true values, the same.
    """
    errors = said - places
    around = places - places.mean()
    spread = float(around @ around)
    r2 = float("nan")
    if places.max() > places.min():
        r2 = 1.0 - float(errors @ errors) / spread
    edges = np.linspace(-1.0, 1.0, _BANDS + 1)
    at = np.searchsorted(edges[1:-1], said, side="right")
    bands = []
    for number in range(_BANDS):
        there = at == number
        count = int(there.sum())
        means = (float("nan"), float("nan"))
        if count:
            means = (float(said[there].mean()), float(places[there].mean()))
        bands.append(NumberBand(float(edges[number]), float(edges[number + 1]), count, *means))
    return OwnNumbers(
        patients=len(said),
        r2=r2,
        mae=float(np.abs(errors).mean()),
        bias=float(errors.mean()),
        bands=tuple(bands),
    )
