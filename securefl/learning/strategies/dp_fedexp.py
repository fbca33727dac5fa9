"""DP-FedEXP: a server step as long as the hospitals' moves differ (Takakura, Liew, Hasegawa 2025,
arXiv:2504.09850, for hospitals that add their own noise; after FedExP, Jhunjhunwala, Wang, Joshi
2023, arXiv:2301.09604).

Where hospitals pull different ways, their mean is shorter than each of them, and a step of one along
it is too careful. With the hospitals' noised mean gradients g_i, weights w_i and their mean G,

    x = x - eta_g eta G,    eta_g = max(1, (sum of w_i (|g_i|^2 - b_i)) / |G|^2).

b_i is what the noise adds to |g_i|^2 on average: d sigma^2 K in d values, a public figure; without
taking it off, noise would lengthen the step. The noise in |G|^2 stays: it keeps the step short where
nothing is left to be learnt. There is no figure to tune.

The lengths |g_i| must not be seen one by one, and a sum of models does not show them. So each hospital
sends one number more: the squared length of what it sends anyhow, less b_i. It is made of the noised
sum and public figures, so it is post-processing and costs nothing; of it too only the sum is opened.
(Of sums without each hospital's own full noise this would not hold.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import model_validator

from securefl.learning.strategies.fedavg import LEAST_MOVE, MOST_MOVE, MOST_RATE
from securefl.learning.strategies.strategy import GradientSteps, ServerState, check_sum
from securefl.study.fields import DecimalText, Fault
from securefl.study.training import TrainSection

if TYPE_CHECKING:
    from securefl.learning.strategies.strategy import NoisedSum
    from securefl.types import FloatArray, IntArray

#: Larger than any field shows: the wire cuts to its own.
_MOST: Final = float(1 << 52)


class DpFedExpSection(TrainSection):
    """Training by DP-FedEXP; ``local_learning_rate`` is of a hospital's step."""

    strategy: Literal["dp-fedexp"]
    local_learning_rate: DecimalText = Decimal(1)

    @model_validator(mode="after")
    def _rate(self) -> Self:
        if self.local_learning_rate <= 0:
            raise Fault("must be above 0", "local_learning_rate")
        return self


@dataclass(frozen=True)
class DpFedExp(GradientSteps):
    """Gradient steps at the hospitals; at the server a step whose length follows from noised sums.

    The server keeps no memory.

    Attributes:
        local_learning_rate: of a hospital's step, in clip norms.
        local_steps: K, in whose square the squared length is counted.
    """

    Section: ClassVar[type[TrainSection]] = DpFedExpSection
    words: ClassVar[str] = (
        "steps along the mean of the hospitals' noised gradients, the further the more these differ;"
        " for that each sends the squared length of its noised sum beside it"
    )
    local_learning_rate: Decimal
    local_steps: int

    @classmethod
    def of(cls, section: Any) -> Self:  # noqa: ANN401 - each strategy has a section of its own
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(section.local_learning_rate, section.local_steps)

    def contribution(self, own: NoisedSum) -> IntArray:
        """The noised sum, and its squared length less what the noise adds to it on average.

        The length is that of a mean gradient; its square is counted in K^2, so that what patients
        alone can make of it is at most 1. A number too large for a field is cut, as any: the step
        is shorter then.
        """
        square = _square(own.values / own.unit)
        square -= own.values.size * (own.deviation / own.unit) ** 2
        number = own.unit * square / self.local_steps**2
        number = min(max(number, -_MOST), _MOST)
        return np.append(own.values, np.int64(round(number)))

    def sent_size(self, parameters: int) -> int:
        """A number beside the model's."""
        return parameters + 1

    def start(self, theta: FloatArray) -> ServerState:
        """No memory."""
        return ServerState(theta.astype(np.float64), np.zeros(0))

    def absorb(
        self,
        state: ServerState,
        total: IntArray,
        unit: float,
    ) -> ServerState:
        """One step along the mean, as long as the hospitals' gradients differ."""
        check_sum(state, total, more=1)
        mean = total[:-1] / unit
        square = float(total[-1]) / unit * self.local_steps**2
        step = step_size(square, _square(mean)) * float(self.local_learning_rate)
        return ServerState(state.theta - step * mean, state.memory, state.rounds + 1)

    def faults(self, local_steps: int, rounds: int) -> list[tuple[str, str]]:
        """A rate that is a slip, or with which steps of one leave the model where it starts."""
        field = "local_learning_rate"
        rate = Fraction(self.local_learning_rate)
        most = min(Fraction(MOST_RATE), Fraction(MOST_MOVE, local_steps))
        least = LEAST_MOVE / (local_steps * rounds)
        if rate > most:
            return [(field, f"cannot be meant: at most {float(most):.3g}")]
        if rate < least:
            return [(field, f"leaves the model where it starts: take {float(least):.2g} or more")]
        return []


def step_size(
    mean_of_squares: float,
    square_of_mean: float,
) -> float:
    """The server's step, at least 1.

    Args:
        mean_of_squares: of the hospitals' lengths, less what the noise adds.
        square_of_mean: squared length of their mean.

    >>> step_size(2.0, 0.5), step_size(0.4, 0.5), step_size(-1.0, 0.0)
    (4.0, 1.0, 1.0)
    """
    if square_of_mean == 0:
        return 1.0
    return max(1.0, mean_of_squares / square_of_mean)


def _square(values: FloatArray) -> float:
    """Squared length, rounded once: the same on every machine, as a sum in any order is not."""
    return math.fsum(values * values)
