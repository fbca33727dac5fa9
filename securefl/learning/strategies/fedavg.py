"""The coordinator's step: FedAvg with server momentum, on the exact integer sum that was opened.

McMahan et al. 2017 (arXiv:1602.05629) for FedAvg; Hsu, Qi, Brown 2019 (arXiv:1909.06335) for the
momentum. Everything here is post-processing of noised sums and uses public constants only, so it
costs no privacy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from securefl.errors import RoundError
from securefl.study.wire import GRID, wire_of

if TYPE_CHECKING:
    from securefl.study.schema import Template

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ServerState:
    """The global model after some rounds: a value; :meth:`apply` returns the next one.

    Attributes:
        theta: float64[p], the global model.
        velocity: float64[p], the server's momentum.
        rounds: rounds applied so far.
        unit: steps of the wire in one clip norm, times the normaliser; a sum divided by it is a
            mean gradient, in clip norms.
    """

    theta: FloatArray
    velocity: FloatArray
    rounds: int
    unit: float
    local_learning_rate: float
    server_learning_rate: float
    momentum: float

    @classmethod
    def start(cls, study: Template, theta: FloatArray) -> Self:
        """The state before round 1, from the study's public constants."""
        return cls(
            theta=theta.astype(np.float64),
            velocity=np.zeros(theta.shape),
            rounds=0,
            unit=float(Fraction(GRID, wire_of(study).step) * Fraction(study.privacy.normaliser)),
            local_learning_rate=float(study.training.local_learning_rate),
            server_learning_rate=float(study.training.server_learning_rate),
            momentum=float(study.training.server_momentum),
        )

    def apply(self, total: IntArray) -> Self:
        """The state after one more round, from the sum of all hospitals' updates, int64[p] in steps
        of the wire.

        Big hospitals weigh more because they send larger sums; nobody's row count is needed for it.

        Raises:
            RoundError: the sum has another shape or type than the model.
        """
        if total.shape != self.theta.shape or total.dtype != np.int64:
            raise RoundError(
                f"the sum is {total.dtype}{list(total.shape)}; the model needs"
                f" int64{list(self.theta.shape)}.",
                whose="the coordinator",
                next_step="Do not release this round; check the packing that the study names.",
            )
        # the model may be most of this machine's memory: one array beside each result, and not one
        # for each operation
        mean = self.local_learning_rate * total
        mean /= self.unit
        velocity = self.momentum * self.velocity
        velocity += mean
        theta = np.multiply(self.server_learning_rate, velocity, out=mean)
        np.subtract(self.theta, theta, out=theta)
        return replace(self, theta=theta, velocity=velocity, rounds=self.rounds + 1)
