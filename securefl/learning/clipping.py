"""Clipping of each record's gradient onto the integer grid, and the sum (design: "Noise").

A gradient is clipped to ``clip_norm``, put on a grid of ``grid`` units per clip norm by rounding
toward zero, and its norm is then checked in integers. Rounding toward zero matters: at 10^6
parameters and 1024 units nearest inflates the norm to 1064, toward zero never (measured).

Every record is handled by itself. What decides its integers are operations on single values, which
IEEE 754 defines to the last bit, and sums that are exact or of a fixed order
(:mod:`securefl.learning.summing`); so no record moves another's, not by its last bit, wherever the
two stand in a batch.

Gradients of linear layers need not be written out to be summed: a record's is an outer product, so
its norm is known from the two factors (Goodfellow 2015, arXiv:1510.01799), and the products are
made a cacheful at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from securefl.learning.summing import sum_in_order, sum_of_squares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.types import BoolArray, FloatArray, IntArray


#: Numbers that are handled at a time, to stay in the processor's cache.
_CACHED_NUMBERS = 1 << 17
#: Records that are handled at a time where there are factors.
_LEAST_ROWS = 16
_MOST_ROWS = 512
#: Sums of squares outside this range are not computed directly.
_TINY = 1e-200
_HUGE = 1e200


class Factors(NamedTuple):
    """Gradients of one linear layer for m records, as factors.

    For its weight the outer product of the two, for its bias the second.

    Attributes:
        activations: float64[m, inputs].
        backprops: float64[m, outputs].
    """

    activations: FloatArray
    backprops: FloatArray

    def of(self, rows: IntArray) -> Factors:
        """Those of these records."""
        return Factors(
            self.activations[rows],
            self.backprops[rows],
        )

    @property
    def parameters(self) -> int:
        """Weights and biases of the layer."""
        inputs: int = self.activations.shape[1]
        outputs: int = self.backprops.shape[1]
        return outputs * (inputs + 1)


def written_out(layers: Sequence[Factors]) -> FloatArray:
    """Write the gradients themselves out: float64[m, p].

    For each layer its weight (outputs x inputs, row by row), then its bias.
    """
    rows = len(layers[0].backprops)
    columns = sum(layer.parameters for layer in layers)
    found = np.empty((rows, columns))
    at = 0
    for layer in layers:
        activations, backprops = layer
        into = activations.shape[1]
        out = backprops.shape[1]
        # The layer's weights within each row of ``found``, seen as a matrix a record.
        weight = as_strided(
            found[:, at:],
            (rows, out, into),
            (
                found.strides[0],
                into * found.itemsize,
                found.itemsize,
            ),
        )
        np.multiply(
            backprops[:, :, None],
            activations[:, None, :],
            out=weight,
        )
        bias = at + into * out
        at += layer.parameters
        found[:, bias:at] = backprops
    return found


def clipped_sum_of_factors(
    layers: Sequence[Factors],
    clip_norm: float,
    grid: int,
) -> IntArray:
    """:func:`clipped_sum` of :func:`written_out`, without writing them out: int64[p].

    The same but for roundings of single values.

    Args:
        layers: factors whose squares add up exactly in float64, as those on the grids of
            :mod:`securefl.learning.exact` do: then a norm has no order either.
        clip_norm: L2 bound.
        grid: units per clip norm.
    """
    square = _squared_norms(layers)
    ordinary = _ordinary(square)
    rows = np.flatnonzero(ordinary)
    norm = np.sqrt(square[rows])
    scale = _scale(norm, clip_norm, grid)
    scaled = []
    for layer in layers:
        activations, backprops = layer.of(rows)
        scaled.append(Factors(activations, backprops * scale))
    total, length = _sum_of_truncated(scaled)
    # Once in very long a row is too long, see within_ball.
    for i in np.flatnonzero(length > float(grid) ** 2):
        units = np.trunc(_one_written_out(scaled, i))
        shortened = within_ball(units.astype(np.int64), grid)
        total += (shortened - units)[0]
    # A row of nothing adds nothing; whatever else is not ordinary is clipped by itself.
    for i in np.flatnonzero(~ordinary & (square != 0.0)):
        gradient = _one_written_out(layers, i)
        total += clip_to_grid(gradient, clip_norm, grid)[0]
    return total.astype(np.int64)


def _squared_norms(layers: Sequence[Factors]) -> FloatArray:
    """Each record's squared norm from its factors: float64[m]."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: FloatArray = sum(
            (1.0 + sum_of_squares(layer.activations)) * sum_of_squares(layer.backprops)
            for layer in layers
        )  # type: ignore[assignment]
    return found


def _ordinary(square: FloatArray) -> BoolArray:
    """Rows whose squares neither overflowed nor vanished; a row that is not finite is none."""
    return (square > _TINY) & (square < _HUGE)


def _scale(norm: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """Units of the grid that each row is multiplied by, to be clipped: float64[m, 1]."""
    kept = np.minimum(norm / clip_norm, 1.0)
    found: FloatArray = (kept * grid / norm)[:, None]
    return found


def _one_written_out(layers: Sequence[Factors], row: np.intp) -> FloatArray:
    """One record's gradient: float64[1, p]."""
    alone = np.array([row])
    return written_out([layer.of(alone) for layer in layers])


def _sum_of_truncated(layers: Sequence[Factors]) -> tuple[FloatArray, FloatArray]:
    """Sum :func:`written_out`, rounded toward zero, over the records; and each record's squares.

    Both exact: whole numbers far below 2^53, which float64 adds without rounding. Records run along
    the last axis: long stretches whatever the layers' widths.
    """
    rows = len(layers[0].backprops)
    total = np.zeros(sum(layer.parameters for layer in layers))
    length = np.zeros(rows)
    widest = max(layer.activations.shape[1] for layer in layers)
    size = min(_MOST_ROWS, _CACHED_NUMBERS // widest)
    size = max(_LEAST_ROWS, size)
    room = np.empty(0)

    def add(units: FloatArray, at: int, start: int) -> None:
        np.trunc(units, out=units)
        records = slice(start, start + size)
        places = slice(at, at + len(units))
        length[records] += np.einsum("ij,ij->j", units, units)
        total[places] += np.einsum("ij->i", units)

    for start in range(0, rows, size):
        at = 0
        records = slice(start, start + size)
        for layer in layers:
            activations = np.ascontiguousarray(layer.activations[records].T)
            backprops = layer.backprops[records].T.copy()
            into, count = activations.shape
            portion = max(1, _CACHED_NUMBERS // max(into * count, 1))
            for j in range(0, len(backprops), portion):
                some = backprops[j : j + portion, None, :]
                needed = some.size * into
                if room.size < needed:
                    room = np.empty(needed)
                units = room[:needed].reshape(len(some), into, count)
                np.multiply(some, activations, out=units)
                place = at + j * into
                add(units.reshape(-1, count), place, start)
            at += len(backprops) * into
            add(backprops, at, start)
            at += len(backprops)
    return total, length


def clip_to_grid(gradients: FloatArray, clip_norm: float, grid: int) -> IntArray:
    """Clip each row to L2 norm ``clip_norm``, and round toward zero to the grid.

    The grid's step is ``clip_norm`` / ``grid``.

    Args:
        gradients: float64[m, p]. A row with a value that is not finite counts as zero: it must
            neither spread nor crash.
        clip_norm: L2 bound (Abadi et al. 2016, arXiv:1607.00133).
        grid: units per clip norm.

    Returns:
        int64[m, p]; the sum of squares of each row is at most grid², checked in integers.
    """
    parts = [_on_grid(gradients[rows], clip_norm, grid) for rows in _slices(gradients)]
    if not parts:
        return np.zeros(gradients.shape, dtype=np.int64)
    return np.concatenate(parts).astype(np.int64)


def clipped_sum(gradients: FloatArray, clip_norm: float, grid: int) -> IntArray:
    """The sum over the rows of :func:`clip_to_grid`, int64[p], without keeping them all."""
    total = np.zeros(gradients.shape[1])
    room = np.empty(0)
    for rows in _slices(gradients):
        some = gradients[rows]
        if room.size < some.size:
            room = np.empty(some.size)
        units = _on_grid(some, clip_norm, grid, room[: some.size].reshape(some.shape))
        # whole numbers far below 2^53: float64 adds them exactly
        total += units.sum(axis=0)
    return total.astype(np.int64)


def _slices(gradients: FloatArray) -> Iterator[slice]:
    """Cut the rows into pieces that stay in the processor's cache.

    Every row is handled alone, so the pieces decide nothing.
    """
    rows, columns = gradients.shape
    size = max(1, _CACHED_NUMBERS // max(columns, 1))
    for start in range(0, rows, size):
        yield slice(start, start + size)


def _on_grid(
    gradients: FloatArray,
    clip_norm: float,
    grid: int,
    room: FloatArray | None = None,
) -> FloatArray:
    """:func:`clip_to_grid` in float64: whole numbers, written into ``room`` where there is one.

    Each row's sum of squares is at most grid², checked exactly.
    """
    if room is None:
        room = np.empty(gradients.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        square = sum_in_order(np.multiply(gradients, gradients, out=room))
    ordinary = _ordinary(square)
    norm = np.sqrt(np.where(ordinary, square, 1.0))
    # An infinite ratio means "clip to 1", which the minimum does.
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.multiply(gradients, _scale(norm, clip_norm, grid), out=room)
        np.trunc(units, out=units)
    for i in np.flatnonzero(~ordinary):
        units[i] = _extraordinary(gradients[i], clip_norm, grid)
    # whole numbers whose squares add up to less than 2^53: float64 is exact here, in any order
    too_long = np.einsum("ij,ij->i", units, units) > float(grid) ** 2
    if too_long.any():
        shortened = within_ball(units.astype(np.int64), grid)
        return shortened.astype(np.float64)
    return units


def _extraordinary(gradient: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """One row whose squares would overflow or vanish: its largest value is divided out first.

    A row that is not finite counts as zero.
    """
    largest = float(np.abs(gradient).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return np.zeros_like(gradient)
    direction = gradient / largest
    square = sum_of_squares(direction[None, :])[0]
    norm = float(np.sqrt(square))
    with np.errstate(over="ignore"):
        ratio = float(np.float64(largest) / clip_norm)
    length = min(norm * ratio, 1.0)
    return np.trunc(direction / norm * (length * grid))


def within_ball(units: IntArray, grid: int) -> IntArray:
    """Shorten rows of int64[m, p] longer than ``grid``, by exact integers.

    It checks the promise of :func:`clip_to_grid`. Up to 2^20 units float64 leaves no row too long;
    this makes the bound independent of that argument.
    """
    too_long = _too_long(units, grid)
    # Each pass moves every entry of such a row toward zero, so it ends.
    while too_long.any():
        shorter = units - np.sign(units)
        units = np.where(too_long[:, None], shorter, units)
        too_long = _too_long(units, grid)
    return units


def _too_long(units: IntArray, grid: int) -> BoolArray:
    """Rows of int64[m, p] whose sum of squares is above ``grid`` squared."""
    squares = (units * units).sum(axis=1)
    found: BoolArray = squares > grid * grid
    return found
