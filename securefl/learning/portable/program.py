"""A model's arithmetic as a list of steps that other runtimes have, too.

A family says its scores and a task its predictions once, in these steps; each format writes them
down. All values are float64 matrices with a row for each patient, or constants of one row.

>>> program = Program()
>>> x = program.input(2)
>>> y = (x * program.constant([[1.0, 2.0]])).tanh()
>>> [step.kind for step in program.steps], y.width
(['input', 'constant', 'mul', 'tanh'], 2)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

Elementwise: TypeAlias = Literal["exp", "log", "tanh", "sigmoid", "abs", "softmax"]
Pairwise: TypeAlias = Literal["add", "sub", "mul", "div", "maximum", "minimum"]
#: Steps of one value of the same shape; softmax goes along a row.
ELEMENTWISE: Final = frozenset(get_args(Elementwise))
#: Steps of two values, of which a constant of one row stands beside every row.
PAIRWISE: Final = frozenset(get_args(Pairwise))


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        kind: an elementwise or pairwise one, ``input``, ``constant``, ``columns``, ``affine`` or
            ``concat``.
        inputs: places of earlier steps in the program.
        width: columns of its value.
        first: the first column that ``columns`` takes; ``width`` says how many.
        arrays: the value of a ``constant``; weight [out, in] and bias [out] of ``affine``.
    """

    kind: str
    inputs: tuple[int, ...]
    width: int
    first: int = 0
    arrays: tuple[FloatArray, ...] = ()


@dataclass
class Program:
    """Steps in the order in which they are computed; the last one is the result.

    Attributes:
        steps: see :class:`Step`.
    """

    steps: list[Step] = field(default_factory=list)

    def input(self, width: int) -> Value:
        """The features, [n, width]."""
        return self.add(Step("input", (), width))

    def constant(self, value: Any) -> Value:  # noqa: ANN401 - whatever numpy makes an array of
        """A matrix that is known beforehand; of one row where it stands beside each row."""
        array = np.atleast_2d(np.asarray(value, dtype=np.float64))
        return self.add(Step("constant", (), array.shape[1], arrays=(array,)))

    def add(self, step: Step) -> Value:
        """Put a step at the end."""
        self.steps.append(step)
        return Value(self, len(self.steps) - 1)


@dataclass(frozen=True)
class Value:
    """Result of a step, from which further ones are written down."""

    program: Program
    place: int

    @property
    def width(self) -> int:
        """Its columns."""
        return self.program.steps[self.place].width

    def affine(self, weight: FloatArray, bias: FloatArray) -> Value:
        """Rows times weight [out, in], plus bias [out]."""
        arrays = (np.ascontiguousarray(weight), np.ascontiguousarray(bias))
        return self.program.add(Step("affine", (self.place,), len(bias), arrays=arrays))

    def columns(self, first: int, many: int = 1) -> Value:
        """``many`` columns from ``first`` on."""
        return self.program.add(Step("columns", (self.place,), many, first=first))

    def exp(self) -> Value:
        """E to that power."""
        return self._one("exp")

    def tanh(self) -> Value:
        """Hyperbolic tangent."""
        return self._one("tanh")

    def sigmoid(self) -> Value:
        """1 / (1 + exp(-x))."""
        return self._one("sigmoid")

    def softmax(self) -> Value:
        """Exponentials of a row over their sum."""
        return self._one("softmax")

    def abs(self) -> Value:
        """Magnitude."""
        return self._one("abs")

    def clip(self, low: float, high: float) -> Value:
        """Cut to a range."""
        return self.maximum(low).minimum(high)

    def maximum(self, other: Value | float) -> Value:
        """The larger of two."""
        return self._two("maximum", other)

    def minimum(self, other: Value | float) -> Value:
        """The smaller of two."""
        return self._two("minimum", other)

    def __add__(self, other: Value | float) -> Value:
        return self._two("add", other)

    def __sub__(self, other: Value | float) -> Value:
        return self._two("sub", other)

    def __mul__(self, other: Value | float) -> Value:
        return self._two("mul", other)

    def __truediv__(self, other: Value | float) -> Value:
        return self._two("div", other)

    def _one(self, kind: Elementwise) -> Value:
        return self.program.add(Step(kind, (self.place,), self.width))

    def _two(self, kind: Pairwise, other: Value | float) -> Value:
        if not isinstance(other, Value):
            other = self.program.constant(other)
        width = max(self.width, other.width)
        return self.program.add(Step(kind, (self.place, other.place), width))


def beside(values: Sequence[Value]) -> Value:
    """Values beside one another, as one of all their columns."""
    if len(values) == 1:
        return values[0]
    places = tuple(value.place for value in values)
    width = sum(value.width for value in values)
    return values[0].program.add(Step("concat", places, width))
