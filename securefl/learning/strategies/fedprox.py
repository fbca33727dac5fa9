"""FedProx: local steps are drawn back to where the round began (Li et al. 2020, arXiv:1812.06127).

A step is y - eta (g + mu (y - x)): the gradient of the local loss and of mu/2 |y - x|^2, where x is
the global model of the round. The pull rests on y and x alone, so it costs no privacy. What leaves
is the sum of the noised gradients; the server steps along their mean. Li et al. average the local
models, in which the k-th of K gradients counts (1 - eta mu)^(K - k): for the usual eta mu K far
below 1 the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from securefl.learning.strategies.fedavg import FedAvg, RatesSection
from securefl.study.fields import DecimalText, Fault

if TYPE_CHECKING:
    from securefl.learning.strategies.strategy import OwnRound
    from securefl.study.training import TrainSection
    from securefl.types import FloatArray, IntArray


class FedProxSection(RatesSection):
    """Training by FedProx; ``mu`` is the strength of the pull."""

    strategy: Literal["fedprox"]
    mu: DecimalText = Decimal("0.01")

    @model_validator(mode="after")
    def _pull(self) -> Self:
        if self.mu < 0 or self.mu * self.local_learning_rate >= 1:
            raise Fault(
                "must be at least 0 and below 1 / local_learning_rate: a stronger pull jumps over"
                " the model that it pulls to",
                "mu",
            )
        return self


@dataclass(frozen=True)
class FedProx(FedAvg):
    """FedAvg with a pull at the hospitals.

    Attributes:
        mu: strength of the pull.
    """

    Section: ClassVar[type[TrainSection]] = FedProxSection
    words: ClassVar[str] = (
        "steps along the mean of the hospitals' noised gradients; local steps are drawn back to the"
        " common model"
    )
    mu: Decimal

    @classmethod
    def of(cls, section: Any) -> Self:  # noqa: ANN401 - each strategy has a section of its own
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(
            section.local_learning_rate,
            section.server_learning_rate,
            section.server_momentum,
            section.mu,
        )

    def local_step(
        self,
        local: FloatArray,
        noised: IntArray,
        unit: float,
        given: FloatArray,
        before: OwnRound | None,
    ) -> FloatArray:
        """A gradient step and the pull."""
        pull = float(self.local_learning_rate) * float(self.mu) * (local - given)
        return super().local_step(local, noised, unit, given, before) - pull
