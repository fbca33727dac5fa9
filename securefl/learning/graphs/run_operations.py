"""Computation of each listed operation by torch, on one record's tensors.

Numbers are handled one by one by operations that IEEE 754 defines, moved, or added up exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional

from securefl.learning.graphs.exact_operations import curve, exact_sum, expand
from securefl.learning.graphs.operation import places

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.learning.graphs.exact_operations import Exact
    from securefl.learning.graphs.graph import Node
    from securefl.learning.graphs.operation import Options

    Inputs = list[Any]
    Run = Callable[[Inputs, Options, Exact], torch.Tensor]
    RunOne = Callable[[Any, Options], torch.Tensor]
    RunTwo = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    RunShaped = Callable[[Any, Sequence[int]], torch.Tensor]


def run_operation(
    node: Node,
    inputs: list[torch.Tensor | None],
    exact: Exact,
) -> torch.Tensor:
    """Result of a node.

    Args:
        node: of a checked graph.
        inputs: its values.
        exact: how products are computed.
    """
    options = node.options
    if node.name in _SINGLE:
        return _SINGLE[node.name](inputs[0], options)
    if node.name in _PAIRS:
        one, other = (expand(value, node.shape) for value in inputs if value is not None)
        return _PAIRS[node.name](one, other)
    if node.name in _SHAPED:
        return _SHAPED[node.name](inputs[0], node.shape)
    return _OTHERS[node.name](
        inputs,
        options,
        exact,
    )


def _gelu(x: torch.Tensor, options: Options) -> torch.Tensor:
    if options["approximate"] == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + curve(inner, "tanh"))
    return 0.5 * x * (1.0 + curve(x * math.sqrt(0.5), "erf"))


def _elu(x: torch.Tensor, options: Options) -> torch.Tensor:
    above = x.clamp(min=0.0)
    below = x.clamp(max=0.0)
    alpha = float(options["alpha"])
    return above + alpha * (curve(below, "exp") - 1.0)


def _power(x: torch.Tensor, options: Options) -> torch.Tensor:
    exponent = options["exponent"]
    if exponent in (0.5, -0.5):
        found = x.sqrt()
    else:
        found = x
        for _ in range(abs(int(exponent)) - 1):
            found = found * x
    if exponent < 0:
        return 1.0 / found
    return found


def _clamp(x: torch.Tensor, options: Options) -> torch.Tensor:
    if options["min"] is not None:
        x = x.clamp(min=options["min"])
    if options["max"] is not None:
        x = x.clamp(max=options["max"])
    return x


_SINGLE: Final[dict[str, RunOne]] = {
    "relu": lambda x, _: x.relu(),
    "tanh": lambda x, _: curve(x, "tanh"),
    "sigmoid": lambda x, _: 0.5 * (1.0 + curve(0.5 * x, "tanh")),
    "gelu": _gelu,
    "elu": _elu,
    "leaky_relu": lambda x, o: x.clamp(min=0.0) + o["negative_slope"] * x.clamp(max=0.0),
    "clamp": _clamp,
    "neg": lambda x, _: -x,
    "abs": lambda x, _: x.abs(),
    "exp": lambda x, _: curve(x, "exp"),
    "log": lambda x, _: curve(x, "log"),
    "sqrt": lambda x, _: x.sqrt(),
    "rsqrt": lambda x, _: 1.0 / x.sqrt(),
    "reciprocal": lambda x, _: 1.0 / x,
    "sin": lambda x, _: curve(x, "sin"),
    "cos": lambda x, _: curve(x, "cos"),
    "erf": lambda x, _: curve(x, "erf"),
    "pow": _power,
    "add_number": lambda x, o: x + float(o["other"]),
    "mul_number": lambda x, o: x * float(o["other"]),
    "permute": lambda x, o: x.permute(o["dims"]),
    "unsqueeze": lambda x, o: x.unsqueeze(o["dim"]),
    "select": lambda x, o: x.select(o["dim"], o["index"]),
    "squeeze": lambda x, o: x.squeeze(tuple(o["dims"])),
    "pad": lambda x, o: functional.pad(
        x,
        o["pad"],
        value=float(o["value"]),
    ),
}
_PAIRS: Final[dict[str, RunTwo]] = {
    "add": lambda one, other: one + other,
    "sub": lambda one, other: one - other,
    "mul": lambda one, other: one * other,
    "div": lambda one, other: one / other,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
_SHAPED: Final[dict[str, RunShaped]] = {
    "view": lambda x, shape: x.reshape(shape),
    "expand": expand,
}


def _sum(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    dims = places(options["dim"], inputs[0].dim())
    return exact_sum(
        inputs[0],
        dims,
        keepdim=bool(options["keepdim"]),
    )


def _mean(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    dims = places(options["dim"], inputs[0].dim())
    many = math.prod(int(inputs[0].shape[at]) for at in dims)
    whole = _sum(inputs, options, exact)
    return whole / many


def _amax(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    dims = places(options["dim"], inputs[0].dim())
    found: torch.Tensor = inputs[0].amax(dims, keepdim=bool(options["keepdim"]))
    return found


def _slice(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    (x,) = inputs
    at = places([options["dim"]], x.dim())[0]
    cut = slice(
        options["start"],
        options["end"],
        options["step"],
    )
    found: torch.Tensor = x[(*(slice(None),) * at, cut)]
    return found


def _cat(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    return torch.cat(inputs, options["dim"])


def _matmul(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del options
    return exact.matmul(*inputs)


def _softmax(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    (x,), dim = inputs, places([options["dim"]], inputs[0].dim())
    powers = curve(x - x.detach().amax(dim, keepdim=True), "exp")
    return powers / expand(
        exact_sum(
            powers,
            dim,
            keepdim=True,
        ),
        powers.shape,
    )


def _convolution(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    """As a product of matrices: filters, and the windows that they see, side by side."""
    x, weight, *bias = inputs
    given = [list(options[name]) for name in ("stride", "padding", "dilation")]
    if weight.dim() == 3:
        x = x.unsqueeze(2)
        weight = weight.unsqueeze(2)
        given = [[1, *given[0]], [0, *given[1]], [1, *given[2]]]
    stride, padding, dilation = given
    many = x.shape[0]
    filters = weight.shape[0]
    groups = options["groups"]
    windows = functional.unfold(
        x, tuple(weight.shape[2:]), tuple(dilation), tuple(padding), tuple(stride)
    )
    windows = windows.reshape(
        many * groups,
        -1,
        windows.shape[-1],
    )
    rows = weight.reshape(
        groups,
        filters // groups,
        -1,
    )
    rows = expand(rows, (many, *rows.shape)).reshape(
        many * groups,
        filters // groups,
        -1,
    )
    found = exact.matmul(rows, windows).reshape(
        many,
        filters,
        -1,
    )
    if bias and bias[0] is not None:
        found = found + expand(bias[0].reshape(-1, 1), found.shape)
    return found.reshape(
        many,
        filters,
        *_sides(
            x.shape[2:],
            weight.shape[2:],
            given,
            inputs[1].dim(),
        ),
    )


def _sides(
    sides: Sequence[int],
    kernel: Sequence[int],
    given: Sequence[Sequence[int]],
    dimensions: int,
) -> list[int]:
    found = [
        (side + 2 * rim - apart * (width - 1) - 1) // stride + 1
        for side, width, stride, rim, apart in zip(
            sides,
            kernel,
            *given,
            strict=True,
        )
    ]
    if dimensions == 3:
        return found[1:]
    return found


def _normalised(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Rows [n, m], each at mean 0 and variance 1."""
    many = x.shape[-1]
    centred = x - expand(
        exact_sum(
            x,
            [1],
            keepdim=True,
        )
        / many,
        x.shape,
    )
    variance = (
        exact_sum(
            centred * centred,
            [1],
            keepdim=True,
        )
        / many
    )
    return centred * expand(1.0 / (variance + eps).sqrt(), x.shape)


def _scaled(
    x: torch.Tensor,
    scales: Sequence[Any],
    shape: Sequence[int],
) -> torch.Tensor:
    """Times the first of the scales, plus the second, where there are such."""
    weight, shift, *_ = (*scales, None, None)
    if weight is not None:
        x = x * expand(weight.reshape(shape), x.shape)
    if shift is not None:
        x = x + expand(shift.reshape(shape), x.shape)
    return x


def _group_norm(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    x, *scales = inputs
    rows = x.reshape(x.shape[0] * options["groups"], -1)
    found = _normalised(rows, options["eps"]).reshape(
        x.shape[0],
        x.shape[1],
        -1,
    )
    return _scaled(
        found,
        scales,
        (-1, 1),
    ).reshape(x.shape)


def _layer_norm(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    x, *scales = inputs
    last = x.shape[x.dim() - options["dimensions"] :]
    rows = x.reshape(-1, math.prod(last))
    return _scaled(
        _normalised(rows, options["eps"]),
        scales,
        (1, -1),
    ).reshape(x.shape)


def _patches(x: torch.Tensor, options: Options) -> torch.Tensor:
    """Numbers of each patch, [n, channels, patch, patches]."""
    many, channels, *sides = x.shape
    high, wide = options["kernel"]
    if options["stride"] == options["kernel"] and sides[0] % high == sides[1] % wide == 0:
        # Patches side by side: the same numbers in another order, and no windows are copied.
        rows = x.reshape(many, channels, sides[0] // high, high, sides[1] // wide, wide)
        return rows.permute(0, 1, 3, 5, 2, 4).reshape(many, channels, high * wide, -1)
    columns = functional.unfold(
        x,
        options["kernel"],
        stride=options["stride"],
    )
    patch = math.prod(options["kernel"])
    return columns.reshape(
        x.shape[0],
        x.shape[1],
        patch,
        -1,
    )


def _padded(
    x: torch.Tensor,
    options: Options,
    value: float,
) -> tuple[torch.Tensor, list[int]]:
    high, wide = options["padding"]
    if high or wide:
        x = functional.pad(
            x,
            [
                wide,
                wide,
                high,
                high,
            ],
            value=value,
        )
    given = [options["stride"], [0, 0], [1, 1]]
    return x, _sides(
        x.shape[2:],
        options["kernel"],
        given,
        4,
    )


def _max_pool(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    x, sides = _padded(
        inputs[0],
        options,
        -math.inf,
    )
    found: torch.Tensor = _patches(x, options).amax(2)
    return found.reshape(*x.shape[:2], *sides)


def _avg_pool(
    inputs: Inputs,
    options: Options,
    exact: Exact,
) -> torch.Tensor:
    del exact
    x, sides = _padded(
        inputs[0],
        options,
        0.0,
    )
    patches = _patches(x, options)
    found = exact_sum(patches, [2]) / patches.shape[2]
    return found.reshape(*x.shape[:2], *sides)


_OTHERS: Final[dict[str, Run]] = {
    "sum": _sum,
    "mean": _mean,
    "amax": _amax,
    "slice": _slice,
    "cat": _cat,
    "matmul": _matmul,
    "softmax": _softmax,
    "convolution": _convolution,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
}
