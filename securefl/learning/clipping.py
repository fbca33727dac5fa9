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

from securefl.learning.summing import sum_of_squares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.types import FloatArray, IntArray


#: Numbers that are handled at a time, to stay in the processor's cache, and records at a time where
#: there are factors.
_CACHED_NUMBERS = 1 << 17
_LEAST_ROWS = 16
_MOST_ROWS = 512
#: Sums of squares outside this range are not computed directly.
_TINY, _HUGE = 1e-200, 1e200


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
        return Factors(self.activations[rows], self.backprops[rows])


def written_out(layers: Sequence[Factors]) -> FloatArray:
    """Write the gradients themselves out: float64[m, p].

    For each layer its weight (outputs x inputs, row by row), then its bias.
    """
    rows = len(layers[0].backprops)
    found = np.empty((rows, sum(_parameters(f) for f in layers)))
    at = 0
    for activations, backprops in layers:
        into = activations.shape[1]
        out = backprops.shape[1]
        weight = as_strided(
            found[:, at:],
            (rows, out, into),
            (found.strides[0], into * found.itemsize, found.itemsize),
        )
        np.multiply(backprops[:, :, None], activations[:, None, :], out=weight)
        found[:, at + into * out : at + into * out + out] = backprops
        at += into * out + out
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
    with np.errstate(over="ignore", invalid="ignore"):
        square: FloatArray = sum(
            (1.0 + sum_of_squares(f.activations)) * sum_of_squares(f.backprops) for f in layers
        )  # type: ignore[assignment]
    ordinary = (square > _TINY) & (square < _HUGE)
    rows = np.flatnonzero(ordinary)
    norm = np.sqrt(square[rows])
    scale = (np.minimum(norm / clip_norm, 1.0) * grid / norm)[:, None]
    scaled = [Factors(f.activations[rows], f.backprops[rows] * scale) for f in layers]
    total, length = _sum_of_truncated(scaled)
    for i in np.flatnonzero(length > float(grid) ** 2):  # once in very long, see within_ball
        units = np.trunc(written_out([f.of(np.array([i])) for f in scaled]))
        total += (within_ball(units.astype(np.int64), grid) - units)[0]
    for i in np.flatnonzero(~ordinary & (square != 0.0)):
        total += clip_to_grid(written_out([f.of(np.array([i])) for f in layers]), clip_norm, grid)[
            0
        ]
    return total.astype(np.int64)


def _sum_of_truncated(layers: Sequence[Factors]) -> tuple[FloatArray, FloatArray]:
    """Sum :func:`written_out`, rounded toward zero, over the records; and each record's squares.

    Both exact: whole numbers far below 2^53, which float64 adds without rounding. Records run along
    the last axis: long stretches whatever the layers' widths.
    """
    rows = len(layers[0].backprops)
    total = np.zeros(sum(_parameters(f) for f in layers))
    length = np.zeros(rows)
    size = max(
        _LEAST_ROWS, min(_MOST_ROWS, _CACHED_NUMBERS // max(f.activations.shape[1] for f in layers))
    )
    room = np.empty(0)

    def add(units: FloatArray, at: int, start: int) -> None:
        np.trunc(units, out=units)
        length[start : start + size] += np.einsum("ij,ij->j", units, units)
        total[at : at + len(units)] += np.einsum("ij->i", units)

    for start in range(0, rows, size):
        at = 0
        for f in layers:
            activations = np.ascontiguousarray(f.activations[start : start + size].T)
            backprops = f.backprops[start : start + size].T.copy()
            into, count = activations.shape
            portion = max(1, _CACHED_NUMBERS // max(into * count, 1))
            for j in range(0, len(backprops), portion):
                some = backprops[j : j + portion, None, :]
                if room.size < some.size * into:
                    room = np.empty(some.size * into)
                units = room[: some.size * into].reshape(len(some), into, count)
                np.multiply(some, activations, out=units)
                add(units.reshape(-1, count), at + j * into, start)
            at += len(backprops) * into
            add(backprops, at, start)
            at += len(backprops)
    return total, length


def _parameters(layer: Factors) -> int:
    inputs: int = layer.activations.shape[1]
    outputs: int = layer.backprops.shape[1]
    return outputs * (inputs + 1)


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
    parts = [_on_grid(gradients[i : i + size], clip_norm, grid) for i, size in _slices(gradients)]
    if not parts:
        return np.zeros(gradients.shape, dtype=np.int64)
    return np.concatenate(parts).astype(np.int64)


def clipped_sum(gradients: FloatArray, clip_norm: float, grid: int) -> IntArray:
    """The sum over the rows of :func:`clip_to_grid`, int64[p], without keeping them all."""
    total = np.zeros(gradients.shape[1])
    for i, size in _slices(gradients):
        # whole numbers far below 2^53: float64 adds them exactly
        total += _on_grid(gradients[i : i + size], clip_norm, grid).sum(axis=0)
    return total.astype(np.int64)


def _slices(gradients: FloatArray) -> Iterator[tuple[int, int]]:
    """Cut the rows into pieces that stay in the processor's cache: (start, rows).

    Every row is handled alone, so the pieces decide nothing.
    """
    rows, columns = gradients.shape
    size = max(1, _CACHED_NUMBERS // max(columns, 1))
    return ((i, size) for i in range(0, rows, size))


def _on_grid(gradients: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """:func:`clip_to_grid` in float64: whole numbers.

    Each row's sum of squares is at most grid², checked exactly.
    """
    square = sum_of_squares(gradients)
    ordinary = (square > _TINY) & (square < _HUGE)  # not so where a value is not finite
    norm = np.sqrt(np.where(ordinary, square, 1.0))
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # an infinite ratio means "clip to 1", which the minimum does
        units = gradients * (np.minimum(norm / clip_norm, 1.0) * grid / norm)[:, None]
        np.trunc(units, out=units)
    for i in np.flatnonzero(~ordinary):
        units[i] = _extraordinary(gradients[i], clip_norm, grid)
    # whole numbers whose squares add up to less than 2^53: float64 is exact here
    if (sum_of_squares(units) > float(grid) ** 2).any():
        return within_ball(units.astype(np.int64), grid).astype(np.float64)
    return units


def _extraordinary(gradient: FloatArray, clip_norm: float, grid: int) -> FloatArray:
    """One row whose squares would overflow or vanish: its largest value is divided out first.

    A row that is not finite counts as zero.
    """
    largest = float(np.abs(gradient).max(initial=0.0))
    if not np.isfinite(largest) or largest == 0.0:
        return np.zeros_like(gradient)
    direction = gradient / largest
    norm = float(np.sqrt(sum_of_squares(direction[None, :])[0]))
    with np.errstate(over="ignore"):
        length = min(norm * float(np.float64(largest) / clip_norm), 1.0)
    return np.trunc(direction / norm * (length * grid))


def within_ball(units: IntArray, grid: int) -> IntArray:
    """Shorten rows of int64[m, p] longer than ``grid``, by exact integers.

    It checks the promise of :func:`clip_to_grid`. Up to 2^20 units float64 leaves no row too long;
    this makes the bound independent of that argument.
    """
    too_long = (units * units).sum(axis=1) > grid * grid
    while too_long.any():  # each pass moves every entry of such a row toward zero, so it ends
        units = np.where(too_long[:, None], units - np.sign(units), units)
        too_long = (units * units).sum(axis=1) > grid * grid
    return units
