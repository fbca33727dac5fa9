"""Effects of a linear model's columns, each with the interval that the noise leaves.

A numeric column's effect is told from the lower to the upper end of its public range, a level's
against the reference, a yes against a no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.learning.features import feature_names
from securefl.learning.update_lengths import NORMAL_95
from securefl.study.columns import NumericColumn
from securefl.study.training import training_of

if TYPE_CHECKING:
    from securefl.study.schema import Template
    from securefl.types import FloatArray

#: Features of numbers go from -1 to 1.
_WHOLE_RANGE = 2.0


@dataclass(frozen=True)
class Effect:
    """Effect of one column, or of one of its levels, on the score.

    Attributes:
        name: what changes, in words.
        size: of the change in the score.
        low: lower end of the 95 % interval over the noise alone.
        high: upper end.
    """

    name: str
    size: float
    low: float
    high: float


def linear_effects(study: Template, theta: FloatArray, noise: float) -> list[Effect]:
    """Effects of a linear model with one score, the largest first; none of another model.

    Args:
        study: whose model it is.
        theta: float64[p], its weights.
        noise: standard deviation of the noise in one weight.
    """
    names = feature_names(study.data)
    if training_of(study).model.family != "linear" or theta.size != len(names) + 1:
        return []
    numeric = {c.name: c for c in study.data.columns if isinstance(c, NumericColumn)}
    found = []
    for name, weight in zip(names, theta.tolist(), strict=False):
        column = numeric.get(name)
        scale = 1.0
        told = name
        if column is not None:
            scale = _WHOLE_RANGE
            unit = f" {column.unit}" if column.unit else ""
            told = f"{name}: from {column.low} to {column.high}{unit}"
        half = NORMAL_95 * noise * scale
        size = weight * scale
        found.append(
            Effect(
                told,
                size,
                size - half,
                size + half,
            )
        )
    return sorted(found, key=lambda effect: -abs(effect.size))
