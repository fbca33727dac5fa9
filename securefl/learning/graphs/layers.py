"""Operations that multiply and add up: matrices, convolutions, norms of one record, pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.learning.graphs.operation import (
    INTEGER,
    INTEGERS,
    NUMBER,
    GraphFault,
    Need,
    Operation,
    Options,
    Shape,
    Shapes,
    shown,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Products(Operation):
    """A matrix times a matrix, or as many of both."""

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        del options
        one, other = inputs
        fit = len(one) == len(other) and len(one) in (2, 3) and one[:-2] == other[:-2]
        if not fit or one[-1] != other[-2]:
            raise GraphFault(f"cannot multiply {shown(inputs)}")
        return (*one[:-1], other[-1])

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """Both factors on their grids."""
        numbers = size(inputs[0]) + size(inputs[1])
        return Need(numbers, size(self.shape(inputs, options)) * inputs[0][-1])


class Convolution(Operation):
    """A convolution of one or two dimensions."""

    optional = True
    options = {  # noqa: RUF012 - read alone
        "stride": INTEGERS,
        "padding": INTEGERS,
        "dilation": INTEGERS,
        "groups": INTEGER,
    }

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        x = inputs[0]
        weight = inputs[1]
        wide = len(x) - 2
        groups = options["groups"]
        if weight is None or wide not in (1, 2) or len(weight) != len(x):
            raise GraphFault(f"slides over one or two dimensions, not {shown(inputs[:1])}")
        if not 1 <= groups <= x[1] or x[1] != weight[1] * groups or weight[0] % groups:
            raise GraphFault(f"has filters for another number of channels than {x[1]}")
        if len(inputs) > 2 and inputs[2] is not None and inputs[2] != weight[:1]:
            raise GraphFault("has another number of biases than filters")
        sides = _windows(
            x[2:],
            weight[2:],
            options,
        )
        return (x[0], weight[0], *sides)

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """Every window of the record side by side, twice: as it is, and on its grid."""
        x = inputs[0]
        weight = inputs[1]
        _, _, *sides = self.shape(inputs, options)
        windows = x[0] * size(tuple(sides))
        columns = windows * x[1] * size(weight[2:])
        return Need(2 * columns + size(weight), windows * size(weight))


class _Pool(Operation):
    """A figure of each patch."""

    options = {"kernel": INTEGERS, "stride": INTEGERS, "padding": INTEGERS}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (x,) = inputs
        if len(x) != 4 or len(options["kernel"]) != 2:
            raise GraphFault(f"slides over two dimensions, not {shown(inputs)}")
        if any(
            2 * p > k
            for p, k in zip(
                options["padding"],
                options["kernel"],
                strict=False,
            )
        ):
            raise GraphFault("has a rim of more than half a patch")
        sides = _windows(
            x[2:],
            tuple(options["kernel"]),
            {**options, "dilation": [1, 1]},
        )
        return (*x[:2], *sides)

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """Every patch side by side."""
        patch = options["kernel"][0] * options["kernel"][1]
        return Need(numbers=3 * size(self.shape(inputs, options)) * patch)


class MaxPool(_Pool):
    """The largest of each patch; the rim counts for nothing."""


class AvgPool(_Pool):
    """The mean of each patch; the rim counts as zeros."""


class GroupNorm(Operation):
    """Groups of channels, each moved to mean 0 and scaled to variance 1 within the record."""

    optional = True
    options = {"groups": INTEGER, "eps": NUMBER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        x = inputs[0]
        if len(x) < 2 or options["groups"] < 1 or x[1] % options["groups"] or not size(x):
            raise GraphFault(f"cannot divide the channels of {shown(inputs[:1])} into groups")
        if any(one not in (None, (x[1],)) for one in inputs[1:]):
            raise GraphFault("has another number of scales than channels")
        _check_eps(options["eps"])
        return x

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """The centred numbers, their squares, scales and shifts."""
        del options
        return Need(numbers=6 * size(inputs[0]))


class LayerNorm(Operation):
    """The last dimensions, moved to mean 0 and scaled to variance 1 within the record."""

    optional = True
    options = {"dimensions": INTEGER, "eps": NUMBER}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        x = inputs[0]
        many = options["dimensions"]
        if not 1 <= many <= len(x) or not size(x):
            raise GraphFault(f"has no {many} last dimensions in {shown(inputs[:1])}")
        if any(one not in (None, x[len(x) - many :]) for one in inputs[1:]):
            raise GraphFault("has scales of another shape than what it scales")
        _check_eps(options["eps"])
        return x

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """The centred numbers, their squares, scales and shifts."""
        del options
        return Need(numbers=6 * size(inputs[0]))


def _check_eps(eps: float) -> None:
    if not 1e-12 <= eps <= 1.0:
        raise GraphFault("adds less than 1e-12 or more than 1 to a variance")


def _windows(
    sides: Shape,
    kernel: Shape,
    options: Mapping[str, Any],
) -> Shape:
    """Number of windows along each side."""
    found = []
    given = [options["stride"], options["padding"], options["dilation"]]
    if any(len(one) != len(sides) for one in given):
        raise GraphFault("has options for another number of dimensions")
    for side, width, stride, rim, apart in zip(
        sides,
        kernel,
        *given,
        strict=True,
    ):
        if (
            min(
                stride,
                apart,
                width,
            )
            < 1
            or not 0 <= rim <= 64
        ):
            raise GraphFault("has a stride, a dilation or a rim that cannot be")
        reach = side + 2 * rim - apart * (width - 1) - 1
        if reach < 0:
            raise GraphFault(f"has a window of {width} on a side of {side}")
        found.append(reach // stride + 1)
    return tuple(found)
