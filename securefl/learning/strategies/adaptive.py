"""FedAdagrad, FedAdam and FedYogi: a server step of its own size for each weight (Reddi et al. 2021,
arXiv:2003.00295, algorithm 2).

With D the mean move of the hospitals (minus the local rate times the opened sum), m the first moment
and v the second, squares taken weight by weight:

    m = beta1 m + (1 - beta1) D
    v = v + D^2                                  (FedAdagrad)
    v = beta2 v + (1 - beta2) D^2                (FedAdam)
    v = v - (1 - beta2) D^2 sign(v - D^2)        (FedYogi)
    x = x + eta m / (sqrt(v) + tau)

v begins at tau^2. Everything is post-processing of noised sums, so it costs no privacy. Noise makes v
large where nothing is learnt: the step is then small, as it should be.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import model_validator

from securefl.learning.strategies.fedavg import MOST_RATE
from securefl.learning.strategies.strategy import GradientSteps, ServerState, check_sum
from securefl.study.fields import DecimalText, Fault
from securefl.study.training import TrainSection

if TYPE_CHECKING:
    from securefl.types import FloatArray, IntArray

_RATES: Final = ("local_learning_rate", "server_learning_rate")


class AdaptiveSection(TrainSection):
    """Keys of a training with an adaptive server.

    ``beta1`` and ``beta2`` are the parts of the moments that the next round keeps, ``tau`` is what
    a step's size is at most divided by.
    """

    local_learning_rate: DecimalText = Decimal(1)
    server_learning_rate: DecimalText = Decimal("0.1")
    beta1: DecimalText = Decimal("0.9")
    beta2: DecimalText = Decimal("0.99")
    tau: DecimalText = Decimal("0.001")

    @model_validator(mode="after")
    def _figures(self) -> Self:
        for name in (*_RATES, "tau"):
            if getattr(self, name) <= 0:
                raise Fault("must be above 0", name)
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise Fault("must be at least 0 and below 1", name)
        return self


@dataclass(frozen=True)
class Adaptive(GradientSteps):
    """Gradient steps at the hospitals, an adaptive step at the server.

    The server's memory is m and then v, float64[2p].

    Attributes:
        local_learning_rate: of a hospital's step, in clip norms.
        server_learning_rate: eta.
        beta1: kept part of m.
        beta2: kept part of v.
        tau: least divisor.
    """

    words: ClassVar[str] = (
        "steps along the mean of the hospitals' noised gradients, each weight with a step size of"
        " its own"
    )
    local_learning_rate: Decimal
    server_learning_rate: Decimal
    beta1: Decimal
    beta2: Decimal
    tau: Decimal

    @classmethod
    def of(cls, section: AdaptiveSection) -> Self:
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(
            section.local_learning_rate,
            section.server_learning_rate,
            section.beta1,
            section.beta2,
            section.tau,
        )

    @abstractmethod
    def second_moment(self, v: FloatArray, square: FloatArray) -> FloatArray:
        """V after one more round, float64[p].

        Args:
            v: before it.
            square: of the mean move, weight by weight.
        """

    def start(self, theta: FloatArray) -> ServerState:
        """No first moment, tau^2 as the second."""
        moments = np.concatenate([np.zeros(theta.size), np.full(theta.size, float(self.tau) ** 2)])
        return ServerState(theta.astype(np.float64), moments)

    def absorb(self, state: ServerState, total: IntArray, unit: float) -> ServerState:
        """One adaptive step."""
        check_sum(state, total)
        m, v = np.split(state.memory, 2)
        move = -float(self.local_learning_rate) * total / unit
        kept = float(self.beta1)
        m = kept * m + (1 - kept) * move
        v = self.second_moment(v, move * move)
        theta = state.theta + float(self.server_learning_rate) * m / (np.sqrt(v) + float(self.tau))
        return ServerState(theta, np.concatenate([m, v]), state.rounds + 1)

    def faults(self, local_steps: int, rounds: int) -> list[tuple[str, str]]:
        """Rates that are slips."""
        del local_steps, rounds
        fault = f"cannot be meant: at most {MOST_RATE}"
        return [(name, fault) for name in _RATES if getattr(self, name) > MOST_RATE]


class FedAdagradSection(AdaptiveSection):
    """Training by FedAdagrad."""

    strategy: Literal["fedadagrad"]
    beta1: DecimalText = Decimal(0)


class FedAdamSection(AdaptiveSection):
    """Training by FedAdam."""

    strategy: Literal["fedadam"]


class FedYogiSection(AdaptiveSection):
    """Training by FedYogi."""

    strategy: Literal["fedyogi"]


class FedAdagrad(Adaptive):
    """Squares of all moves add up."""

    Section: ClassVar[type[TrainSection]] = FedAdagradSection

    def second_moment(self, v: FloatArray, square: FloatArray) -> FloatArray:
        """See :class:`Adaptive`."""
        return v + square


class FedAdam(Adaptive):
    """Squares of old moves fade."""

    Section: ClassVar[type[TrainSection]] = FedAdamSection

    def second_moment(self, v: FloatArray, square: FloatArray) -> FloatArray:
        """See :class:`Adaptive`."""
        return float(self.beta2) * v + (1 - float(self.beta2)) * square


class FedYogi(Adaptive):
    """The second moment moves towards the last square by a fixed part of that square."""

    Section: ClassVar[type[TrainSection]] = FedYogiSection

    def second_moment(self, v: FloatArray, square: FloatArray) -> FloatArray:
        """See :class:`Adaptive`."""
        found: FloatArray = v - (1 - float(self.beta2)) * square * np.sign(v - square)
        return found
