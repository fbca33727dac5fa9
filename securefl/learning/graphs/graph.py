"""A graph as text: canonical JSON of listed operations, read within limits and sized before it runs.

The text holds no program. Values are numbered: the record's features are 0, then come the
parameters, the constants, and the results of the nodes, each of which names only values before it.
So there is no loop, and every node runs once. A value is written once and never changed.

A text is read the same way by everybody: RFC 8785 fixes its bytes, so its digest means one graph.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import rfc8785

from securefl.learning.graphs.operation import MOST_DIMENSIONS, GraphFault, Shape, size
from securefl.learning.graphs.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCHEMA: Final = "securefl-graph/1"
#: Letters of a text, its nodes, its tensors of parameters, and numbers of these and of constants.
MOST_LETTERS: Final = 128 * 1024
MOST_NODES: Final = 512
MOST_TENSORS: Final = 256
MOST_PARAMETERS: Final = 1_000_000
MOST_CONSTANTS: Final = 4096
#: Numbers that one record may need at once, and multiplications: 32 MB, and about a tenth of a
#: second.
MOST_NUMBERS: Final = 1 << 22
MOST_PRODUCTS: Final = 1 << 28
_LARGEST_CONSTANT = 1e9
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Parameter:
    """A tensor that is learnt.

    Attributes:
        name: as in ``model.py``.
        shape: of the tensor.
        start: the number that it is filled with at first; None where the numbers are drawn out of
            the study's public seed, by its shape.
    """

    name: str
    shape: Shape
    start: float | None

    @property
    def fans(self) -> tuple[int, int]:
        """Numbers that go into one of its results, and results that one number goes into."""
        window = size(self.shape[2:])
        return self.shape[1] * window, self.shape[0] * window


@dataclass(frozen=True)
class Constant:
    """A tensor that stays as it is: numbers of the study file, in rows of its shape."""

    shape: Shape
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class Node:
    """One operation of the graph.

    Attributes:
        name: of the operation.
        inputs: numbers of values before it; None where an optional one is missing.
        options: as the operation has them.
        shape: of its result, worked out here.
        layer: the module of ``model.py`` that made it, in the researcher's words.
        line: of ``model.py``; 0 where none is known.
    """

    name: str
    inputs: tuple[int | None, ...]
    options: Mapping[str, Any]
    shape: Shape
    layer: str
    line: int


@dataclass(frozen=True)
class Graph:
    """A graph that was checked.

    Attributes:
        features: d, numbers of a record.
        outputs: k, its scores.
        parameters, constants, nodes: in their order.
        output: number of the value that holds the scores.
        numbers: that one record needs at once, gradients included.
        products: multiplications that one record needs, forward.
    """

    features: int
    outputs: int
    parameters: tuple[Parameter, ...]
    constants: tuple[Constant, ...]
    nodes: tuple[Node, ...]
    output: int
    numbers: int
    products: int

    @property
    def size(self) -> int:
        """Numbers that are learnt."""
        return sum(size(one.shape) for one in self.parameters)

    def stretches(self) -> Iterator[tuple[Parameter, slice]]:
        """Each parameter with its place in the vector of all weights."""
        at = 0
        for one in self.parameters:
            yield one, slice(at, at + size(one.shape))
            at += size(one.shape)


@lru_cache(maxsize=16)
def read_graph(text: str) -> Graph:
    """Read and check a graph.

    Raises:
        GraphFault: it is not canonical, too large, or breaks a rule; in words.
    """
    if len(text) > MOST_LETTERS:
        raise GraphFault(f"has {len(text):,} letters; at most {MOST_LETTERS:,} are read")
    raw = _canonical(text)
    fields = {"schema", "features", "outputs", "parameters", "constants", "nodes", "output"}
    if not isinstance(raw, dict) or set(raw) != fields or raw["schema"] != SCHEMA:
        raise GraphFault(f"is no graph of the form {SCHEMA}")
    features = _whole(raw["features"], 1, MOST_NUMBERS, "features")
    outputs = _whole(raw["outputs"], 1, 10_000, "outputs")
    parameters, constants = _tensors(raw)
    learnt = sum(size(one.shape) for one in parameters)
    shapes: list[Shape] = [(1, features)]
    shapes += [one.shape for one in parameters]
    shapes += [one.shape for one in constants]
    sized = _Sized(shapes, learnt + features)
    nodes = tuple(
        sized.node(one)
        for one in _list(
            raw["nodes"],
            MOST_NODES,
            "nodes",
        )
    )
    output = _whole(
        raw["output"],
        0,
        len(sized.shapes) - 1,
        "output",
    )
    if sized.shapes[output] != (1, outputs):
        raise GraphFault(f"does not end in {outputs} scores of one record, as 1x{outputs}")
    return Graph(
        features,
        outputs,
        parameters,
        constants,
        nodes,
        output,
        sized.numbers,
        sized.products,
    )


def _tensors(raw: dict[str, Any]) -> tuple[tuple[Parameter, ...], tuple[Constant, ...]]:
    """Tensors that are learnt, and those that stay as they are."""
    given = _list(raw["parameters"], MOST_TENSORS, "parameters")
    parameters = tuple(map(_parameter, given))
    given = _list(raw["constants"], MOST_TENSORS, "constants")
    constants = tuple(map(_constant, given))
    if sum(len(one.numbers) for one in constants) > MOST_CONSTANTS:
        raise GraphFault(f"holds more than {MOST_CONSTANTS:,} numbers that are not learnt")
    learnt = sum(size(one.shape) for one in parameters)
    if not 1 <= learnt <= MOST_PARAMETERS:
        raise GraphFault(f"learns {learnt:,} numbers; 1 to {MOST_PARAMETERS:,} can be learnt")
    if len({one.name for one in parameters}) != len(parameters):
        raise GraphFault("gives two parameters the same name")
    return parameters, constants


def write_graph(raw: Mapping[str, Any]) -> str:
    """The canonical text of a graph's values.

    Raises:
        GraphFault: a value has no JSON.
    """
    try:
        return rfc8785.dumps(dict(raw)).decode()
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise GraphFault(f"holds a value that JSON cannot: {error}") from None


class _Sized:
    """Nodes read one after the other, with all that they need."""

    def __init__(
        self,
        shapes: Sequence[Shape],
        numbers: int,
    ) -> None:
        self.shapes = list(shapes)
        self.numbers = numbers
        self.products = 0

    def node(self, raw: object) -> Node:
        """The next node.

        Raises:
            GraphFault: it breaks a rule, or there is no room for it.
        """
        names = {"op", "inputs", "options", "layer", "line"}
        if not isinstance(raw, dict) or set(raw) != names or not isinstance(raw["options"], dict):
            raise GraphFault("holds a node of another form")
        name = str(raw["op"])
        options = raw["options"]
        layer = _words(raw["layer"], "layer")
        line = _whole(raw["line"], 0, 1_000_000, "line")
        at = f"line {line} ({layer}): " if line else ""
        operation = OPERATIONS.get(name)
        if operation is None:
            raise GraphFault(f"{at}{ascii(name)[:60]} is not on the list of operations")
        inputs = [
            self._input(one)
            for one in _list(
                raw["inputs"],
                MOST_TENSORS,
                "inputs",
            )
        ]
        given = [None if one is None else self.shapes[one] for one in inputs]
        try:
            operation.check(given, options)
            shape = _checked(operation.shape(given, options))  # type: ignore[arg-type]
            need = operation.need(given, options)  # type: ignore[arg-type]
        except (GraphFault, TypeError, IndexError) as fault:
            raise GraphFault(f"{at}the operation {name} {_why(fault)}") from None
        # forward, and as much again for the gradients
        self.numbers += 2 * (size(shape) + need.numbers)
        self.products += need.products
        if self.numbers > MOST_NUMBERS or self.products > MOST_PRODUCTS:
            raise GraphFault(
                f"{at}from the operation {name} on one record needs {self.numbers:,} numbers and"
                f" {self.products:,} multiplications; at most {MOST_NUMBERS:,} and"
                f" {MOST_PRODUCTS:,} are given"
            )
        self.shapes.append(shape)
        return Node(
            name,
            tuple(inputs),
            options,
            shape,
            layer,
            line,
        )

    def _input(self, raw: object) -> int | None:
        if raw is None:
            return None
        return _whole(
            raw,
            0,
            len(self.shapes) - 1,
            "input",
        )


def _why(fault: Exception) -> str:
    if isinstance(fault, GraphFault):
        return str(fault)
    return "has tensors or options that do not fit"


def _canonical(text: str) -> object:
    try:
        raw = json.loads(text)
        again = rfc8785.dumps(raw)
    except (ValueError, RecursionError, TypeError) as error:
        raise GraphFault(f"is no JSON ({type(error).__name__})") from None
    if again != text.encode():
        raise GraphFault("is not written in the one canonical form (RFC 8785)")
    found: object = raw
    return found


def _parameter(raw: object) -> Parameter:
    if not isinstance(raw, dict) or set(raw) != {"name", "shape", "start"}:
        raise GraphFault("holds a parameter of another form")
    shape = _shape(raw["shape"])
    name = _words(raw["name"], "name")
    start = raw["start"]
    if start == "drawn":
        if len(shape) < 2:
            raise GraphFault(f"draws {name}, which has fewer than two dimensions")
        return Parameter(
            name,
            shape,
            None,
        )
    return Parameter(
        name,
        shape,
        _number(start),
    )


def _constant(raw: object) -> Constant:
    if not isinstance(raw, dict) or set(raw) != {"shape", "numbers"}:
        raise GraphFault("holds a constant of another form")
    shape = _shape(raw["shape"])
    numbers = tuple(
        map(
            _number,
            _list(
                raw["numbers"],
                MOST_CONSTANTS,
                "numbers",
            ),
        )
    )
    if len(numbers) != size(shape):
        raise GraphFault("holds a constant whose numbers do not fit its shape")
    return Constant(shape, numbers)


def _shape(raw: object) -> Shape:
    sides = _list(
        raw,
        MOST_DIMENSIONS,
        "shape",
    )
    return _checked(
        tuple(
            _whole(
                side,
                1,
                MOST_NUMBERS,
                "shape",
            )
            for side in sides
        )
    )


def _checked(shape: Shape) -> Shape:
    if len(shape) > MOST_DIMENSIONS:
        raise GraphFault(f"makes more than {MOST_DIMENSIONS} dimensions")
    if not 1 <= size(shape) <= MOST_NUMBERS:
        raise GraphFault(f"makes {size(shape):,} numbers; 1 to {MOST_NUMBERS:,} can be")
    return shape


def _list(
    raw: object,
    most: int,
    name: str,
) -> list[Any]:
    if not isinstance(raw, list) or len(raw) > most:
        raise GraphFault(f"has {name} that are no list of at most {most:,}")
    return raw


def _whole(
    raw: object,
    least: int,
    most: int,
    name: str,
) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw <= most:
        raise GraphFault(f"has {name} that are no whole number from {least:,} to {most:,}")
    return raw


def _number(raw: object) -> float:
    if (
        isinstance(raw, (int, float))
        and not isinstance(raw, bool)
        and abs(raw) <= _LARGEST_CONSTANT
    ):
        return float(raw)
    raise GraphFault("holds something else than a number, or one beyond 1e9")


def _words(raw: object, name: str) -> str:
    if not isinstance(raw, str) or len(raw) > _LONGEST_NAME or not raw.isprintable():
        raise GraphFault(f"has a {name} that is no short line of text")
    return raw
