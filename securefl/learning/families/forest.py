"""Structure of trees drawn by a public lot: which question stands at each level.

A tree of depth D asks D questions, the same for all rows of a level, so a row's answers as binary
digits are the number of its leaf. Columns and limits are drawn from the study's public seed before
any data is looked at ("totally random" trees: Geurts, Ernst, Wehenkel 2006; under privacy:
Fletcher and Islam 2017). So the structure is public and costs nothing; only leaves are learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.encoding import column_features
from securefl.learning.public import public_uniforms
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.study.columns import Column
    from securefl.types import BoolArray, FloatArray, IntArray

#: Limits lie in this part of a number's range, for a question at its end parts nobody.
INNER: Final = 0.95
#: Chance of a number to be asked, beside that of a column with a yes or no or levels: it has many
#: questions, they have few.
NUMBER_WEIGHT: Final = 3.0
_NO_FLAG: Final = -1


@dataclass(frozen=True)
class Asked:
    """Features of one column, as questions see them.

    Attributes:
        first: place of its first feature.
        many: how many there are; for a number one.
        flag: place of the flag "not recorded" of a number; None where it has none.
        number: whether it is a number.
    """

    first: int
    many: int
    flag: int | None
    number: bool


def asked_of(columns: Sequence[Column]) -> tuple[Asked, ...]:
    """The columns of a study as questions see them."""
    found = []
    first = 0
    for column in columns:
        many = len(column_features(column))
        if not isinstance(column, NumericColumn):
            found.append(Asked(first, many, None, number=False))
        elif column.missing == "flag":
            found.append(Asked(first, 1, first + 1, number=True))
        else:
            found.append(Asked(first, 1, None, number=True))
        first += many
    return tuple(found)


@dataclass(frozen=True)
class Forest:
    """Questions of all trees; row of an array: level, column of it: tree.

    The answer to a question is yes where the feature is above the limit. Where a number is not
    recorded the answer is the lot's.

    Attributes:
        column: int64[D, T], place of the column that is asked.
        feature: int64[D, T], place of its feature.
        flag: int64[D, T], place of its flag; -1 where there is none.
        limit: float64[D, T].
        missing: bool[D, T], the answer where the flag is set.
    """

    column: IntArray
    feature: IntArray
    flag: IntArray
    limit: FloatArray
    missing: BoolArray

    @property
    def depth(self) -> int:
        """Questions of a tree."""
        return int(self.feature.shape[0])

    @property
    def trees(self) -> int:
        """Number of trees."""
        return int(self.feature.shape[1])

    def answers(self, x: FloatArray) -> BoolArray:
        """Answers of rows [m, d], bool[m, D, T]; each by comparisons of the row's own values."""
        found: BoolArray = x[:, self.feature] > self.limit
        unrecorded = (x[:, self._flag_or_first] > 0) & (self.flag != _NO_FLAG)
        return np.where(unrecorded, self.missing, found)

    @cached_property
    def _flag_or_first(self) -> IntArray:
        return np.where(self.flag == _NO_FLAG, 0, self.flag)

    def leaves(self, x: FloatArray) -> IntArray:
        """Leaf of each tree for rows [m, d], int64[m, T]: bit l is the answer at level l."""
        digits = 1 << np.arange(self.depth)
        found: IntArray = (self.answers(x) * digits[:, None]).sum(axis=1)
        return found


def draw_forest(
    asked: Sequence[Asked],
    trees: int,
    depth: int,
    columns_per_tree: int,
    seed: str,
) -> Forest:
    """Draw the questions.

    Tree t asks of at most 1 + t mod ``columns_per_tree`` columns: the first trees of each turn give
    one column's curve, the others what two or more do together.

    Args:
        asked: of the study's columns.
        trees: T.
        depth: D.
        columns_per_tree: the most that a tree asks of.
        seed: public text of the study.
    """
    draws = iter(public_uniforms("trees", seed.encode(), trees * (columns_per_tree + 4 * depth)))
    weights = np.array([NUMBER_WEIGHT if one.number else 1.0 for one in asked])
    steps = np.cumsum(weights / weights.sum())
    shape = (depth, trees)
    column = np.zeros(shape, dtype=np.int64)
    feature = np.zeros(shape, dtype=np.int64)
    flag = np.full(shape, _NO_FLAG, dtype=np.int64)
    limit = np.full(shape, 0.5)
    missing = np.zeros(shape, dtype=np.bool_)
    for tree in range(trees):
        many = 1 + tree % columns_per_tree
        chosen = [_place(steps, next(draws)) for _ in range(many)]
        for level in range(depth):
            which, within, height, side = (next(draws) for _ in range(4))
            column[level, tree] = chosen[int(which * many)]
            about = asked[column[level, tree]]
            feature[level, tree] = about.first + int(within * about.many)
            if about.number:
                limit[level, tree] = INNER * (2.0 * height - 1.0)
            if about.flag is not None:
                flag[level, tree] = about.flag
                missing[level, tree] = side < 0.5
    return Forest(column, feature, flag, limit, missing)


def _place(steps: FloatArray, draw: float) -> int:
    """The column on which a draw from (0, 1) falls."""
    return min(int(np.searchsorted(steps, draw)), len(steps) - 1)


def questions_of(forest: Forest, tree: int) -> Iterator[tuple[int, float, int, bool]]:
    """Feature, limit, flag (-1: none) and answer for a missing value, level by level."""
    for level in range(forest.depth):
        yield (
            int(forest.feature[level, tree]),
            float(forest.limit[level, tree]),
            int(forest.flag[level, tree]),
            bool(forest.missing[level, tree]),
        )
