"""Boosted trees whose structure is public and whose leaves are learnt under noise.

The questions of all trees are drawn by a public lot (:mod:`securefl.learning.families.forest`).
Each round is one step of gradient boosting (Friedman 2001) that adds to every leaf of every tree at
once: the hospitals sum, leaf by leaf, the slopes of the loss of the rows that fall there. So no
split is chosen on data, which is what makes private trees dear; totally random trees grown in one
batch did best under privacy in Maddock et al. 2022 (arXiv:2210.02910), too.

A row falls into one leaf of each of T trees, so its gradient is its slope at T + 1 places (the last
is the common score), and its length the slope times sqrt(T + 1). A patient's rows are added up and
clipped together, as for any family. More trees therefore cost no more noise for what they say
together: noise on a score grows with T exactly as what it learns does.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from securefl.learning.families.family import Family
from securefl.learning.families.forest import Asked, asked_of, draw_forest
from securefl.learning.families.tree_effects import told_forest
from securefl.learning.portable.program import beside
from securefl.learning.summing import sum_in_order
from securefl.learning.whole_vectors import in_whole_vectors
from securefl.study.fields import DecimalText, Fault
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.families.forest import Forest
    from securefl.learning.portable.program import Value
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.columns import Column
    from securefl.types import FloatArray, IntArray

_MOST_LEAVES: Final = 1 << 15
_MOST_BASE: Final = 20
_STEEP: Final = 2.0**200


class BoostedTreesSpec(ModelSpec):
    """Boosted trees: ``trees`` of ``depth`` questions each.

    ``columns_per_tree`` is the most that a tree asks of: with 2, every other tree asks of two.
    ``base_score`` is the score before the first round, as the logarithm of published odds.
    """

    kind: Literal["boosted-trees"]
    trees: Annotated[int, Field(ge=1, le=4096)] = 100
    depth: Annotated[int, Field(ge=1, le=8)] = 3
    columns_per_tree: Annotated[int, Field(ge=1, le=8)] = 2
    base_score: DecimalText = Decimal(0)

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        leaves = self.trees * 2**self.depth
        if leaves > _MOST_LEAVES:
            fits = _MOST_LEAVES // 2**self.depth
            raise Fault(
                f"of depth {self.depth} make {leaves:,} leaves; {_MOST_LEAVES:,} are the most: at"
                f" most {fits:,} trees",
                "trees",
            )
        if self.columns_per_tree > self.depth:
            raise Fault(
                f"is more than the {self.depth} questions of a tree; lower it",
                "columns_per_tree",
            )
        if abs(self.base_score) > _MOST_BASE:
            raise Fault(f"must be between -{_MOST_BASE} and {_MOST_BASE}", "base_score")
        return self


class BoostedTrees(Family):
    """Leaves of trees that a public lot has drawn, and a common score.

    Theta: for each score its leaves, one leaf number of all trees after the other, then for each
    score the common one.
    """

    Section = BoostedTreesSpec
    moved = "how the value of each leaf of the trees should change"

    def __init__(
        self,
        section: BoostedTreesSpec,
        inputs: int,
        outputs: int,
        asked: Sequence[Asked] = (),
    ) -> None:
        self._section = section
        self._inputs = inputs
        self._outputs = outputs
        self._asked = tuple(asked) or tuple(
            Asked(place, 1, None, number=True) for place in range(inputs)
        )
        self._drawn: Forest | None = None

    @classmethod
    def of(
        cls,
        section: BoostedTreesSpec,
        columns: Sequence[Column],
        outputs: int,
    ) -> Self:
        """See :class:`Family`: questions of numbers are told from those of other columns."""
        asked = asked_of(columns)
        inputs = sum(one.many + (one.flag is not None) for one in asked)
        return cls(section, inputs, outputs, asked)

    @property
    def forest(self) -> Forest:
        """The questions, drawn when they are first asked for."""
        if self._drawn is None:
            s = self._section
            self._drawn = draw_forest(
                self._asked,
                s.trees,
                s.depth,
                s.columns_per_tree,
                s.initial_seed,
            )
        return self._drawn

    @property
    def parameters(self) -> int:
        """Leaves and common scores."""
        return self._outputs * (self._leaves + 1)

    @property
    def _leaves(self) -> int:
        return int(self._section.trees * 2**self._section.depth)

    def initial_weights(self, seed: str) -> FloatArray:
        """Leaves of 0, and the published score for all; the seed draws the questions."""
        del seed
        found = np.zeros(self.parameters)
        found[self._outputs * self._leaves :] = float(self._section.base_score)
        return found

    def leaves(self, theta: FloatArray) -> FloatArray:
        """Values of the leaves, float64[outputs, 2^D, T]; a view."""
        s = self._section
        values = theta[: self._outputs * self._leaves]
        return values.reshape(self._outputs, 2**s.depth, s.trees)

    def common(self, theta: FloatArray) -> FloatArray:
        """The common scores, float64[outputs]; a view."""
        return theta[self._outputs * self._leaves :]

    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        """The common score and one leaf of each tree, added in a fixed order."""
        return self._scores(theta, self._places(x))

    def _scores(self, theta: FloatArray, places: IntArray) -> FloatArray:
        found = np.empty((len(places), self._outputs))
        values = theta[: self._outputs * self._leaves].reshape(self._outputs, -1)
        for output, common in enumerate(self.common(theta)):
            found[:, output] = sum_in_order(values[output][places]) + common
        return found

    def _places(self, x: FloatArray) -> IntArray:
        """Places of each row's leaves among those of one score, int64[m, T]."""
        forest = self.forest
        found: IntArray = forest.leaves(x) * forest.trees + np.arange(forest.trees)
        return found

    def gradients(self, task: Task) -> GradientFunction:
        """In closed form: the slope at a score stands at each of the row's leaves."""

        @in_whole_vectors
        def gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
            places = self._places(x)
            slopes = task.loss_gradient(self._scores(theta, places), y)
            found = np.zeros((len(x), self.parameters))
            for output in range(self._outputs):
                slope = np.broadcast_to(slopes[:, output : output + 1], places.shape)
                np.put_along_axis(found, places + output * self._leaves, slope, axis=1)
            found[:, self._outputs * self._leaves :] = slopes
            return found

        return gradients

    def longest_gradient(self, steepest: float) -> float:
        """One leaf of each tree and the common score, for each score."""
        return steepest * math.sqrt(self._outputs * (self._section.trees + 1))

    def rescaled(self, theta: FloatArray, scale: float, shift: FloatArray) -> FloatArray:
        """Leaves and common scores carry both."""
        found = theta * scale
        found[self._outputs * self._leaves :] += shift
        return found

    def tensors(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Leaves [outputs, 2^D, T] and common scores; the questions, so that a reader needs no
        lot: feature, limit, flag (-1: none) and answer of a missing value, each [D, T].
        """
        forest = self.forest
        return {
            "leaves": self.leaves(theta),
            "common": self.common(theta),
            "feature": forest.feature.astype(np.float64),
            "limit": forest.limit,
            "flag": forest.flag.astype(np.float64),
            "missing": forest.missing.astype(np.float64),
        }

    def from_tensors(self, tensors: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`tensors`.

        Raises:
            KeyError, ValueError: as the base class, or the questions are not those of the lot.
        """
        known = self.tensors(np.zeros(self.parameters))
        if set(tensors) != set(known):
            raise KeyError("leaves")
        for name in ("feature", "limit", "flag", "missing"):
            if not np.array_equal(tensors[name], known[name]):
                raise ValueError(f"{name} is not what the study's lot draws")
        leaves = tensors["leaves"].reshape(self._outputs * self._leaves)
        found: FloatArray = np.concatenate([leaves, tensors["common"].reshape(self._outputs)])
        return found

    def portable(self, theta: FloatArray, features: Value) -> Value:
        """Answers as 0 and 1, their products as leaves, and one layer on these."""
        forest = self.forest
        answers = [self._portable_answers(features, level) for level in range(forest.depth)]
        chosen = features.program.constant(np.ones((1, forest.trees)))
        for level, yes in enumerate(answers):
            wide = beside([yes] * 2**level)
            chosen = beside([chosen * (wide * -1.0 + 1.0), chosen * wide])
        values = self.leaves(theta).reshape(self._outputs, -1)
        return chosen.affine(values, self.common(theta))

    def _portable_answers(self, features: Value, level: int) -> Value:
        """Answers of all trees at one level."""
        forest = self.forest
        ask = np.eye(self._inputs)[forest.feature[level]]
        above = features.affine(ask, -forest.limit[level])
        # a difference of doubles is 0 or far larger than 1 / _STEEP, so this is 0 or 1
        yes = (above * _STEEP).clip(0.0, 1.0)
        flags = np.where(
            (forest.flag[level] >= 0)[:, None], np.eye(self._inputs)[forest.flag[level]], 0
        )
        unrecorded = features.affine(flags, np.zeros(forest.trees))
        side = features.program.constant(forest.missing[level].astype(np.float64))
        return yes * (unrecorded * -1.0 + 1.0) + unrecorded * side

    def contributions(
        self,
        theta: FloatArray,
        columns: Sequence[Column],
        task: Task,
    ) -> Told:
        """See :class:`Family`: importance of columns, curves of numbers, steps of the others."""
        names = task.score_names
        if len(names) != self._outputs:
            names = ("adds",)
        return told_forest(self.forest, self.leaves(theta), self._asked, names, columns)

    def words(self, task: Task) -> str:
        """Trees, and who has drawn their questions."""
        del task
        s = self._section
        return (
            f"{s.trees} boosted trees of {s.depth} questions each (which question stands where is"
            " drawn by a public lot, and only the leaves are learnt)"
        )
