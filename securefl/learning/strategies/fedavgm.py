"""FedAvgM: FedAvg whose server keeps a part of its velocity (Hsu, Qi, Brown 2019, arXiv:1909.06335).

The step is that of :mod:`securefl.learning.strategies.fedavg`; only the default of the momentum is
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Literal

from securefl.learning.strategies.fedavg import FedAvg, RatesSection
from securefl.study.fields import DecimalText

if TYPE_CHECKING:
    from securefl.study.training import TrainSection


class FedAvgMSection(RatesSection):
    """Training by FedAvgM."""

    strategy: Literal["fedavgm"]
    server_momentum: DecimalText = Decimal("0.9")


@dataclass(frozen=True)
class FedAvgM(FedAvg):
    """FedAvg with momentum."""

    Section: ClassVar[type[TrainSection]] = FedAvgMSection
    words: ClassVar[str] = (
        "steps along the mean of the hospitals' noised gradients, with a part of the last step"
    )
