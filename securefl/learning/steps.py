"""One hospital's noised steps, on exact integers from the first clip to the last noise (design: "Noise").

A step: draw patients by Poisson sampling; each patient's gradient (the sum over that patient's rows), clipped to ``clip_norm`` and put on the integer grid
(``grid`` units per clip norm, rounded toward zero, norm checked in integers); the sum; each coordinate clamped to
``bound``; Gaussian noise on the integers. Whatever happens in a batch, an empty one included, the noise is added.

What one patient can change in the sum is that patient's own grid vector, of norm at most ``grid``: no other row, no row
count and no data-derived scale enters. Rounding toward zero matters: at 10^6 parameters and 1024 units nearest inflates
the norm to 1064, toward zero never (measured).

Not even the last bit of a row's gradient may depend on the others, or a neighbour could move it across a grid line. The
gradient function promises that: those of :mod:`securefl.learning.dpsgd` compute every product exactly, so that a row's
gradient is the same in whatever batch it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Self
from typing import Protocol as Interface

import numpy as np
import numpy.typing as npt

from securefl.errors import DataError, RoundError
from securefl.privacy.noise import IntegerGaussian, RandomBytes, poisson_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from securefl.study.schema import Protocol

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
#: (theta float64[p], x float64[m, d], y float64[m]) -> gradients of each row's own loss, float64[m, p]; to the last bit
#: the same for a row whatever the other rows are.
GradientFunction = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
#: Gradients held at once (numbers), and how many of them are clipped at a time.
_BLOCK_NUMBERS = 1 << 20
_CACHED_NUMBERS = 1 << 17
_LEAST_ROWS, _MOST_ROWS = 64, 4096
#: Sums of squares outside this range are not computed directly.
_TINY, _HUGE = 1e-200, 1e200


class Draws(Interface):
    """Where a hospital's randomness comes from: :class:`RandomDraws`, except in tests."""

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """bool[n], each true with probability ``rate``, independently."""

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """int64[count] of integer Gaussian noise with standard deviation ``sigma`` (grid units)."""


class RandomDraws:
    """The draws of a real run: samplers of :mod:`securefl.privacy.noise` on one source of random bytes."""

    def __init__(self, source: RandomBytes) -> None:
        self._source = source
        self._samplers: dict[tuple[Decimal, int], IntegerGaussian] = {}

    def poisson_sample(self, n: int, rate: Fraction) -> BoolArray:
        """See :class:`Draws`."""
        return poisson_sample(n, rate, self._source)

    def gaussian(self, sigma: Decimal, count: int) -> IntArray:
        """See :class:`Draws`; raises ``StudyError`` below 2 grid units."""
        key = (sigma, count)
        if key not in self._samplers:
            self._samplers[key] = IntegerGaussian(sigma, count, self._source)
        return self._samplers[key].draw(count)


@dataclass(frozen=True)
class StepRule:
    """The public constants of a step. None of them may come from the data.

    Attributes:
        clip_norm: L2 bound of one patient's gradient.
        grid: integer units per clip norm.
        noise_multiplier: standard deviation of the noise, in clip norms.
        bound: clamp of each coordinate of the sum, in grid units, before the noise.
        sample_rate: chance of each patient to be in a batch.
        local_steps: noised steps per round.
        local_learning_rate: of a step, in clip norms.
        share: expected number of this hospital's patients in a batch (normaliser · weight).
    """

    clip_norm: float
    grid: int
    noise_multiplier: Decimal
    bound: int
    sample_rate: Fraction
    local_steps: int
    local_learning_rate: float
    share: float

    @classmethod
    def from_study(cls, study: Protocol, weight: Fraction) -> Self:
        """The rule for the hospital with this weight."""
        return cls(
            clip_norm=float(study.privacy.clip_norm),
            grid=study.privacy.grid,
            noise_multiplier=study.privacy.noise_multiplier,
            bound=study.secagg.bound,
            sample_rate=study.privacy.sample_rate,
            local_steps=study.training.local_steps,
            local_learning_rate=float(study.training.local_learning_rate),
            share=float(Fraction(study.privacy.normaliser) * weight),
        )

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise of one step, in grid units."""
        return self.noise_multiplier * self.grid


def clip_to_grid(gradients: FloatArray, clip_norm: float, grid: int) -> IntArray:
    """Clip each row to L2 norm ``clip_norm`` and round it toward zero to multiples of clip_norm / grid.

    Args:
        gradients: float64[m, p]. A row with a value that is not finite counts as zero: it must neither spread nor crash.
        clip_norm: L2 bound (Abadi et al. 2016, arXiv:1607.00133).
        grid: units per clip norm.

    Returns:
        int64[m, p]; the sum of squares of each row is at most grid², checked in integers.
    """
    parts = [_on_grid(gradients[i : i + size], clip_norm, grid) for i, size in _slices(gradients)]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(gradients.shape, dtype=np.int64)


def clipped_sum(gradients: FloatArray, clip_norm: float, grid: int) -> IntArray:
    """The sum over the rows of :func:`clip_to_grid`, int64[p], without keeping them all."""
    total = np.zeros(gradients.shape[1])
    for i, size in _slices(gradients):
        # whole numbers far below 2^53: float64 adds them exactly
        total += _on_grid(gradients[i : i + size], clip_norm, grid).sum(axis=0)
    return total.astype(np.int64)


def _slices(gradients: FloatArray) -> Iterator[tuple[int, int]]:
    """(start, rows) of pieces that stay in the processor's cache; every row is handled alone, so the pieces decide nothing."""
    rows, columns = gradients.shape
    size = max(1, _CACHED_NUMBERS // max(columns, 1))
    return ((i, size) for i in range(0, rows, size))


def _on_grid(gradients: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """:func:`clip_to_grid` in float64: whole numbers, each row's sum of squares at most grid², checked exactly."""
    square = np.einsum("ij,ij->i", gradients, gradients)
    ordinary = (square > _TINY) & (square < _HUGE)  # not so where a value is not finite
    norm = np.sqrt(np.where(ordinary, square, 1.0))
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite ratio means "clip to 1", which the minimum does
        units = gradients * (np.minimum(norm / clip_norm, 1.0) * grid / norm)[:, None]
        np.trunc(units, out=units)
    for i in np.flatnonzero(~ordinary):
        units[i] = _extraordinary(gradients[i], clip_norm, grid)
    # whole numbers whose squares add up to less than 2^53: float64 is exact here
    if (np.einsum("ij,ij->i", units, units) > float(grid) ** 2).any():
        return within_ball(units.astype(np.int64), grid).astype(np.float64)
    return units


def _extraordinary(gradient: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """One row whose squares would overflow or vanish: its largest value is divided out first. A row that is not finite counts as zero."""
    largest = float(np.abs(gradient).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return np.zeros_like(gradient)
    direction = gradient / largest
    norm = float(np.sqrt((direction * direction).sum()))
    with np.errstate(over="ignore"):
        length = min(norm * float(np.float64(largest) / clip_norm), 1.0)
    return np.trunc(direction / norm * (length * grid))


def within_ball(units: IntArray, grid: int) -> IntArray:
    """The promise of :func:`clip_to_grid` checked in exact integers: rows of int64[m, p] longer than ``grid`` are shortened.

    Up to 2^20 units float64 leaves no row too long; this makes the bound independent of that argument.
    """
    too_long = (units * units).sum(axis=1) > grid * grid
    while too_long.any():  # each pass moves every entry of such a row toward zero, so it ends
        units = np.where(too_long[:, None], units - np.sign(units), units)
        too_long = (units * units).sum(axis=1) > grid * grid
    return units


class PrivateSteps:
    """Noised training on one hospital's rows.

    Args:
        rule: public constants.
        gradients: per-row gradients; for a real run those of :class:`securefl.learning.dpsgd.PrivateTrainer`.
        x: float32[n, d], finite.
        y: int8[n], 0 or 1.
        draws: randomness; nothing else in this class draws any.
        units: int64[n], the unit of privacy (patient) that each row belongs to, 0, 1, 2, ... with a unit's rows together;
            without it every row is a unit of its own. A unit is drawn as a whole and clipped as a whole.

    Raises:
        DataError: x and y do not fit together or x holds a value that is not finite.
    """

    def __init__(
        self,
        rule: StepRule,
        gradients: GradientFunction,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[np.integer],
        draws: Draws,
        *,
        units: IntArray | None = None,
    ) -> None:
        if x.ndim != 2 or y.shape != (len(x),) or not np.isfinite(x).all() or not np.isin(y, (0, 1)).all():
            raise DataError(
                "the prepared rows are not finite numbers with a 0/1 label each.",
                next_step="Report this: securefl.learning.features should have set such rows aside.",
            )
        first, counts = _stretches(np.arange(len(x)) if units is None else units, len(x))
        self._first, self._counts = first, counts
        self._rule = rule
        self._gradients = gradients
        self._pieces = getattr(gradients, "pieces", None)
        self._x = x.astype(np.float64)
        self._y = y.astype(np.float64)
        self._draws = draws

    def update(self, theta: FloatArray) -> IntArray:
        """This hospital's contribution to one round: int64[p], the sum of ``local_steps`` noised steps in grid units.

        Args:
            theta: float64[p], the global model.

        Raises:
            RoundError: the global model is not a finite vector.
        """
        if theta.ndim != 1 or not np.isfinite(theta).all():
            raise RoundError(
                "the global model is not a vector of finite numbers.",
                whose="the coordinator",
                next_step="Ask the coordinator to lower the learning rate; that is a new study.",
            )
        rule = self._rule
        local = theta.astype(np.float64)
        total = np.zeros(theta.shape, dtype=np.int64)
        for _ in range(rule.local_steps):
            step = self._clamped_sum(local) + self._draws.gaussian(rule.sigma, theta.size)
            total += step
            local = local - rule.local_learning_rate * step / (rule.grid * rule.share)
        return total

    def _clamped_sum(self, theta: FloatArray) -> IntArray:
        """The un-noised sum of one batch; never leaves this object."""
        drawn = np.flatnonzero(self._draws.poisson_sample(len(self._first), self._rule.sample_rate))
        total = np.zeros(theta.shape, dtype=np.int64)
        several = self._counts[drawn] > 1
        single, size = self._first[drawn[~several]], block_rows(theta.size)
        for i in range(0, len(single), _MOST_ROWS if self._pieces else size):
            for gradients in self._in_pieces(theta, single[i : i + (_MOST_ROWS if self._pieces else size)]):
                total += self._clipped(gradients)
        together, size = drawn[several], max(1, size // int(self._counts.max(initial=1)))
        for i in range(0, len(together), size):
            total += self._clipped(self._of_units(theta, together[i : i + size]))
        clamped: IntArray = np.clip(total, -self._rule.bound, self._rule.bound)
        return clamped

    def _clipped(self, gradients: FloatArray) -> IntArray:
        return clipped_sum(gradients, self._rule.clip_norm, self._rule.grid)

    def _in_pieces(self, theta: FloatArray, rows: IntArray) -> Iterator[FloatArray]:
        """The gradients of ``rows``, in pieces that stay in the cache where the gradient function can do that."""
        if self._pieces is None:
            yield self._of_rows(theta, rows)
        else:
            yield from self._pieces(theta, self._x[rows], self._y[rows], max(1, _CACHED_NUMBERS // theta.size))

    def _of_rows(self, theta: FloatArray, rows: IntArray) -> FloatArray:
        return self._gradients(theta, self._x[rows], self._y[rows])

    def _of_units(self, theta: FloatArray, units: IntArray) -> FloatArray:
        """The sum of each unit's gradients, float64[units, p], added row by row in the unit's own order."""
        counts = self._counts[units]
        rows = np.concatenate([np.arange(f, f + c) for f, c in zip(self._first[units], counts, strict=True)])
        gradients = self._of_rows(theta, rows)
        starts = np.cumsum(counts) - counts
        sums = np.zeros((len(units), theta.size))
        for k in range(int(counts.max())):
            have = counts > k
            sums[have] += gradients[starts[have] + k]
        return sums


def _stretches(units: IntArray, rows: int) -> tuple[IntArray, IntArray]:
    """(first row, number of rows) of each unit; refuses units that do not stand together in the order 0, 1, 2, ..."""
    steps = np.diff(units, prepend=-1)
    if len(units) != rows or not np.isin(steps, (0, 1)).all():
        raise DataError("the rows of a patient do not stand together.", next_step="Report this: securefl.learning.features should have put them so.")
    first = np.flatnonzero(steps)
    return first, np.diff(first, append=rows)


def block_rows(parameters: int) -> int:
    """Rows per call of the gradient function: fixed by the model's size alone, 64 to 4,096, about 8 MB of gradients or 64 rows."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, _BLOCK_NUMBERS // max(parameters, 1)))


def logistic_gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Gradients of logistic loss in closed form, (sigmoid(w·x + b) - y) · (x, 1), float64[m, d + 1].

    Equal to what Opacus computes for ``logistic-regression`` (tested); used where torch would only cost time.
    """
    from securefl.learning.models import sigmoid

    wide = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    residual = sigmoid((wide * theta).sum(axis=1)) - y
    return wide * residual[:, None]
