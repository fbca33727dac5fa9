"""The listed operations: what a graph may do with one record.

None looks at another record, draws at random, loops, decides by a value, or changes a tensor in
place. Whatever is not here is refused at the export, with what to use instead
(:mod:`securefl.learning.graphs.refusals`).
"""

from __future__ import annotations

from typing import Final

from securefl.learning.graphs.layers import (
    AvgPool,
    Convolution,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Products,
)
from securefl.learning.graphs.moving_operations import (
    Cat,
    Expand,
    Pad,
    Permute,
    Select,
    Slice,
    Squeeze,
    Unsqueeze,
    View,
)
from securefl.learning.graphs.operation import (
    NUMBER,
    NUMBER_OR_NONE,
    GraphFault,
    Kind,
    Need,
    Operation,
    Options,
    Shape,
    Shapes,
    broadcast,
    place,
    places,
    size,
)

#: Powers that are products, quotients and roots alone.
POWERS: Final = (
    -2.0,
    -1.0,
    -0.5,
    0.5,
    1.0,
    2.0,
    3.0,
    4.0,
)


class Single(Operation):
    """Each number becomes another one.

    Args:
        name, words: as in :class:`Operation`.
        options: numbers beside it.
    """

    def __init__(self, name: str, words: str, **options: Kind) -> None:
        super().__init__(name, words)
        self.options = options  # type: ignore[misc]  # each has its own

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        if self.name == "pow" and options["exponent"] not in POWERS:
            raise GraphFault("has another exponent than -2, -1, -1/2, 1/2, 1, 2, 3, 4")
        return inputs[0]


class Pair(Operation):
    """Numbers of two tensors, one by one; the smaller is repeated."""

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        del options
        return broadcast(*inputs)

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """Both repeated."""
        return Need(numbers=2 * size(self.shape(inputs, options)))


class Reduction(Operation):
    """Some dimensions become one number: sum, mean, largest."""

    options = {"dim": Kind(many=True), "keepdim": Kind()}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        (shape,) = inputs
        if options["keepdim"] not in (0, 1):
            raise GraphFault("has a keepdim that is neither 0 nor 1")
        gone = places(options["dim"], len(shape))
        if any(shape[one] == 0 for one in gone):
            raise GraphFault("reduces no numbers at all")
        if options["keepdim"]:
            return tuple(1 if at in gone else side for at, side in enumerate(shape))
        return tuple(side for at, side in enumerate(shape) if at not in gone)


class Softmax(Operation):
    """Numbers of a dimension as parts of 1."""

    options = {"dim": Kind()}  # noqa: RUF012 - read alone

    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """See :class:`Operation`."""
        place(options["dim"], len(inputs[0]))
        return inputs[0]

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """The exponentials and their sums."""
        del options
        return Need(numbers=3 * size(inputs[0]))


_ALL: Final[tuple[Operation, ...]] = (
    Single("relu", "sets what is below 0 to 0"),
    Single("tanh", "bends by tanh"),
    Single("sigmoid", "bends to between 0 and 1"),
    Single(
        "gelu",
        "bends by GELU",
        approximate=Kind(choices=("none", "tanh")),
    ),
    Single(
        "elu",
        "bends by ELU",
        alpha=NUMBER,
    ),
    Single(
        "leaky_relu",
        "lets little through below 0",
        negative_slope=NUMBER,
    ),
    Single(
        "clamp",
        "cuts at a least and a largest value",
        min=NUMBER_OR_NONE,
        max=NUMBER_OR_NONE,
    ),
    Single("neg", "turns the sign"),
    Single("abs", "drops the sign"),
    Single("exp", "takes the exponential"),
    Single("log", "takes the logarithm"),
    Single("sqrt", "takes the root"),
    Single("rsqrt", "divides 1 by the root"),
    Single("reciprocal", "divides 1 by it"),
    Single("sin", "takes the sine"),
    Single("cos", "takes the cosine"),
    Single("erf", "takes the error function"),
    Single(
        "pow",
        "raises to a power",
        exponent=NUMBER,
    ),
    Single(
        "add_number",
        "adds a number",
        other=NUMBER,
    ),
    Single(
        "mul_number",
        "multiplies by a number",
        other=NUMBER,
    ),
    Pair(
        "add",
        "adds",
        2,
    ),
    Pair(
        "sub",
        "subtracts",
        2,
    ),
    Pair(
        "mul",
        "multiplies number by number",
        2,
    ),
    Pair(
        "div",
        "divides number by number",
        2,
    ),
    Pair(
        "maximum",
        "takes the larger of two",
        2,
    ),
    Pair(
        "minimum",
        "takes the smaller of two",
        2,
    ),
    Reduction("sum", "adds up"),
    Reduction("mean", "takes the mean"),
    Reduction("amax", "takes the largest"),
    Softmax("softmax", "makes parts of 1"),
    Products(
        "matmul",
        "multiplies matrices",
        2,
    ),
    Convolution(
        "convolution",
        "slides small filters over it",
        2,
        3,
    ),
    GroupNorm(
        "group_norm",
        "brings groups of channels of the record to one scale",
        1,
        3,
    ),
    LayerNorm(
        "layer_norm",
        "brings the record's numbers to one scale",
        1,
        3,
    ),
    MaxPool("max_pool2d", "keeps the largest of each patch"),
    AvgPool("avg_pool2d", "keeps the mean of each patch"),
    View("view", "puts the same numbers into another shape"),
    Permute("permute", "changes the order of dimensions"),
    Unsqueeze("unsqueeze", "adds a dimension of 1"),
    Squeeze("squeeze", "drops a dimension of 1"),
    Expand("expand", "repeats"),
    Slice("slice", "takes a stretch"),
    Select("select", "takes one of a dimension"),
    Cat(
        "cat",
        "puts one behind the other",
        1,
        64,
    ),
    Pad("pad", "puts a rim around it"),
)
#: Name → operation.
OPERATIONS: Final[dict[str, Operation]] = {operation.name: operation for operation in _ALL}
