"""The additive family: a curve for each number, a step for each level (Hastie and Tibshirani 1986).

A number's range is public, and so are B even knots on it. A value gives the two knots beside it
weights that add up to 1 (overlapping hats), so the curve is drawn straight between knots, and a
record's gradient is hardly longer than that of a linear model. Where the column may be missing and
is, all its knots are 0 and its flag says so. A score is linear in these weights: the same step, clip
and charge, with a few numbers more.

The knots' weights can be smoothed with their neighbours before they make a score; it is a public
matrix, so the noise of neighbours is averaged, and it costs no privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field

from securefl.learning.encoding import column_features
from securefl.learning.families.contributions import told_contributions
from securefl.learning.families.family import Family
from securefl.learning.families.layers import Layers
from securefl.learning.families.linear import closed_gradients
from securefl.learning.portable.program import beside
from securefl.learning.summing import sum_in_order
from securefl.study.columns import NumericColumn
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from securefl.learning.portable.program import Value
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.columns import Column
    from securefl.types import FloatArray


class AdditiveSpec(ModelSpec):
    """An additive model: ``knots`` of each number's curve, ``smoothing`` times averaged with their
    neighbours.
    """

    kind: Literal["additive"]
    knots: Annotated[int, Field(ge=2, le=64)] = 12
    smoothing: Annotated[int, Field(ge=0, le=4)] = 0


@dataclass(frozen=True)
class Place:
    """Features of one column.

    Attributes:
        first: place of its first feature.
        many: how many there are, the flag left out.
        flag: place of the flag "not recorded"; None where it is never missing.
        number: whether it is a number and has a curve.
    """

    first: int
    many: int
    flag: int | None
    number: bool

    @property
    def end(self) -> int:
        """Place after its last feature, the flag left out."""
        return self.first + self.many


class Additive(Family):
    """A curve for each number and score, a weight for each other feature, a bias for each score."""

    Section = AdditiveSpec

    def __init__(
        self,
        section: AdditiveSpec,
        inputs: int,
        outputs: int,
        places: Sequence[Place] = (),
    ) -> None:
        self._knots = section.knots
        self._mixing = _mixing(section.knots, section.smoothing)
        self._places = tuple(places) or tuple(
            Place(first, 1, None, number=True) for first in range(inputs)
        )
        width = sum(self._width(place) for place in self._places)
        self._layer = Layers((), width, outputs)
        self._outputs = outputs

    @classmethod
    def of(
        cls,
        section: AdditiveSpec,
        columns: Sequence[Column],
        outputs: int,
    ) -> Self:
        """See :class:`Family`: numbers are told from other columns."""
        places = places_of(columns)
        inputs = sum(len(column_features(column)) for column in columns)
        return cls(section, inputs, outputs, places)

    @property
    def parameters(self) -> int:
        """Knots, other features and biases."""
        return self._layer.parameters

    def initial_weights(self, seed: str) -> FloatArray:
        """Zeros."""
        return self._layer.initial_weights(seed)

    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """Sum of the curves' heights, weights and bias, in a fixed order."""
        return self._layer.scores(theta, self.spread(x))

    def portable(self, theta: FloatArray, features: Value) -> Value:
        """One layer in the spread features."""
        parts = []
        for place in self._places:
            block = features.columns(place.first, place.many)
            if place.number:
                block = self._portable_hats(block)
            if place.flag is not None:
                flag = features.columns(place.flag)
                block = beside([block * (flag * -1.0 + 1.0), flag])
            parts.append(block)
        return self._layer.portable(theta, beside(parts))

    def gradients(self, task: Task) -> GradientFunction:
        """In closed form, as a linear model's in the spread features."""
        linear = closed_gradients(task)

        def gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
            return linear(theta, self.spread(x), y)

        return gradients

    def rescaled(self, theta: FloatArray, scale: float, shift: FloatArray) -> FloatArray:
        """Curves and biases carry both."""
        return self._layer.rescaled(theta, scale, shift)

    def tensors(self, theta: FloatArray) -> dict[str, FloatArray]:
        """As those of one layer, in the spread features."""
        return self._layer.tensors(theta)

    def from_tensors(self, tensors: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`tensors`; raises as the base class."""
        return self._layer.from_tensors(tensors)

    def words(self, task: Task) -> str:
        """A regression with curves."""
        return f"an additive {task.regression} with a curve of {self._knots} points for each number"

    def spread(self, x: FloatArray) -> FloatArray:
        """Features [m, d] as what the score is linear in, float64[m, w]. Each value follows from its
        own row by single operations, so no other row can change its last bit.
        """
        parts = []
        for place in self._places:
            block = x[:, place.first : place.end].astype(np.float64)
            if place.number:
                block = self._hats(block[:, 0])
            if place.flag is not None:
                flag = x[:, place.flag].astype(np.float64)[:, None]
                block = np.hstack([block * (1.0 - flag), flag])
            parts.append(block)
        return np.hstack(parts)

    def curves(self, theta: FloatArray) -> list[FloatArray]:
        """Heights of each number's curve at its knots, float64[outputs, B] each, in the order of
        the columns; each is moved so that its mean over the knots is 0.
        """
        heights = [self._heights(part) for place, part in self._parts(theta) if place.number]
        return [height - _mean(height) for height in heights]

    def curve(self, theta: FloatArray, column: int) -> FloatArray | None:
        """See :class:`Family`: every number has one."""
        place, part = list(self._parts(theta))[column]
        if not place.number:
            return None
        return self._heights(part)

    def with_curve(
        self,
        theta: FloatArray,
        column: int,
        heights: FloatArray,
    ) -> FloatArray:
        """See :class:`Family`: with smoothing, the weights that smooth to these heights."""
        tensors = {name: value.copy() for name, value in self._layer.tensors(theta).items()}
        first = sum(self._width(place) for place in self._places[:column])
        weights = np.linalg.solve(self._mixing, heights.T).T
        tensors["layers.0.weight"][:, first : first + self._knots] = weights
        return self._layer.from_tensors(tensors)

    def contributions(
        self,
        theta: FloatArray,
        columns: Sequence[Column],
        task: Task,
    ) -> Told:
        """See :class:`Family`: curves of numbers, and a table of all other features."""
        names = task.score_names
        if len(names) != self._outputs:
            names = ("adds",)
        return told_contributions(names, columns, self.curves(theta), self._steps(theta))

    def _steps(self, theta: FloatArray) -> list[FloatArray]:
        """Weights of each column's other features, float64[outputs, m] each: levels, then the flag.

        The flag of a number stands against the mean of its curve, from which the curve is drawn.
        """
        found = []
        for place, part in self._parts(theta):
            if not place.number:
                found.append(part)
                continue
            found.append(part[:, self._knots :] - _mean(self._heights(part)))
        return found

    def _heights(self, part: FloatArray) -> FloatArray:
        """Heights of a number's curve at its knots, float64[outputs, B], added in a fixed order:
        every hospital writes them into the model's card and compares.
        """
        return sum_in_order(part[:, None, : self._knots] * self._mixing[None])

    def _parts(self, theta: FloatArray) -> Iterator[tuple[Place, FloatArray]]:
        """Each column's weights, float64[outputs, m]."""
        weights = self._layer.tensors(theta)["layers.0.weight"]
        at = 0
        for place in self._places:
            width = self._width(place)
            yield place, weights[:, at : at + width]
            at += width

    def _width(self, place: Place) -> int:
        many = place.many
        if place.number:
            many = self._knots
        return many + (place.flag is not None)

    def _hats(self, values: FloatArray) -> FloatArray:
        """Weights of the knots for values in [-1, 1], float64[m, B]; they add up to 1."""
        at = (np.clip(values, -1.0, 1.0) + 1.0) / 2.0 * (self._knots - 1)
        hats = np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(self._knots)))
        # at most two hats are not 0, so each mixed one is a sum of single products in a fixed order
        mixed = np.zeros_like(hats)
        for knot in range(self._knots):
            mixed += hats[:, knot : knot + 1] * self._mixing[knot]
        return mixed

    def _portable_hats(self, values: Value) -> Value:
        """As :meth:`_hats`."""
        at = (values.clip(-1.0, 1.0) + 1.0) * ((self._knots - 1) / 2.0)
        knots = values.program.constant(np.arange(self._knots))
        hats = ((at - knots).abs() * -1.0 + 1.0).maximum(0.0)
        return hats.affine(self._mixing.T, np.zeros(self._knots))


def places_of(columns: Sequence[Column]) -> tuple[Place, ...]:
    """Where each column's features stand."""
    found = []
    first = 0
    for column in columns:
        many = len(column_features(column))
        flagged = column.missing == "flag"
        flag = first + many - 1 if flagged else None
        number = isinstance(column, NumericColumn)
        found.append(Place(first, many - flagged, flag, number=number))
        first += many
    return tuple(found)


def _mean(heights: FloatArray) -> FloatArray:
    """Mean height of each curve, float64[outputs, 1]."""
    found: FloatArray = sum_in_order(heights.copy())[:, None] / heights.shape[1]
    return found


def _mixing(knots: int, times: int) -> FloatArray:
    """The matrix that averages each knot with its neighbours, 1/4, 1/2, 1/4, so many times; an end
    counts for the neighbour that it lacks.
    """
    once = np.eye(knots) / 2
    for knot in range(knots):
        for near in (knot - 1, knot + 1):
            once[knot, min(max(near, 0), knots - 1)] += 0.25
    return np.linalg.matrix_power(once, times)
