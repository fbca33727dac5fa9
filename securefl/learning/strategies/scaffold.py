"""SCAFFOLD: local steps are corrected by how a hospital's gradients differ from all (Karimireddy et
al. 2020, arXiv:1910.06378), with no second vector and not a byte more.

A local step is y - eta (g - c_i + c), with the hospital's control variate c_i and the common one c.
By the paper's option II, after K steps from x,

    c_i' = c_i - c + (x - y_K) / (K eta) = (1/K) sum of the hospital's K gradients,

because the corrections cancel in y_K. So c_i is the mean of the hospital's own last noised sum, which
it keeps, and c, the mean of all c_i, is the mean of the last opened sum. The server's plain step
moves the model by eta_g eta times K c, so hospitals read c off two models in a row:

    c = (x_before - x) / (eta_g eta K).

And the sum of (g - c_i + c) over hospitals and steps is that of g alone, since the c_i add up to c:
the server steps as FedAvg's does. All of it rests on noised sums and public models (rule 10). In the
first round, and after a worker began anew, there is nothing to correct with.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from securefl.learning.strategies.fedavg import FedAvg, RatesSection
from securefl.study.fields import Fault

if TYPE_CHECKING:
    from securefl.learning.strategies.strategy import OwnRound
    from securefl.study.training import TrainSection
    from securefl.types import FloatArray, IntArray


class ScaffoldSection(RatesSection):
    """Training by SCAFFOLD: FedAvg's keys, without momentum."""

    strategy: Literal["scaffold"]

    @model_validator(mode="after")
    def _plain_server(self) -> Self:
        if self.server_momentum != 0:
            raise Fault(
                "must be 0 with SCAFFOLD: its correction is read off the plain step of the server",
                "server_momentum",
            )
        return self


@dataclass(frozen=True)
class Scaffold(FedAvg):
    """FedAvg whose hospitals correct their steps.

    Attributes:
        local_steps: K, which the correction is a mean over.
    """

    Section: ClassVar[type[TrainSection]] = ScaffoldSection
    remembers: ClassVar[bool] = True
    words: ClassVar[str] = (
        "steps along the mean of the hospitals' noised gradients; local steps are corrected by how a"
        " hospital's last gradients differ from those of all"
    )
    local_steps: int

    @classmethod
    def of(cls, section: RatesSection) -> Self:
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(
            section.local_learning_rate,
            section.server_learning_rate,
            Decimal(0),
            section.local_steps,
        )

    def local_step(
        self,
        local: FloatArray,
        noised: IntArray,
        unit: float,
        given: FloatArray,
        before: OwnRound | None,
    ) -> FloatArray:
        """A gradient step, corrected by the last round."""
        moved = super().local_step(local, noised, unit, given, before)
        if before is None:
            return moved
        rate = float(self.local_learning_rate)
        steps = self.local_steps
        own = before.noised / (before.unit * steps)
        common = (before.given - given) / (float(self.server_learning_rate) * rate * steps)
        return np.asarray(moved + rate * (own - common), dtype=np.float64)
