"""Computation of the listed operations on a block of records, and of what flows back through them.

An operation is a function of one record; here it runs on float64[m, ...], a record along axis 0
each. Weights and constants have 1 there. Numbers are handled one by one by operations that IEEE 754
defines, moved within their record, or added up as :mod:`securefl.learning.graphs.exact_operations`
does. So no record moves another, not by its last bit.

Each rule gives the result, and a function from the result's slopes to those of the inputs: a record
each, for weights too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from scipy.special import erf

from securefl.learning.graphs.exact_operations import summed
from securefl.learning.graphs.operation import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.graphs.graph import Node
    from securefl.learning.graphs.operation import Options, Shape
    from securefl.types import FloatArray

#: From the slopes of a result to those of each input.
Back: TypeAlias = Callable[[Any], "Sequence[Any]"]


class Ran(NamedTuple):
    """An operation that was run.

    Attributes:
        result: float64[m, ...].
        back: from slopes of the result, float64[m, ...], to those of each input; None where an
            input has none.
    """

    result: FloatArray
    back: Back


#: Inputs of a node: None where an optional one is missing.
Inputs: TypeAlias = "Sequence[Any]"
Rule: TypeAlias = "Callable[[Inputs, Node], Ran]"
#: From numbers to the function's values, and to what makes a new array of the derivative there.
Curve: TypeAlias = "Callable[[FloatArray, Options], tuple[FloatArray, Callable[[], FloatArray]]]"


def _whole(values: FloatArray) -> FloatArray:
    """Side by side in memory, so that functions run on whole vectors."""
    return np.ascontiguousarray(values)


def _tanh(x: FloatArray, _: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    found = np.tanh(_whole(x))

    def slope() -> FloatArray:
        square: FloatArray = found * found
        np.subtract(1.0, square, out=square)
        return square

    return found, slope


def _sigmoid(x: FloatArray, _: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    found = 0.5 * (1.0 + np.tanh(_whole(0.5 * x)))
    return found, lambda: found * (1.0 - found)


def _exp(x: FloatArray, _: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    found = np.exp(_whole(x))
    return found, found.copy


def _gelu(x: FloatArray, options: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    x = _whole(x)
    if options["approximate"] == "tanh":
        rate = math.sqrt(2 / math.pi)
        bent = np.tanh(rate * (x + 0.044715 * (x * x * x)))

        def slope() -> FloatArray:
            inner = rate * (1.0 + 3 * 0.044715 * (x * x))
            found: FloatArray = 0.5 * (1.0 + bent) + 0.5 * x * (1.0 - bent * bent) * inner
            return found
    else:
        bent = erf(x * math.sqrt(0.5))

        def slope() -> FloatArray:
            density = np.exp(-0.5 * (x * x)) / math.sqrt(2 * math.pi)
            found: FloatArray = 0.5 * (1.0 + bent) + x * density
            return found

    return 0.5 * x * (1.0 + bent), slope


def _elu(x: FloatArray, options: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    alpha = float(options["alpha"])
    power = alpha * np.exp(_whole(np.minimum(x, 0.0)))
    return np.maximum(x, 0.0) + (power - alpha), lambda: np.where(x > 0.0, 1.0, power)


def _erf(x: FloatArray, _: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    x = _whole(x)
    return erf(x), lambda: np.exp(-x * x) * (2.0 / math.sqrt(math.pi))


def _clamp(x: FloatArray, options: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    least = -math.inf if options["min"] is None else float(options["min"])
    most = math.inf if options["max"] is None else float(options["max"])
    found = np.minimum(np.maximum(x, least), most)
    return found, lambda: ((x >= least) & (x <= most)).astype(np.float64)


def _power(x: FloatArray, options: Options) -> tuple[FloatArray, Callable[[], FloatArray]]:
    exponent = float(options["exponent"])

    def slope() -> FloatArray:
        return exponent * _raised(x, exponent - 1.0)

    return _raised(x, exponent), slope


def _raised(x: FloatArray, exponent: float) -> FloatArray:
    """A power by products, quotients and roots alone: -3, -2, -3/2, ..., 3, 4."""
    found = np.ones_like(x)
    for _ in range(int(abs(exponent))):
        found = found * x
    if exponent % 1.0:
        found = found * np.sqrt(x)
    if exponent < 0:
        return 1.0 / found
    return found


def _positive(values: FloatArray) -> FloatArray:
    """Without the sign of a zero, which processors choose in their own way."""
    values += 0.0
    return values


def _one(x: FloatArray) -> Callable[[], FloatArray]:
    return lambda: np.ones_like(x)


_CURVES: Final[dict[str, Curve]] = {
    "relu": lambda x, _: (_positive(np.maximum(x, 0.0)), lambda: (x > 0.0).astype(np.float64)),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "elu": _elu,
    "leaky_relu": lambda x, o: (
        np.where(x > 0.0, x, float(o["negative_slope"]) * x),
        lambda: np.where(x > 0.0, 1.0, float(o["negative_slope"])),
    ),
    "clamp": _clamp,
    "neg": lambda x, _: (-x, lambda: -np.ones_like(x)),
    "abs": lambda x, _: (np.abs(x), lambda: np.sign(x)),
    "exp": _exp,
    "log": lambda x, _: (np.log(_whole(x)), lambda: 1.0 / x),
    "sqrt": lambda x, _: (np.sqrt(x), lambda: 0.5 / np.sqrt(x)),
    "rsqrt": lambda x, _: (1.0 / np.sqrt(x), lambda: -0.5 / (x * np.sqrt(x))),
    "reciprocal": lambda x, _: (1.0 / x, lambda: -1.0 / (x * x)),
    "sin": lambda x, _: (np.sin(_whole(x)), lambda: np.cos(_whole(x))),
    "cos": lambda x, _: (np.cos(_whole(x)), lambda: -np.sin(_whole(x))),
    "erf": _erf,
    "pow": _power,
    "add_number": lambda x, o: (x + float(o["other"]), _one(x)),
    "mul_number": lambda x, o: (
        x * float(o["other"]),
        lambda: np.full_like(x, float(o["other"])),
    ),
}


def _of_curve(inputs: Inputs, node: Node) -> Ran:
    """A function of single numbers."""
    found, slope = _CURVES[node.name](inputs[0], node.options)

    def back(slopes: FloatArray) -> list[FloatArray]:
        moved = slope()
        if len(moved) == len(slopes):
            return [np.multiply(moved, slopes, out=moved)]
        return [moved * slopes]

    return Ran(found, back)


def spread(values: FloatArray, dimensions: int) -> FloatArray:
    """With as many dimensions of a record, so that numpy repeats it as a graph does."""
    missing = dimensions + 1 - values.ndim
    return values.reshape(len(values), *(1,) * missing, *values.shape[1:])


def gathered(slopes: FloatArray, shape: Shape) -> FloatArray:
    """Slopes of what was repeated: the sum of those of all its repetitions.

    Args:
        slopes: float64[m, ...].
        shape: of one record, before it was repeated.
    """
    sides = slopes.shape[1:]
    wide = (1,) * (len(sides) - len(shape)) + tuple(shape)
    pairs = enumerate(zip(sides, wide, strict=True), 1)
    axes = [axis for axis, (whole, side) in pairs if whole != side]
    if axes:
        slopes = summed(slopes, axes)
    return slopes.reshape(len(slopes), *shape)


def _sums_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    return one + other, lambda slopes: [slopes, slopes]


def _differences_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    return one - other, lambda slopes: [slopes, -slopes]


def _products_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    return one * other, lambda slopes: [slopes * other, slopes * one]


def _quotients_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    def back(slopes: FloatArray) -> list[FloatArray]:
        first = slopes / other
        return [first, -first * (one / other)]

    return one / other, back


def _larger_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    return _positive(np.maximum(one, other)), _shares(one, other)


def _smaller_of(one: FloatArray, other: FloatArray) -> tuple[FloatArray, Back]:
    return _positive(np.minimum(one, other)), _shares(other, one)


def _shares(larger: FloatArray, smaller: FloatArray) -> Back:
    """Slopes go to the larger of two; equal ones share them."""

    def back(slopes: FloatArray) -> list[FloatArray]:
        share = 0.5 * ((larger > smaller) + 1.0 - (larger < smaller))
        return [slopes * share, slopes * (1.0 - share)]

    return back


_PAIRS: Final[dict[str, Callable[[Any, Any], tuple[FloatArray, Back]]]] = {
    "add": _sums_of,
    "sub": _differences_of,
    "mul": _products_of,
    "div": _quotients_of,
    "maximum": _larger_of,
    "minimum": _smaller_of,
}


def _of_pair(inputs: Inputs, node: Node) -> Ran:
    """Numbers of two values, one by one; the smaller is repeated."""
    dimensions = len(node.shape)
    one, other = (spread(value, dimensions) for value in inputs)
    found, back = _PAIRS[node.name](one, other)
    shapes = [value.shape[1:] for value in inputs]

    def to_both(slopes: FloatArray) -> list[FloatArray]:
        pairs = zip(back(slopes), shapes, strict=True)
        return [gathered(slope, shape) for slope, shape in pairs]

    return Ran(found, to_both)


def _axes(x: FloatArray, dims: Sequence[int]) -> tuple[int, ...]:
    """Axes of an array that are these dimensions of a record."""
    return tuple(at + 1 for at in places(dims, x.ndim - 1))


def _sum(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    axes = _axes(x, node.options["dim"])
    found = summed(x, axes).reshape(len(x), *node.shape)
    sides = x.shape[1:]
    kept = [1 if axis in axes else side for axis, side in enumerate(sides, 1)]

    def back(slopes: FloatArray) -> list[FloatArray]:
        block = len(slopes)
        return [np.broadcast_to(slopes.reshape(block, *kept), (block, *sides))]

    return Ran(found, back)


def _mean(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    many = math.prod(x.shape[axis] for axis in _axes(x, node.options["dim"]))
    whole = _sum(inputs, node)
    return Ran(whole.result / many, lambda slopes: whole.back(slopes / many))


def _amax(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    axes = _axes(x, node.options["dim"])
    found, share = largest(x, axes)

    def back(slopes: FloatArray) -> list[FloatArray]:
        return [slopes.reshape(len(slopes), *found.shape[1:]) * share()]

    return Ran(found.reshape(len(x), *node.shape), back)


def largest(
    x: FloatArray,
    axes: tuple[int, ...],
) -> tuple[FloatArray, Callable[[], FloatArray]]:
    """The largest numbers along axes, which stay with length 1, and the share of their slopes that
    each number has: equal ones share them.
    """
    found = _positive(np.max(x, axis=axes, keepdims=True))

    def share() -> FloatArray:
        equal: FloatArray = (x == found).astype(np.float64)
        equal /= summed(equal, axes)
        return equal

    return found, share


def _softmax(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    axes = _axes(x, [node.options["dim"]])
    found = np.exp(_whole(x - np.max(x, axis=axes, keepdims=True)))
    found /= summed(found, axes)

    def back(slopes: FloatArray) -> list[FloatArray]:
        moved = slopes * found
        return [moved - found * summed(moved, axes)]

    return Ran(found, back)


def _view(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    sides = x.shape[1:]
    found = x.reshape(len(x), *node.shape)
    return Ran(found, lambda slopes: [slopes.reshape(len(slopes), *sides)])


def _permute(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    order = [0, *(at % (x.ndim - 1) + 1 for at in node.options["dims"])]
    again = np.argsort(order)
    return Ran(x.transpose(order), lambda slopes: [slopes.transpose(again)])


def _expand(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    sides = x.shape[1:]
    found = np.broadcast_to(spread(x, len(node.shape)), (len(x), *node.shape))
    return Ran(found, lambda slopes: [gathered(slopes, sides)])


def _part(x: FloatArray, node: Node, cut: tuple[slice | int, ...]) -> Ran:
    """Numbers at some places; the others' slopes are 0."""
    sides = x.shape[1:]

    def back(slopes: FloatArray) -> list[FloatArray]:
        found = np.zeros((len(slopes), *sides))
        found[cut] = slopes
        return [found]

    return Ran(x[cut].reshape(len(x), *node.shape), back)


def _slice(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    options = node.options
    (axis,) = _axes(x, [options["dim"]])
    cut = slice(options["start"], options["end"], options["step"])
    return _part(x, node, (*(slice(None),) * axis, cut))


def _select(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    (axis,) = _axes(x, [node.options["dim"]])
    return _part(x, node, (*(slice(None),) * axis, int(node.options["index"])))


def _pad(inputs: Inputs, node: Node) -> Ran:
    (x,) = inputs
    pads = list(node.options["pad"])
    cut: list[slice] = [slice(None)] * x.ndim
    for place in range(len(pads) // 2):
        axis = x.ndim - 1 - place
        before = pads[2 * place]
        cut[axis] = slice(before, before + x.shape[axis])
    found = np.full((len(x), *node.shape), float(node.options["value"]))
    found[tuple(cut)] = x
    return Ran(found, lambda slopes: [slopes[tuple(cut)]])


def _cat(inputs: Inputs, node: Node) -> Ran:
    many = max(map(len, inputs))
    (axis,) = _axes(inputs[0], [node.options["dim"]])
    parts = [np.broadcast_to(one, (many, *one.shape[1:])) for one in inputs]
    ends = np.cumsum([one.shape[axis] for one in inputs])[:-1]
    return Ran(np.concatenate(parts, axis), lambda slopes: np.split(slopes, ends, axis))


#: Name → rule.
RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_CURVES, _of_curve),
    **dict.fromkeys(_PAIRS, _of_pair),
    "sum": _sum,
    "mean": _mean,
    "amax": _amax,
    "softmax": _softmax,
    "view": _view,
    "unsqueeze": _view,
    "squeeze": _view,
    "permute": _permute,
    "expand": _expand,
    "slice": _slice,
    "select": _select,
    "pad": _pad,
    "cat": _cat,
}
