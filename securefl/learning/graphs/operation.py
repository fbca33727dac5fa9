"""Interface of an operation that a graph may hold: its arguments, and the shape of its result.

Shapes are worked out here, without torch, so that everybody who reads a study knows what its model
needs before anything runs. An operation takes tensors of *one record* and makes one of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

Shape = tuple[int, ...]
#: Shapes of the tensors that an operation is given, and its options by name.
Shapes = Sequence[Shape]
Options = Mapping[str, Any]
#: Dimensions of a tensor, and the largest absolute value of a number among the options.
MOST_DIMENSIONS = 6
_LARGEST_INTEGER = 1 << 31
_LARGEST_NUMBER = 1e9


class GraphFault(ValueError):  # noqa: N818 - a fault in a graph; the family's section turns it into the study's
    """Broken rule of a graph, in words."""


class Need(NamedTuple):
    """Needs of an operation beside its result.

    Attributes:
        numbers: of working memory, a record.
        products: multiplications with an addition, a record.
    """

    numbers: int = 0
    products: int = 0


class Kind(NamedTuple):
    """The kind of value of an option.

    Attributes:
        number: a number that need not be whole.
        many: a list.
        empty: None is allowed.
        choices: texts that are allowed; where there are some, nothing else is.
    """

    number: bool = False
    many: bool = False
    empty: bool = False
    choices: tuple[str, ...] = ()

    def check(
        self,
        name: str,
        value: object,
    ) -> None:
        """Refuse a value of another kind.

        Raises:
            GraphFault: it is one.
        """
        if value is None and self.empty:
            return
        if self.choices:
            if value not in self.choices:
                raise GraphFault(f"has no {name} {_shown(value)}")
            return
        items = value if self.many and isinstance(value, list) else [value]
        if self.many != isinstance(value, list) or len(items) > 2 * MOST_DIMENSIONS:
            raise GraphFault(f"has a {name} of another kind")
        for item in items:
            self._check_item(name, item)

    def _check_item(
        self,
        name: str,
        item: object,
    ) -> None:
        whole = isinstance(item, int) and not isinstance(item, bool)
        if whole and abs(int(str(item))) <= _LARGEST_INTEGER:
            return
        if self.number and isinstance(item, float) and abs(item) <= _LARGEST_NUMBER:
            return
        raise GraphFault(f"has a {name} of another kind, or out of range")


INTEGER = Kind()
INTEGERS = Kind(many=True)
NUMBER = Kind(number=True)
NUMBER_OR_NONE = Kind(number=True, empty=True)


class Operation(ABC):
    """One operation of the list.

    Attributes:
        name: that of core ATen.
        words: for owners, as "adds".
        least, most: how many tensors it takes.
        optional: whether the tensors behind the first may be missing.
        options: name to kind.
    """

    options: ClassVar[Mapping[str, Kind]] = {}
    optional: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        words: str,
        least: int = 1,
        most: int | None = None,
    ) -> None:
        self.name = name
        self.words = words
        self.least = least
        self.most = least if most is None else most

    def check(
        self,
        inputs: Sequence[Shape | None],
        options: Mapping[str, Any],
    ) -> None:
        """Refuse other arguments than this operation has.

        Raises:
            GraphFault: there are too few, too many, or some of another kind.
        """
        if not self.least <= len(inputs) <= self.most:
            raise GraphFault(f"takes {self._count()} tensors and is given {len(inputs)}")
        missing = [place for place, shape in enumerate(inputs) if shape is None]
        if missing and (not self.optional or missing[0] == 0):
            raise GraphFault("lacks a tensor")
        if set(options) != set(self.options):
            raise GraphFault(f"has the options {', '.join(self.options) or 'none'}, and no others")
        for option, kind in self.options.items():
            kind.check(option, options[option])

    @abstractmethod
    def shape(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Shape:
        """Shape of the result.

        Raises:
            GraphFault: these inputs do not fit.
        """

    def need(
        self,
        inputs: Shapes,
        options: Options,
    ) -> Need:
        """Memory and work beside the result."""
        del inputs, options
        return Need()

    def _count(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"{self.least} to {self.most}"


def size(shape: Shape) -> int:
    """Numbers of a tensor."""
    return math.prod(shape)


def broadcast(*shapes: Shape) -> Shape:
    """The shape to which all of these are repeated.

    Raises:
        GraphFault: they cannot be.

    >>> broadcast((3, 1), (4,))
    (3, 4)
    """
    width = max(map(len, shapes))
    wide = [(1,) * (width - len(shape)) + shape for shape in shapes]
    found = tuple(max(sides) if 0 not in sides else 0 for sides in zip(*wide, strict=True))
    for shape in wide:
        for side, whole in zip(
            shape,
            found,
            strict=True,
        ):
            if side not in (1, whole):
                raise GraphFault(f"cannot put together {shown(shapes)}")
    return found


def place(dimension: int, dimensions: int) -> int:
    """A dimension counted from the front.

    Raises:
        GraphFault: there is none such.
    """
    if not -dimensions <= dimension < dimensions:
        raise GraphFault(f"names dimension {dimension} of {dimensions}")
    return dimension % dimensions


def places(given: Sequence[int], dimensions: int) -> tuple[int, ...]:
    """Several dimensions, each once, counted from the front and in order; none given are all.

    Raises:
        GraphFault: one is named twice, or there is none such.
    """
    found = sorted(place(one, dimensions) for one in given)
    if len(set(found)) != len(found):
        raise GraphFault("names a dimension twice")
    if not found:
        return tuple(range(dimensions))
    return tuple(found)


def shown(shapes: Sequence[Shape]) -> str:
    """Shapes in words."""
    return " and ".join("x".join(map(str, shape)) or "one number" for shape in shapes)


def _shown(value: object) -> str:
    return ascii(value)[:40]
