"""How long the opened mean updates of a training were, beside what noise alone would be.

Everything here follows from sums that were charged, noised and opened, and from the study's figures:
it costs no privacy. A mean update that is no longer than the noise says that the model has settled,
or that the noise hides what is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.models import first_weights
from securefl.learning.strategies import strategy_of
from securefl.study.noise_shares import noise_shares
from securefl.study.training import training_of
from securefl.study.wire import sum_unit, wire_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.schema import Template
    from securefl.types import FloatArray, IntArray

#: Standard deviations on either side of an interval of 95 %.
NORMAL_95: Final = 1.96
#: Whole units of a unit impulse.
_IMPULSE: Final = 1 << 20
_SAME: Final = 1e-9


@dataclass(frozen=True)
class UpdateLength:
    """The mean update of one round.

    Lengths are L2, in clip norms: the mean gradient of the patients whom the study plans for.

    Attributes:
        round: of the training, from 1.
        length: of the mean update as opened.
        low: lower end of the 95 % range of noise alone.
        high: upper end.
    """

    round: int
    length: float
    low: float
    high: float

    @property
    def above_noise(self) -> bool:
        """True if it is longer than noise alone is in 39 of 40 draws."""
        return self.length > self.high


def noise_in_update(study: Template, contributors: int) -> float:
    """Standard deviation of the noise on each number of a mean update, in clip norms.

    Args:
        study: one that trains.
        contributors: hospitals in the sum.
    """
    wire = wire_of(study)
    noises = noise_shares(study).in_sum(contributors)
    return wire.sigma / wire.step * math.sqrt(noises) / sum_unit(study)


def update_lengths(study: Template, totals: Sequence[tuple[IntArray, int]]) -> list[UpdateLength]:
    """Lengths of the training's mean updates, in order.

    Args:
        study: one that trains.
        totals: opened sums of its training rounds, int64[d] each, and their contributors.
    """
    unit = sum_unit(study)
    found = []
    for number, (total, contributors) in enumerate(totals, 1):
        noise = noise_in_update(study, contributors)
        # the length of d normal numbers is nearly normal (Fisher's approximation of chi)
        middle = math.sqrt(max(total.size - 0.5, 0.0))
        half = NORMAL_95 * math.sqrt(0.5)
        found.append(
            UpdateLength(
                number,
                float(np.linalg.norm(total / unit)),
                noise * max(middle - half, 0.0),
                noise * (middle + half),
            )
        )
    return found


def trained_weights(study: Template, totals: Sequence[tuple[IntArray, int]]) -> FloatArray:
    """The model float64[p] that the study's strategy makes of the opened sums."""
    train = training_of(study)
    strategy = strategy_of(train)
    state = strategy.start(first_weights(train, study.data))
    for total, _ in totals:
        state = strategy.absorb(state, total, sum_unit(study))
    return state.theta


def noise_in_weight(study: Template, contributors: int) -> float | None:
    """Standard deviation that the noise of all rounds leaves in one weight.

    Gradients of later rounds pull some of it back, so it is an upper figure. None where the
    strategy's step is not proportional to the sums, as in adaptive ones.

    Args:
        study: one that trains.
        contributors: hospitals in each sum.
    """
    once, twice = (_gains(study, size) for size in (_IMPULSE, 2 * _IMPULSE))
    if not np.allclose(2 * once, twice, rtol=_SAME):
        return None
    return noise_in_update(study, contributors) * float(np.linalg.norm(once))


def _gains(study: Template, size: int) -> FloatArray:
    """Move of the last model for an impulse in each of the rounds, float64[rounds].

    Steps go element by element, so one model with a weight for each round tells all of them.
    """
    train = training_of(study)
    strategy = strategy_of(train)
    state = strategy.start(np.zeros(train.rounds))
    for number in range(train.rounds):
        total = np.zeros(train.rounds, dtype=np.int64)
        total[number] = size
        state = strategy.absorb(state, total, float(_IMPULSE))
    return state.theta
