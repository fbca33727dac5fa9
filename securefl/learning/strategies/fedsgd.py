"""FedSGD: one gradient a hospital and round (McMahan et al. 2017, arXiv:1602.05629, section 3).

It is FedAvg with a single local step; a study that asks for more is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from securefl.learning.strategies.fedavg import FedAvg, RatesSection

if TYPE_CHECKING:
    from securefl.study.training import TrainSection


class FedSgdSection(RatesSection):
    """Training by FedSGD."""

    strategy: Literal["fedsgd"]


@dataclass(frozen=True)
class FedSgd(FedAvg):
    """FedAvg with one local step."""

    Section: ClassVar[type[TrainSection]] = FedSgdSection
    words: ClassVar[str] = "steps along the mean of one noised gradient of each hospital"

    def faults(self, local_steps: int, rounds: int) -> list[tuple[str, str]]:
        """Those of FedAvg, and more than one local step."""
        if local_steps != 1:
            return [("local_steps", 'must be 1 with strategy "fedsgd"; "fedavg" takes more')]
        return super().faults(local_steps, rounds)
