"""Interface of a strategy: the part of federated training that is not private.

A strategy sees the global model, noised steps and opened sums, all of them public or
post-processing of what is noised, and constants of the study. It never sees a row, so no strategy
can cost privacy (rule 10).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.study.training import TrainSection
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class ServerState:
    """The coordinator's state between two rounds: a value.

    Attributes:
        theta: float64[p], the global model.
        memory: float64[m], what the strategy carries from round to round beside it. It never
            travels: each hospital works it out from the totals that it verified.
        rounds: rounds absorbed so far.
    """

    theta: FloatArray
    memory: FloatArray
    rounds: int = 0


@dataclass(frozen=True)
class OwnRound:
    """A hospital's last round, as its worker remembers it: public and noised figures only.

    Attributes:
        given: float64[b], what was broadcast for it.
        noised: int64[p], the sum of the hospital's noised steps.
        unit: of that sum.
    """

    given: FloatArray
    noised: IntArray
    unit: float


@dataclass(frozen=True)
class NoisedSum:
    """The sum of a hospital's noised steps in a round, before it leaves.

    Attributes:
        values: int64[p].
        unit: of that sum.
        steps: how many steps the hospital took.
        deviation: standard deviation of the noise in each value, a public figure.
    """

    values: IntArray
    unit: float
    steps: int
    deviation: float


class Strategy(ABC):
    """Step of a hospital, and the model's move by the sum of all. A value: equal constants
    make equal strategies.

    Sums come with their ``unit``: what one clip norm of one patient counts in them, times the
    patients expected. A sum divided by its unit is a mean gradient in clip norms.

    Attributes:
        Section: the training's table in the study file, with the strategy's own keys.
        remembers: whether a hospital's step reads its last round.
        words: how the model moves, in a sentence for people.
    """

    Section: ClassVar[type[TrainSection]]
    remembers: ClassVar[bool] = False
    words: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def of(cls, section: Any) -> Self:  # noqa: ANN401 - each strategy has a section of its own
        """The strategy that a section of the study file describes."""

    @abstractmethod
    def local_step(
        self,
        local: FloatArray,
        noised: IntArray,
        unit: float,
        given: FloatArray,
        before: OwnRound | None,
    ) -> FloatArray:
        """A hospital's weights after one noised step, float64[p].

        Args:
            local: float64[p], its weights before the step.
            noised: int64[p], the noised sum of clipped gradients at ``local``.
            unit: of that sum.
            given: float64[b], what was broadcast for the round.
            before: the hospital's last round; None in the first, and after its worker began anew.
        """

    def contribution(self, own: NoisedSum) -> IntArray:
        """Numbers that a hospital sends for the round, int64[s]: its noised sum, unless a strategy
        makes something else of it. They are made of noised steps and public figures, so whatever
        they are costs no privacy; the wire cuts what does not fit into a field.
        """
        return own.values

    @property
    def sends_its_sum(self) -> bool:
        """True if hospitals send their noised sums as they are, so that shares of noise add up."""
        return type(self).contribution is Strategy.contribution

    def sent_size(self, parameters: int) -> int:
        """Length s of :meth:`contribution` for p parameters."""
        return parameters

    @abstractmethod
    def start(self, theta: FloatArray) -> ServerState:
        """The state before the first round, from the initial weights float64[p]."""

    def broadcast(self, state: ServerState) -> FloatArray:
        """Vector that hospitals are given for the next round, float64[b]: the model itself, unless a
        strategy says more or looks ahead. Before the first round it is the initial weights
        wherever it is as long as they are.
        """
        return state.theta

    def broadcast_size(self, parameters: int) -> int:
        """Length b of :meth:`broadcast` for p parameters."""
        return parameters

    def weights(self, given: FloatArray) -> FloatArray:
        """The weights in what was given from which a hospital starts, float64[p]."""
        return given

    @abstractmethod
    def absorb(
        self,
        state: ServerState,
        total: IntArray,
        unit: float,
    ) -> ServerState:
        """The state after one more round.

        Args:
            state: before it.
            total: int64[s], the sum of all hospitals' contributions, as it was opened.
            unit: of that sum.

        Raises:
            RoundError: the sum has another shape or type than the contributions.
        """

    @abstractmethod
    def faults(self, local_steps: int, rounds: int) -> Sequence[tuple[str, str]]:
        """Constants with which nothing can be learnt: the field's name, and what would fit."""


class GradientSteps(Strategy):
    """Strategy whose hospitals take plain gradient steps.

    Attributes:
        local_learning_rate: of a hospital's step, in clip norms; each strategy declares it.
    """

    local_learning_rate: Decimal

    def local_step(
        self,
        local: FloatArray,
        noised: IntArray,
        unit: float,
        given: FloatArray,
        before: OwnRound | None,
    ) -> FloatArray:
        """One gradient step."""
        del given, before
        return local - float(self.local_learning_rate) * noised / unit


def check_sum(
    state: ServerState,
    total: IntArray,
    more: int = 0,
) -> None:
    """Refuse a sum that is not int64 of the model's length.

    Args:
        state: holds the model.
        total: the sum.
        more: numbers that are sent beside the model's.

    Raises:
        RoundError: naming both.
    """
    shape = (state.theta.size + more,)
    if total.shape != shape or total.dtype != np.int64:
        raise RoundError(
            f"the sum is {total.dtype}{list(total.shape)}; the model needs int64{list(shape)}.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
