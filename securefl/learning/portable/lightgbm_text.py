"""Boosted trees as LightGBM's text file, which LightGBM and other readers of trees open.

Each tree is a complete binary one whose node at level l asks the same question. Numbers stand in
their own unit, with NaN for "not recorded"; every other feature is the 0 or 1 of
:func:`securefl.learning.encoding.column_features`. A limit is the largest double that is encoded
at or below the model's limit, so that the file parts all values exactly as the model does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from securefl.errors import UsageError
from securefl.learning.cells import DeclaredNumbers
from securefl.learning.encoding import column_features, encoder
from securefl.learning.families.boosted_trees import BoostedTrees
from securefl.learning.families.forest import questions_of
from securefl.learning.features import rows_for_predict
from securefl.learning.models import family_of
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.artefact import Model
    from securefl.learning.families.forest import Forest
    from securefl.learning.table import Table
    from securefl.study.columns import Column
    from securefl.types import FloatArray

#: Task → LightGBM's word for what it makes of scores.
_OBJECTIVES: Final = {"binary": "binary sigmoid:1", "classes": "multiclass num_class:{}"}
#: Bits of a node: a missing value goes left; what counts as missing is NaN.
_LEFT: Final = 2
_NAN: Final = 8


@dataclass(frozen=True)
class TreeFeature:
    """A feature of the file.

    Attributes:
        name: letters, digits and underscores.
        place: of the feature in the encoded row.
        column: the number whose own unit it has; None for a 0 or 1.
    """

    name: str
    place: int
    column: NumericColumn | None


def tree_features(columns: Sequence[Column]) -> tuple[TreeFeature, ...]:
    """The file's features, in the order of the columns."""
    found: list[TreeFeature] = []
    place = 0
    for column in columns:
        names = column_features(column)
        number = column if isinstance(column, NumericColumn) else None
        # a number's flag is no feature of the file: NaN says it
        for at, name in enumerate(names[:1] if number else names):
            plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
            if any(plain == other.name for other in found):
                plain = f"{plain}_{place + at}"
            found.append(TreeFeature(plain, place + at, number))
        place += len(names)
    return tuple(found)


def lightgbm_text(model: Model) -> str:
    """The model in the text format of LightGBM 4.

    Raises:
        UsageError: it has no trees, or LightGBM does not know what it predicts.
    """
    family = family_of(model.spec, model.data)
    objective = _OBJECTIVES.get(model.data.label.task)
    if not isinstance(family, BoostedTrees) or objective is None:
        raise UsageError(
            "Only boosted trees for a yes or no or for classes can be written as LightGBM's text.",
            whose="whoever exports the model",
            next_step="Write --to onnx, which every model can.",
        )
    features = tree_features(model.data.columns)
    leaves = family.leaves(model.theta)
    common = family.common(model.theta)
    outputs = len(common)
    lines = [
        "tree",
        "version=v4",
        f"num_class={outputs}",
        f"num_tree_per_iteration={outputs}",
        "label_index=0",
        f"max_feature_idx={len(features) - 1}",
        f"objective={objective.format(outputs)}",
        f"feature_names={' '.join(feature.name for feature in features)}",
        f"feature_infos={' '.join(_info(feature) for feature in features)}",
        "",
    ]
    number = 0
    for output in range(outputs):
        lines += _constant(number, common[output])
        number += 1
    nodes = _Nodes(family.forest, features)
    for tree in range(family.forest.trees):
        for output in range(outputs):
            lines += nodes.tree(number, tree, leaves[output, :, tree])
            number += 1
    lines += ["end of trees", "", "feature_importances:", "", "parameters:", "end of parameters"]
    return "\n".join([*lines, "", "pandas_categorical:null", ""])


def lightgbm_rows(model: Model, table: Table) -> tuple[FloatArray, list[str | None]]:
    """Rows as the file wants them, float64[n, features], and why a row has no prediction."""
    encoded, reasons = rows_for_predict(table, model.data)
    features = tree_features(model.data.columns)
    found = np.empty((table.rows, len(features)))
    for place, feature in enumerate(features):
        found[:, place] = encoded[:, feature.place]
        if feature.column is not None:
            found[:, place] = _numbers(feature.column, table)
    return found, reasons


def _numbers(column: NumericColumn, table: Table) -> FloatArray:
    """Values in the column's unit, NaN where there is none."""
    numbers = DeclaredNumbers(column.missing_codes, table.reading.decimal)
    found = np.full(table.rows, np.nan)
    for row, cell in enumerate(table.column(column.name)):
        value = numbers.value(cell)
        if isinstance(value, float):
            found[row] = value
    return found


def largest_below(column: NumericColumn, limit: float) -> float:
    """The largest double in the column's range that is encoded at or below ``limit``."""
    encode = encoder(column, ".")
    low = float(column.low)
    high = float(column.high)
    while True:
        middle = low + (high - low) / 2
        if not low < middle < high:
            return low
        _, place = cast("tuple[int, float]", encode(repr(middle)))  # it lies in the range
        if np.float32(place) <= limit:
            low = middle
        else:
            high = middle


def _info(feature: TreeFeature) -> str:
    if feature.column is None:
        return "[0:1]"
    return f"[{feature.column.low}:{feature.column.high}]"


def _constant(number: int, value: float) -> list[str]:
    """A tree of one leaf."""
    return [
        f"Tree={number}",
        "num_leaves=1",
        "num_cat=0",
        f"leaf_value={float(value)!r}",
        "is_linear=0",
        "shrinkage=1",
        "",
    ]


class _Nodes:
    """Nodes of the trees; those of one tree are the same for each score."""

    def __init__(self, forest: Forest, features: Sequence[TreeFeature]) -> None:
        self._forest = forest
        self._features = features
        self._at = {feature.place: place for place, feature in enumerate(features)}

    def tree(self, number: int, tree: int, leaves: FloatArray) -> list[str]:
        """One tree; leaf number = answers as binary digits, the first question the lowest."""
        depth = self._forest.depth
        inner = 2**depth - 1
        asked: list[tuple[int, str, int]] = []
        for level, question in enumerate(self._questions(tree)):
            asked += [question] * 2**level
        left, right = zip(*_children(depth), strict=True)
        return [
            f"Tree={number}",
            f"num_leaves={2**depth}",
            "num_cat=0",
            f"split_feature={_listed(place for place, _, _ in asked)}",
            f"split_gain={_listed([0] * inner)}",
            f"threshold={_listed(limit for _, limit, _ in asked)}",
            f"decision_type={_listed(bits for _, _, bits in asked)}",
            f"left_child={_listed(left)}",
            f"right_child={_listed(right)}",
            f"leaf_value={_listed(repr(float(value)) for value in leaves)}",
            f"leaf_weight={_listed([0] * 2**depth)}",
            f"leaf_count={_listed([0] * 2**depth)}",
            f"internal_value={_listed([0] * inner)}",
            f"internal_weight={_listed([0] * inner)}",
            f"internal_count={_listed([0] * inner)}",
            "is_linear=0",
            "shrinkage=1",
            "",
        ]

    def _questions(self, tree: int) -> Iterator[tuple[int, str, int]]:
        """Feature of the file, limit and bits of each level."""
        for place, limit, flag, missing in questions_of(self._forest, tree):
            feature = self._at[place]
            column = self._features[feature].column
            if column is None:
                yield feature, "0.5", 0
                continue
            bits = 0
            if flag >= 0:
                bits = _NAN if missing else _NAN | _LEFT
            yield feature, repr(largest_below(column, limit)), bits


def _children(depth: int) -> Iterator[tuple[int, int]]:
    """Left and right child of each node, level by level; a leaf is its number's complement."""
    for level in range(depth):
        for prefix in range(2**level):
            pair = (prefix, prefix + 2**level)
            if level == depth - 1:
                yield ~pair[0], ~pair[1]
            else:
                first = 2 ** (level + 1) - 1
                yield first + pair[0], first + pair[1]


def _listed(values: object) -> str:
    return " ".join(map(str, values))  # type: ignore[call-overload]
