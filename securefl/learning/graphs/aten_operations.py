"""Core ATen, as torch.export writes it, in the words of the list (:mod:`.operations`).

Each function takes an operation's arguments by name and says the list's operation, its tensors and
its options. What has no function here is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from securefl.learning.graphs.operation import GraphFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Shape of a tensor among the arguments.
    Sides = Callable[[Any], tuple[int, ...]]

#: Name to argument, defaults filled in; tensors are whatever the caller numbers values by.
Arguments = dict[str, Any]


class Said(NamedTuple):
    """An operation of the list: its name, its tensors, its options."""

    name: str
    inputs: list[Any]
    options: dict[str, Any]


def translated(
    name: str,
    arguments: Arguments,
    sides: Sides,
) -> Said | None:
    """The operation of the list that one of core ATen is; None where it is not in it.

    Args:
        name: as "addmm" or "add.Tensor".
        arguments: of the call.
        sides: shape of a tensor among them.

    Raises:
        GraphFault: it is, but not with these arguments.
    """
    if name in _SINGLE:
        return Said(
            _SINGLE[name],
            [_first(arguments)],
            {},
        )
    if name in _PAIRS:
        return _pair(_PAIRS[name], arguments)
    if name in _NUMBERS:
        return _NUMBERS[name](arguments)
    if name in _SIZED:
        return _SIZED[name](arguments, sides)
    return None


def _first(arguments: Arguments) -> Any:  # noqa: ANN401 - whatever a value is numbered by
    return next(iter(arguments.values()))


def _pair(name: str, a: Arguments) -> Said:
    one = a["self"]
    other = a["other"]
    if a.get("alpha", 1) != 1 or a.get("rounding_mode") is not None:
        raise GraphFault("has a factor or a rounding beside its two tensors")
    if not isinstance(other, (int, float)):
        return Said(
            name,
            [one, other],
            {},
        )
    sign = {"add": 1, "sub": -1}
    if name in sign:
        return Said(
            "add_number",
            [one],
            {"other": sign[name] * other},
        )
    if name == "div":
        other = 1 / other
    return Said(
        "mul_number",
        [one],
        {"other": other},
    )


def _clamp(a: Arguments) -> Said:
    least = a.get("min", a.get("min_val"))
    most = a.get("max", a.get("max_val"))
    return Said(
        "clamp",
        [a["self"]],
        {"min": least, "max": most},
    )


def _elu(a: Arguments) -> Said:
    if a["scale"] == 1 and a["input_scale"] == 1:
        return Said(
            "elu",
            [a["self"]],
            {"alpha": a["alpha"]},
        )
    raise GraphFault("is a SELU or CELU; use nn.ELU")


def _convolution(a: Arguments) -> Said:
    if a["transposed"] or any(a["output_padding"]):
        raise GraphFault(
            "slides filters in the other direction; Conv1d, Conv2d and nn.Linear do not"
        )
    options = {name: list(a[name]) for name in ("stride", "padding", "dilation")}
    tensors = [a["input"], a["weight"], *_there(a["bias"])]
    return Said(
        "convolution",
        tensors,
        {**options, "groups": a["groups"]},
    )


def _group_norm(a: Arguments) -> Said:
    options = {"groups": a["group"], "eps": a["eps"]}
    return Said(
        "group_norm",
        [a["input"], a["weight"], a["bias"]],
        options,
    )


def _layer_norm(a: Arguments) -> Said:
    options = {"dimensions": len(a["normalized_shape"]), "eps": a["eps"]}
    return Said(
        "layer_norm",
        [a["input"], a["weight"], a["bias"]],
        options,
    )


def _softmax(a: Arguments) -> Said:
    return Said(
        "softmax",
        [a["self"]],
        {"dim": a["dim"]},
    )


def _leaky(a: Arguments) -> Said:
    return Said(
        "leaky_relu",
        [a["self"]],
        {"negative_slope": a["negative_slope"]},
    )


def _gelu(a: Arguments) -> Said:
    return Said(
        "gelu",
        [a["self"]],
        {"approximate": a["approximate"]},
    )


def _power(a: Arguments) -> Said:
    return Said(
        "pow",
        [a["self"]],
        {"exponent": a["exponent"]},
    )


def _permute(a: Arguments) -> Said:
    return Said(
        "permute",
        [a["self"]],
        {"dims": list(a["dims"])},
    )


def _select(a: Arguments) -> Said:
    return Said(
        "select",
        [a["self"]],
        {"dim": a["dim"], "index": a["index"]},
    )


def _unsqueeze(a: Arguments) -> Said:
    return Said(
        "unsqueeze",
        [a["self"]],
        {"dim": a["dim"]},
    )


def _pad(a: Arguments) -> Said:
    return Said(
        "pad",
        [a["self"]],
        {"pad": list(a["pad"]), "value": a["value"]},
    )


def _squeeze(a: Arguments) -> Said:
    dims = a["dim"] if isinstance(a["dim"], (list, tuple)) else [a["dim"]]
    return Said(
        "squeeze",
        [a["self"]],
        {"dims": list(dims)},
    )


def _cat(a: Arguments) -> Said:
    return Said(
        "cat",
        list(a["tensors"]),
        {"dim": a["dim"]},
    )


def _matmul(a: Arguments) -> Said:
    return Said(
        "matmul",
        [a["self"], a["mat2"]],
        {},
    )


def _reduction(name: str) -> Callable[[Arguments], Said]:
    def said(a: Arguments) -> Said:
        options = {"dim": list(a["dim"] or []), "keepdim": int(a["keepdim"])}
        return Said(
            name,
            [a["self"]],
            options,
        )

    return said


def _view(a: Arguments, sides: Sides) -> Said:
    wanted = list(a["size"])
    if -1 in wanted:
        known = math.prod(side for side in wanted if side != -1)
        wanted[wanted.index(-1)] = math.prod(sides(a["self"])) // max(known, 1)
    return Said(
        "view",
        [a["self"]],
        {"shape": wanted},
    )


def _expand(a: Arguments, sides: Sides) -> Said:
    wanted = list(a["size"])
    own = sides(a["self"])
    behind = len(wanted) - len(own)
    filled = [own[at - behind] if side == -1 else side for at, side in enumerate(wanted)]
    return Said(
        "expand",
        [a["self"]],
        {"shape": filled},
    )


def _slice(a: Arguments, sides: Sides) -> Said:
    side = sides(a["self"])[a["dim"]]
    start, end, step = slice(
        a["start"],
        a["end"],
        a["step"],
    ).indices(side)
    options = {
        "dim": a["dim"],
        "start": start,
        "end": end,
        "step": step,
    }
    return Said(
        "slice",
        [a["self"]],
        options,
    )


def _max_pool(a: Arguments, sides: Sides) -> Said:
    del sides
    if any(one != 1 for one in a["dilation"]) or a["ceil_mode"]:
        raise GraphFault("has patches with gaps, or a part of a patch at the rim")
    return Said(
        "max_pool2d",
        [a["self"]],
        _patches(a),
    )


def _avg_pool(a: Arguments, sides: Sides) -> Said:
    del sides
    plain = a["count_include_pad"] or not any(a["padding"])
    if a["ceil_mode"] or a["divisor_override"] or not plain:
        raise GraphFault("divides by another number than that of a patch")
    return Said(
        "avg_pool2d",
        [a["self"]],
        _patches(a),
    )


def _patches(a: Arguments) -> dict[str, Any]:
    kernel = _two(a["kernel_size"])
    return {
        "kernel": kernel,
        "stride": _two(a["stride"]) if a["stride"] else kernel,
        "padding": _two(a["padding"]),
    }


def _two(given: Sequence[int]) -> list[int]:
    return list(given) * (2 // len(given))


def _there(value: object) -> list[Any]:
    return [] if value is None else [value]


_SINGLE: Final = {
    name: name.partition(".")[0]
    for name in (
        *(
            "relu",
            "tanh",
            "sigmoid",
            "neg",
            "abs",
            "exp",
            "log",
            "sqrt",
            "rsqrt",
            "reciprocal",
        ),
        *("sin", "cos", "erf"),
    )
}
_PAIRS: Final = {
    f"{name}.{kind}": name
    for name in (
        "add",
        "sub",
        "mul",
        "div",
    )
    for kind in ("Tensor", "Scalar")
} | {"maximum": "maximum", "minimum": "minimum"}
_NUMBERS: Final[dict[str, Callable[[Arguments], Said]]] = {
    "clamp": _clamp,
    "hardtanh": _clamp,
    "elu": _elu,
    "leaky_relu": _leaky,
    "gelu": _gelu,
    "pow.Tensor_Scalar": _power,
    "convolution": _convolution,
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "_softmax": _softmax,
    "permute": _permute,
    "select.int": _select,
    "unsqueeze": _unsqueeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "constant_pad_nd": _pad,
    "cat": _cat,
    "mm": _matmul,
    "bmm": _matmul,
    "sum.dim_IntList": _reduction("sum"),
    "mean.dim": _reduction("mean"),
    "amax": _reduction("amax"),
}
_SIZED: Final[dict[str, Callable[[Arguments, Sides], Said]]] = {
    "view": _view,
    "_unsafe_view": _view,
    "expand": _expand,
    "slice.Tensor": _slice,
    "max_pool2d_with_indices": _max_pool,
    "avg_pool2d": _avg_pool,
}
