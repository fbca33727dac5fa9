"""One hospital's noised steps, on exact integers from the first clip to the last noise (design:
"Noise").

A step: draw patients by Poisson sampling; each patient's gradient (the sum over that patient's
rows), clipped and put on the fine integer grid (:mod:`securefl.learning.clipping`); the sum;
Gaussian noise on the integers: all of it, or this hospital's share
(:mod:`securefl.study.noise_shares`), in front of which the sum is limited number by number. Whatever
happens in a batch, an empty one included, the noise is added. A round's steps are added up, made
into what the strategy sends, and then, once, rounded by lot to the steps of the wire and cut to its
fields (:mod:`securefl.study.wire`): all after the noise, so that none of it costs privacy.

What one patient can change in the sum is that patient's own grid vector, of norm at most ``grid``:
no other row, no row count and no data-derived scale enters.

Nothing overflows an int64: a table has fewer than 2^31 patients of at most 2^20 units each, a draw
of noise is below 14 times 10^6 clip norms (less than 2^44 units), and a round has at most 1,000
steps: below 2^62 in all.

Not even the last bit of a row's gradient may depend on the others, or a neighbour could move it
across a grid line. The gradient function promises that: those of :mod:`securefl.learning.dpsgd`
compute every product exactly, so that a row's gradient is the same in whatever batch it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from securefl.errors import DataError, RoundError
from securefl.learning.clipping import Factors, clipped_sum, clipped_sum_of_factors
from securefl.learning.strategies import strategy_of
from securefl.learning.strategies.strategy import NoisedSum, OwnRound
from securefl.privacy.noise import IntegerGaussian, RandomBytes, poisson_sample, stochastic_quotient
from securefl.study.noise_shares import noise_shares
from securefl.study.training import training_of
from securefl.study.wire import GRID, limit_of, wire_of
from securefl.types import FloatArray

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.learning.stages.release import Release
    from securefl.learning.strategies.strategy import Strategy
    from securefl.study.schema import Template
    from securefl.types import BoolArray, IntArray

#: (theta float64[p], x float64[m, d], y float64[m]) -> gradients of each row's own loss, float64[m,
#: p]; to the last bit the same for a row whatever the other rows are.
GradientFunction = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
#: The same by layers, as :class:`Factors`: what a gradient function may offer as its ``factors``.
FactorFunction = Callable[[FloatArray, FloatArray, FloatArray], list[Factors]]
#: Gradients held at once (numbers).
_BLOCK_NUMBERS = 1 << 18
_LEAST_ROWS = 64
_MOST_ROWS = 4096


class Draws(Protocol):
    """Source of a hospital's randomness: :class:`RandomDraws`, except in tests."""

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """bool[n], each true with probability ``rate``, independently."""

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """int64[count] of integer Gaussian noise with standard deviation ``sigma`` (grid units)."""

    def quotient(self, values: IntArray, step: int) -> IntArray:
        """int64 ``values`` in steps, rounded up or down by lot, exactly right on average."""


class RandomDraws:
    """The draws of a real run: samplers of :mod:`securefl.privacy.noise` on one source of random
    bytes.
    """

    def __init__(self, source: RandomBytes) -> None:
        self._source = source
        self._samplers: dict[Decimal, IntegerGaussian] = {}

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """See :class:`Draws`."""
        return poisson_sample(n, rate, self._source)

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """See :class:`Draws`; raises ``StudyError`` below 2 grid units."""
        if sigma not in self._samplers:
            self._samplers[sigma] = IntegerGaussian(sigma, self._source)
        return self._samplers[sigma].draw(count)

    def quotient(self, values: IntArray, step: int) -> IntArray:
        """See :class:`Draws`."""
        return stochastic_quotient(values, step, self._source)


@dataclass(frozen=True)
class StepRule:
    """The public constants of a step. None of them may come from the data.

    Attributes:
        clip_norm: L2 bound of one patient's gradient.
        noise_multiplier: standard deviation of the noise that the hospital adds, in clip norms.
        wire_step: grid units to one step of the wire.
        wire_largest: the largest value of a field of the wire, in steps.
        sample_rate: chance of each patient to be in a batch.
        local_steps: noised steps per round.
        strategy: how a noised step moves the hospital's weights.
        share: expected number of this hospital's patients in a batch (normaliser · weight).
        grid: integer units per clip norm: :data:`securefl.study.wire.GRID`, except in tests.
        limit: largest value of a step's sum before noise, in grid units; None where nothing limits
            it.
    """

    clip_norm: float
    noise_multiplier: Decimal
    wire_step: int
    wire_largest: int
    sample_rate: Fraction
    local_steps: int
    strategy: Strategy
    share: float
    grid: int = GRID
    limit: int | None = None

    @classmethod
    def from_study(
        cls,
        study: Template,
        weight: Fraction,
        steps: int | None = None,
    ) -> Self:
        """The rule for the hospital with this weight, which takes so many local steps: those of the
        study if none are said.
        """
        wire = wire_of(study)
        train = training_of(study)
        return cls(
            clip_norm=float(train.clip_norm),
            noise_multiplier=noise_shares(study).each(train.noise_multiplier),
            wire_step=wire.step,
            wire_largest=wire.largest,
            sample_rate=train.sample_rate,
            local_steps=train.local_steps if steps is None else steps,
            strategy=strategy_of(train),
            share=float(Fraction(train.normaliser) * weight),
            limit=limit_of(study),
        )

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise of one step, in grid units."""
        return self.noise_multiplier * self.grid


class PrivateSteps:
    """Noised training on one hospital's rows.

    Args:
        rule: public constants.
        gradients: per-row gradients; for a real run those of the study's family.
        x: float32[n, d], finite.
        y: the task's targets, finite numbers[n].
        draws: randomness; nothing else in this class draws any.
        units: int64[n], the unit of privacy (patient) that each row belongs to, 0, 1, 2, ... with a
            unit's rows together; without it every row is a unit of its own. A unit is drawn as a
            whole and clipped as a whole.

    Raises:
        DataError: x and y do not fit together or x holds a value that is not finite.
    """

    def __init__(
        self,
        rule: StepRule,
        gradients: GradientFunction,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[np.number[Any]],
        draws: Draws,
        *,
        units: IntArray | None = None,
    ) -> None:
        if (
            x.ndim != 2
            or y.shape != (len(x),)
            or not np.isfinite(x).all()
            or not np.isfinite(y).all()
        ):
            raise DataError(
                "the prepared rows are not finite numbers with a target each.",
                next_step=(
                    "Report this: securefl.learning.features should have set such rows aside."
                ),
            )
        first, counts = _stretches(np.arange(len(x)) if units is None else units, len(x))
        self._first = first
        self._counts = counts
        self._rule = rule
        self._gradients = gradients
        self._factors: FactorFunction | None = getattr(gradients, "factors", None)
        self._x = x.astype(np.float64)
        self._y = y.astype(np.float64)
        self._draws = draws
        #: How many values of the last update were cut: to the largest of a field, or to the limit
        #: before the noise.
        self.clamped = 0
        self._before: OwnRound | None = None

    def answer(self, release: Release, public: FloatArray) -> IntArray:  # noqa: ARG002 - one kind
        """See :class:`securefl.learning.stages.stage.Local`."""
        return self.update(public)

    def update(self, given: FloatArray) -> IntArray:
        """This hospital's contribution to one round: int64[s], what the strategy makes of
        :meth:`noised_steps`, as the wire carries it, in its steps.

        Raises:
            RoundError: what was broadcast is not a finite vector.
        """
        rule = self._rule
        self.clamped = 0
        own = NoisedSum(
            self.noised_steps(given),
            rule.grid * rule.share,
            rule.local_steps,
            float(rule.sigma) * math.sqrt(rule.local_steps),
        )
        steps = self._draws.quotient(rule.strategy.contribution(own), rule.wire_step)
        most = rule.wire_largest
        cut: IntArray = np.clip(steps, -most, most)
        self.clamped += int(np.count_nonzero(cut != steps))
        return cut

    def noised_steps(self, given: FloatArray) -> IntArray:
        """The sum of a round's ``local_steps`` noised steps, int64[p] in grid units.

        Args:
            given: float64[b], what was broadcast: the global model, and what else the strategy
                says.

        Raises:
            RoundError: it is not a finite vector.
        """
        if given.ndim != 1 or not np.isfinite(given).all():
            raise RoundError(
                "the global model is not a vector of finite numbers.",
                whose="the coordinator",
                next_step="Ask the coordinator to lower the learning rate; that is a new study.",
            )
        rule = self._rule
        unit = rule.grid * rule.share
        local = rule.strategy.weights(given.astype(np.float64))
        total = np.zeros(local.shape, dtype=np.int64)
        for _ in range(rule.local_steps):
            step = self._limited(self._batch_sum(local))
            step += self._draws.gaussian(rule.sigma, local.size)
            total += step
            local = rule.strategy.local_step(local, step, unit, given, self._before)
        if rule.strategy.remembers:
            self._before = OwnRound(given, total, unit)
        return total

    def _limited(self, total: IntArray) -> IntArray:
        """A step's sum with each number cut to the limit, where the rule has one."""
        limit = self._rule.limit
        if limit is None:
            return total
        within: IntArray = np.clip(total, -limit, limit)
        self.clamped += int(np.count_nonzero(within != total))
        return within

    def _batch_sum(self, theta: FloatArray) -> IntArray:
        """The un-noised sum of one batch; never leaves this object."""
        drawn = np.flatnonzero(self._draws.poisson_sample(len(self._first), self._rule.sample_rate))
        total = np.zeros(theta.shape, dtype=np.int64)
        several = self._counts[drawn] > 1
        single = self._first[drawn[~several]]
        size = block_rows(theta.size)
        for i in range(0, len(single), _MOST_ROWS if self._factors else size):
            total += self._of_single(theta, single[i : i + (_MOST_ROWS if self._factors else size)])
        together = drawn[several]
        size = max(1, size // int(self._counts.max(initial=1)))
        for i in range(0, len(together), size):
            total += self._clipped(self._of_units(theta, together[i : i + size]))
        return total

    def _clipped(self, gradients: FloatArray) -> IntArray:
        return clipped_sum(gradients, self._rule.clip_norm, self._rule.grid)

    def _of_single(self, theta: FloatArray, rows: IntArray) -> IntArray:
        """The sum of the clipped gradients of ``rows``; from their factors where the gradient
        function knows them.
        """
        if self._factors is None:
            return self._clipped(self._of_rows(theta, rows))
        return clipped_sum_of_factors(
            self._factors(theta, self._x[rows], self._y[rows]),
            self._rule.clip_norm,
            self._rule.grid,
        )

    def _of_rows(self, theta: FloatArray, rows: IntArray) -> FloatArray:
        return self._gradients(theta, self._x[rows], self._y[rows])

    def _of_units(self, theta: FloatArray, units: IntArray) -> FloatArray:
        """The sum of each unit's gradients, float64[units, p], added row by row in the unit's own
        order.
        """
        counts = self._counts[units]
        rows = np.concatenate(
            [np.arange(f, f + c) for f, c in zip(self._first[units], counts, strict=True)]
        )
        gradients = self._of_rows(theta, rows)
        starts = np.cumsum(counts) - counts
        sums = np.zeros((len(units), theta.size))
        for k in range(int(counts.max())):
            have = counts > k
            sums[have] += gradients[starts[have] + k]
        return sums


def _stretches(units: IntArray, rows: int) -> tuple[IntArray, IntArray]:
    """(first row, number of rows) of each unit; refuses units that do not stand together in the
    order 0, 1, 2, ...
    """
    steps = np.diff(units, prepend=-1)
    if len(units) != rows or not np.isin(steps, (0, 1)).all():
        raise DataError(
            "the rows of a patient do not stand together.",
            next_step="Report this: securefl.learning.features should have put them so.",
        )
    first = np.flatnonzero(steps)
    return first, np.diff(first, append=rows)


def block_rows(parameters: int) -> int:
    """Rows per call of the gradient function: fixed by the model's size alone, a multiple of 64 up
    to 4,096, about 2 MB of gradients: they are clipped while the processor still has them at hand.
    """
    rows = _BLOCK_NUMBERS // max(parameters, 1)
    return max(_LEAST_ROWS, min(_MOST_ROWS, rows - rows % _LEAST_ROWS))
