"""FedNova: hospitals take different numbers of local steps, and none pulls the model to itself by
taking more (Wang et al. 2020, arXiv:2007.07481, section 4).

Where hospital i takes K_i of at most K steps, FedAvg's mean of the sums weighs it by K_i: the model
goes to another place than the one where the mean loss is least. FedNova takes the mean of each
hospital's *mean* gradient. With the hospitals' weights w_i and mean gradients d_i,

    x = x - eta_g eta K (sum of w_i d_i).

The paper's effective number of steps tau_eff is free; here it is K, so that equal steps make FedAvg.
For the paper's own choice, the mean of all K_i, ``server_learning_rate`` is that mean over K.

How many steps each takes stands in the study file and does not follow from data. A hospital scales
its noised sum by K / K_i before it sends it: after the noise, by a public ratio, so at no cost in
privacy. Its noise grows with it, to K / sqrt(K_i) times a step's. Each hospital is charged for K
steps, as all approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from securefl.learning.strategies.fedavg import FedAvg, RatesSection
from securefl.study.fields import Fault, Name

if TYPE_CHECKING:
    from securefl.learning.strategies.strategy import NoisedSum
    from securefl.study.training import TrainSection
    from securefl.types import IntArray

_KEY: Final = "fewer_steps"


class FedNovaSection(RatesSection):
    """Training by FedNova: FedAvg's keys, and which hospitals take fewer than ``local_steps``, by
    name.
    """

    strategy: Literal["fednova"]
    fewer_steps: Mapping[Name, Annotated[int, Field(ge=1)]] = {}

    @model_validator(mode="after")
    def _fewer(self) -> Self:
        for name, steps in self.fewer_steps.items():
            if steps >= self.local_steps:
                raise Fault(
                    f"must be below local_steps, {self.local_steps}: leave out who takes all",
                    _KEY,
                    name,
                )
        return self

    def fewer(self) -> Mapping[str, int]:
        """See :class:`~securefl.study.training.TrainSection`."""
        return self.fewer_steps


@dataclass(frozen=True)
class FedNova(FedAvg):
    """FedAvg of mean gradients.

    Attributes:
        local_steps: K, which each hospital's sum is scaled to.
    """

    Section: ClassVar[type[TrainSection]] = FedNovaSection
    words: ClassVar[str] = (
        "steps along the mean of the hospitals' mean noised gradients, so that who takes more steps"
        " does not weigh more"
    )
    local_steps: int

    @classmethod
    def of(cls, section: Any) -> Self:  # noqa: ANN401 - each strategy has a section of its own
        """See :class:`~securefl.learning.strategies.strategy.Strategy`."""
        return cls(
            section.local_learning_rate,
            section.server_learning_rate,
            section.server_momentum,
            section.local_steps,
        )

    def contribution(self, own: NoisedSum) -> IntArray:
        """The noised sum times K / K_i, to the nearest unit of the privacy grid.

        In whole numbers, by parts: the product alone could leave 64 bits.
        """
        if own.steps == self.local_steps:
            return own.values
        whole = own.values // own.steps
        rest = own.values % own.steps
        scaled: IntArray = whole * self.local_steps
        scaled += (rest * self.local_steps + own.steps // 2) // own.steps
        return scaled
