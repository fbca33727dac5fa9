"""FedAvg with server momentum, on the exact integer sum that was opened.

McMahan et al. 2017 (arXiv:1602.05629) for FedAvg; Hsu, Qi, Brown 2019 (arXiv:1909.06335) for the
momentum. Everything here is post-processing of noised sums and uses public constants only, so it
costs no privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import model_validator

from securefl.learning.strategies.strategy import GradientSteps, ServerState, check_sum
from securefl.study.fields import DecimalText, Fault
from securefl.study.training import TrainSection

if TYPE_CHECKING:
    from securefl.types import FloatArray, IntArray


#: A learning rate beyond this is a slip of the decimal point: mean gradients are at most one clip
#: norm long.
MOST_RATE: Final = 100
#: Length that a round may move the model if every patient pulls one way: server rate x local rate x
#: steps / (1 - momentum).
MOST_MOVE: Final = 1000
#: All rounds together must be able to move it by this much, or the first model is the last.
LEAST_MOVE: Final = Fraction(1, 100)
#: Weights of one step at a time: its few arrays stay in a processor's cache.
_AT_A_TIME: Final = 1 << 14


class RatesSection(TrainSection):
    """Keys of a training whose server steps along a mean, with momentum where it is asked for.

    ``local_learning_rate`` is of a hospital's step, ``server_learning_rate`` of the server's.
    """

    local_learning_rate: DecimalText = Decimal(1)
    server_learning_rate: DecimalText = Decimal(1)
    server_momentum: DecimalText = Decimal(0)

    @model_validator(mode="after")
    def _rates(self) -> Self:
        for name in ("local_learning_rate", "server_learning_rate"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        if not 0 <= self.server_momentum < 1:
            raise Fault("must be at least 0 and below 1", "server_momentum")
        return self


class FedAvgSection(RatesSection):
    """Training by FedAvg."""

    strategy: Literal["fedavg"]


@dataclass(frozen=True)
class FedAvg(GradientSteps):
    """Gradient steps at the hospitals; at the server a step with momentum along their mean.

    The server's memory is its velocity, float64[p].

    Attributes:
        local_learning_rate: of a hospital's step, in clip norms.
        server_learning_rate: of the server's step.
        momentum: part of the velocity that the next round keeps.
    """

    Section: ClassVar[type[TrainSection]] = FedAvgSection
    words: ClassVar[str] = "steps along the mean of the hospitals' noised gradients"
    local_learning_rate: Decimal
    server_learning_rate: Decimal
    momentum: Decimal

    @classmethod
    def of(cls, section: RatesSection) -> Self:
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(
            section.local_learning_rate, section.server_learning_rate, section.server_momentum
        )

    def start(self, theta: FloatArray) -> ServerState:
        """No velocity."""
        return ServerState(theta.astype(np.float64), np.zeros(theta.shape))

    def absorb(
        self,
        state: ServerState,
        total: IntArray,
        unit: float,
    ) -> ServerState:
        """One step along the velocity.

        Big hospitals weigh more because they send larger sums; nobody's row count is needed for it.
        """
        check_sum(state, total)
        # The model may be most of this machine's memory, so no operation gets an array of its own:
        # theta' = theta - server rate * velocity', velocity' = momentum * velocity + mean.
        velocity = state.memory * float(self.momentum)
        theta = np.empty_like(state.theta)
        for start in range(0, total.size, _AT_A_TIME):
            some = slice(start, start + _AT_A_TIME)
            mean = float(self.local_learning_rate) * total[some]
            mean /= unit
            velocity[some] += mean
            np.multiply(float(self.server_learning_rate), velocity[some], out=mean)
            np.subtract(state.theta[some], mean, out=theta[some])
        return ServerState(theta, velocity, state.rounds + 1)

    def faults(self, local_steps: int, rounds: int) -> list[tuple[str, str]]:
        """Rates that are slips, models that cannot move or that fly away."""
        fault = (
            f"cannot be meant: at most {MOST_RATE}, for a mean gradient is at most one clip norm"
            " long"
        )
        rates = ("local_learning_rate", "server_learning_rate")
        found = [(name, fault) for name in rates if getattr(self, name) > MOST_RATE]
        if found:
            return found
        server = Fraction(self.server_learning_rate)
        step = server * Fraction(self.local_learning_rate) * local_steps
        move = step / (1 - Fraction(self.momentum))
        if move > MOST_MOVE:
            fault = (
                f"moves the model by up to {float(move):.3g} in a round (rates x local_steps /"
                f" (1 - server_momentum)); at most {MOST_MOVE:,}: about"
                f" {float(server * MOST_MOVE / move):.2g}"
            )
            return [("server_learning_rate", fault)]
        if step * rounds < LEAST_MOVE:
            fault = (
                "leaves the model where it starts: all rounds together move it by"
                f" {float(step * rounds):.1g} at most; take"
                f" {float(server * LEAST_MOVE / (step * rounds)):.2g} or more"
            )
            return [("server_learning_rate", fault)]
        return []
