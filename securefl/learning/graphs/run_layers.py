"""Computation of matrices, convolutions, norms and pools on a block of records, and of what flows
back through them.

As in :mod:`securefl.learning.graphs.run_operations`, a record stands along axis 0. Where scores are
asked for, products have two slices of each factor. Where gradients are, they have one, and both
factors stay on one grid for all three products of a layer: that of its results, and those of the
slopes of its inputs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from securefl.learning.graphs.exact_operations import (
    factor_bits,
    fine_product,
    on_grid,
    product,
    summed,
    turned,
)
from securefl.learning.graphs.run_operations import Ran, largest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.learning.graphs.graph import Node
    from securefl.learning.graphs.run_operations import Inputs
    from securefl.types import FloatArray

#: Which inputs' slopes are asked for; None where scores are, and nothing flows back.
Wanted: TypeAlias = "Sequence[bool] | None"
LayerRule: TypeAlias = "Callable[[Inputs, Node, Wanted], Ran]"
#: Two factors to their product, and from its slopes to those of the factors.
_Product: TypeAlias = "tuple[FloatArray, Callable[[FloatArray], list[FloatArray | None]]]"


def _factors_on_grid(
    one: FloatArray,
    other: FloatArray,
    wanted: Sequence[bool],
    bits: int,
) -> _Product:
    """Product of factors that are on grids, and what flows back."""
    found = product(one, other)
    rows = one.shape[-2]

    def back(slopes: FloatArray) -> list[FloatArray | None]:
        to_one = to_other = None
        slopes = on_grid(slopes, bits)
        if wanted[0]:
            to_one = product(slopes, turned(other))
        if wanted[1] and rows == 1:
            # One row: nothing is added up. Columns first in memory, as layers hold their weights.
            to_other = turned(turned(slopes) * one)
        elif wanted[1]:
            to_other = product(turned(one), slopes)
        return [to_one, to_other]

    return found, back


def _matmul(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    del node
    one, other = inputs
    if wanted is None:
        return Ran(fine_product(one, other), _nothing)
    bits = factor_bits(*one.shape[-2:], other.shape[-1])
    return Ran(*_factors_on_grid(on_grid(one, bits), on_grid(other, bits), wanted, bits))


def _nothing(_: FloatArray) -> list[FloatArray | None]:
    """Where scores are asked for, nothing flows back."""
    return []


class _Slide(NamedTuple):
    """A window that slides over two dimensions; two numbers each.

    Attributes:
        kernel: sides of the window.
        stride: steps from one window to the next.
        padding: a rim around what it slides over.
        dilation: steps from one number of a window to the next.
        sides: windows along each dimension.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    sides: tuple[int, int]

    @property
    def size(self) -> int:
        """Numbers of a window."""
        return math.prod(self.kernel)

    def windows(self, x: FloatArray, rim: float = 0.0) -> FloatArray:
        """Windows side by side: float64[..., channels, size, windows] of float64[..., channels,
        height, width].
        """
        x = self._padded(x, rim)
        *before, high, wide = x.strides
        shape = (*x.shape[:-2], *self.kernel, *self.sides)
        strides = (
            *before,
            high * self.dilation[0],
            wide * self.dilation[1],
            high * self.stride[0],
            wide * self.stride[1],
        )
        seen = as_strided(x, shape, strides, writeable=False)
        return seen.reshape(*x.shape[:-2], self.size, -1)

    def folded(self, slopes: FloatArray, high: int, wide: int) -> FloatArray:
        """Slopes of what the windows were cut of: float64[..., channels, height, width]."""
        rows, columns = self.padding
        before = slopes.shape[:-2]
        slopes = slopes.reshape(*before, *self.kernel, *self.sides)
        found = np.zeros((*before, high + 2 * rows, wide + 2 * columns))
        for row in range(self.kernel[0]):
            down = self._places(0, row)
            for column in range(self.kernel[1]):
                across = self._places(1, column)
                found[..., down, across] += slopes[..., row, column, :, :]
        return found[..., rows : rows + high, columns : columns + wide]

    def sums(self, x: FloatArray) -> FloatArray:
        """Sum of each window: float64[..., rows, columns] of float64[..., height, width]."""
        x = self._padded(x, 0.0)
        down = x[..., self._places(0, 0), :]
        for row in range(1, self.kernel[0]):
            down = down + x[..., self._places(0, row), :]
        found = down[..., self._places(1, 0)].copy()
        for column in range(1, self.kernel[1]):
            found += down[..., self._places(1, column)]
        return found

    def spread(self, slopes: FloatArray, high: int, wide: int) -> FloatArray:
        """Slopes of what :meth:`sums` adds up: each number has those of all its windows."""
        rows, columns = self.padding
        before = slopes.shape[:-2]
        across = np.zeros((*before, self.sides[0], wide + 2 * columns))
        for column in range(self.kernel[1]):
            across[..., self._places(1, column)] += slopes
        found = np.zeros((*before, high + 2 * rows, wide + 2 * columns))
        for row in range(self.kernel[0]):
            found[..., self._places(0, row), :] += across
        return found[..., rows : rows + high, columns : columns + wide]

    def _places(self, axis: int, number: int) -> slice:
        """Places that a number of the windows stands on, along one dimension."""
        start = number * self.dilation[axis]
        return slice(start, start + self.sides[axis] * self.stride[axis], self.stride[axis])

    def _padded(self, x: FloatArray, rim: float) -> FloatArray:
        rows, columns = self.padding
        if not rows and not columns:
            return x
        high, wide = x.shape[-2:]
        found = np.full((*x.shape[:-2], high + 2 * rows, wide + 2 * columns), rim)
        found[..., rows : rows + high, columns : columns + wide] = x
        return found


def _convolution(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    """As a product of matrices: filters, and the windows that they see, side by side."""
    x, weight, *bias = inputs
    options = node.options
    given = [list(options[name]) for name in ("stride", "padding", "dilation")]
    kernel = list(weight.shape[3:])
    sides = list(node.shape[2:])
    high = list(x.shape[3:])
    if weight.ndim == 4:
        # one dimension is the last of two
        given = [[1, *given[0]], [0, *given[1]], [1, *given[2]]]
        kernel, sides, high = [1, *kernel], [1, *sides], [1, *high]
    stride, padding, dilation = map(tuple, given)
    slide = _Slide(tuple(kernel), stride, padding, dilation, tuple(sides))  # type: ignore[arg-type]
    groups = options["groups"]
    many, channels = x.shape[1:3]
    filters = weight.shape[1]
    shapes = x.shape[1:], weight.shape[1:]
    pictures = x.reshape(len(x), many, channels, *high)
    windowed = (len(x), many, groups, -1, math.prod(sides))
    rows = weight.reshape(len(weight), 1, groups, filters // groups, -1)
    if wanted is None:
        found = fine_product(rows, slide.windows(pictures).reshape(windowed))
    else:
        bits = factor_bits(*rows.shape[-2:], windowed[-1])
        # A window holds the record's own numbers, so their grid is the windows' too.
        windows = slide.windows(on_grid(pictures, bits)).reshape(windowed)
        found, back = _factors_on_grid(on_grid(rows, bits), windows, wanted[1::-1], bits)
    found = found.reshape(-1, many, filters, math.prod(sides))
    biased = bool(bias) and bias[0] is not None
    if biased:
        found += bias[0].reshape(-1, 1, filters, 1)

    def to_inputs(slopes: FloatArray) -> list[FloatArray | None]:
        block = len(slopes)
        slopes = slopes.reshape(block, many, groups, filters // groups, -1)
        to_rows, to_windows = back(slopes)
        to_x = to_weight = to_bias = None
        if to_rows is not None:
            to_weight = summed(to_rows, [1]).reshape(block, *shapes[1])
        if to_windows is not None:
            seen = to_windows.reshape(block, many, channels, slide.size, -1)
            to_x = slide.folded(seen, *high).reshape(block, *shapes[0])
        if biased:
            by_filter = slopes.reshape(block, many, filters, -1)
            to_bias = summed(by_filter, [1, 3]).reshape(block, filters)
        return [to_x, to_weight, to_bias]

    return Ran(found.reshape(len(found), *node.shape), to_inputs)


def _normalised(rows: FloatArray, eps: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rows along the last axis at mean 0 and variance 1, what they were multiplied by, and room of
    the same size.
    """
    many = rows.shape[-1]
    last = [rows.ndim - 1]
    found = rows - summed(rows, last) / many
    room = found * found
    variance = summed(room, last) / many
    scale = 1.0 / np.sqrt(variance + eps)
    found *= scale
    return found, scale, room


def _before_norm(
    slopes: FloatArray,
    normal: FloatArray,
    scale: FloatArray,
    sums: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Slopes of a norm's rows.

    Args:
        slopes: of the normalised rows; used up.
        normal: the normalised rows.
        scale: their factor, as :func:`_normalised` gives it.
        sums: of each row's slopes, and of its slopes times the normalised row.
    """
    many = normal.shape[-1]
    slopes -= sums[0] / many
    slopes -= normal * (sums[1] / many)
    slopes *= scale
    return slopes


def _scaled(
    normal: FloatArray,
    room: FloatArray,
    scales: FloatArray | None,
    shifts: FloatArray | None,
) -> FloatArray:
    """Normalised numbers times the scales, plus the shifts, where there are such."""
    if scales is None and shifts is None:
        return normal
    if scales is None or len(scales) > len(normal):
        room = normal * (1.0 if scales is None else scales)
    else:
        np.multiply(normal, scales, out=room)
    if shifts is not None:
        room = room + shifts if len(shifts) > len(room) else np.add(room, shifts, out=room)
    return room


def _group_norm(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    del wanted
    x, weight, shift = (*inputs, None, None)[:3]
    sides = x.shape[1:]
    many, channels = sides[:2]
    groups = node.options["groups"]
    normal, scale, room = _normalised(x.reshape(len(x), many, groups, -1), node.options["eps"])
    by_channel = (-1, many, channels, math.prod(sides[2:]))
    of_channels = (-1, 1, channels, 1)
    scales = None if weight is None else weight.reshape(of_channels)
    shifts = None if shift is None else shift.reshape(of_channels)
    seen = normal.reshape(by_channel)
    found = _scaled(seen, room.reshape(by_channel), scales, shifts)

    def back(slopes: FloatArray) -> list[FloatArray | None]:
        block = len(slopes)
        slopes = slopes.reshape(by_channel)
        first = summed(slopes, [3])
        room = slopes * seen
        second = summed(room, [3])
        to_shift = summed(first, [1]).reshape(block, channels)
        to_weight = summed(second, [1]).reshape(block, channels)
        if scales is None:
            room[...] = slopes
        else:
            # A group's sums follow from those of its channels.
            first, second = first * scales, second * scales
            np.multiply(slopes, scales, out=room)
        of_groups = (block, many, groups, -1)
        first = summed(first.reshape(of_groups), [3])
        second = summed(second.reshape(of_groups), [3])
        to_x = _before_norm(room.reshape(of_groups), normal, scale, (first, second))
        return [to_x.reshape(block, *sides), to_weight, to_shift]

    return Ran(found.reshape(len(found), *sides), back)


def _layer_norm(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    del wanted
    x, weight, shift = (*inputs, None, None)[:3]
    sides = x.shape[1:]
    last = sides[len(sides) - node.options["dimensions"] :]
    rows = (-1, math.prod(sides) // math.prod(last), math.prod(last))
    normal, scale, room = _normalised(x.reshape(rows), node.options["eps"])
    scales = None if weight is None else weight.reshape(-1, 1, rows[2])
    shifts = None if shift is None else shift.reshape(-1, 1, rows[2])
    found = _scaled(normal, room, scales, shifts)

    def back(slopes: FloatArray) -> list[FloatArray | None]:
        block = len(slopes)
        slopes = slopes.reshape(rows)
        room = slopes * normal
        to_shift = summed(slopes, [1]).reshape(block, *last)
        to_weight = summed(room, [1]).reshape(block, *last)
        moved = slopes.copy() if scales is None else slopes * scales
        np.multiply(moved, normal, out=room)
        to_x = _before_norm(moved, normal, scale, (summed(moved, [2]), summed(room, [2])))
        return [to_x.reshape(block, *sides), to_weight, to_shift]

    return Ran(found.reshape(len(found), *sides), back)


def _slide_of(node: Node) -> _Slide:
    """The patches of a pool."""
    options = node.options
    return _Slide(
        tuple(options["kernel"]),
        tuple(options["stride"]),
        tuple(options["padding"]),
        (1, 1),
        (node.shape[2], node.shape[3]),
    )


def _max_pool(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    del wanted
    (x,) = inputs
    slide = _slide_of(node)
    patches = slide.windows(x, -math.inf)
    found, share = largest(patches, (3,))
    high, wide = x.shape[3:]

    def back(slopes: FloatArray) -> list[FloatArray | None]:
        moved = slopes.reshape(len(slopes), *found.shape[1:]) * share()
        return [slide.folded(moved, high, wide)]

    return Ran(found.reshape(len(x), *node.shape), back)


def _avg_pool(inputs: Inputs, node: Node, wanted: Wanted) -> Ran:
    """Sums down each column of a patch, then across: a patch is never written out."""
    del wanted
    (x,) = inputs
    slide = _slide_of(node)
    high, wide = x.shape[3:]
    found = slide.sums(x)
    found /= slide.size

    def back(slopes: FloatArray) -> list[FloatArray | None]:
        return [slide.spread(slopes / slide.size, high, wide)]

    return Ran(found, back)


#: Name → rule.
LAYER_RULES: Final[dict[str, LayerRule]] = {
    "matmul": _matmul,
    "convolution": _convolution,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
}
