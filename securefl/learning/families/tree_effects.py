"""Effect of each column on the scores of a forest, read off its leaves.

The effect of a column's value is the mean of each tree's leaves that go with it, where every other
question is answered yes and no evenly; trees are added up (partial dependence, Friedman 2001, over
answers instead of rows). It needs the model alone, so it costs no privacy. All sums have a fixed
order: every hospital writes the figures into the model's card and compares.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.families.contributions import told_contributions
from securefl.learning.summing import sum_in_order
from securefl.learning.tasks.told import Bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.families.forest import Asked, Forest
    from securefl.learning.tasks.told import Told
    from securefl.study.columns import Column
    from securefl.types import FloatArray

#: Points of a number's curve.
CURVE_POINTS: Final = 21
#: Columns in the picture of importance, the most important first.
MOST_BARS: Final = 7
_IMPORTANCE = (
    "The bars show how far apart a column's values move the score, as a share of all columns: every"
    " column gets a little from the noise alone."
)
_TOGETHER = (
    "The trees also ask of several columns at once; a column is shown here with all other questions"
    " answered evenly."
)


def column_effects(
    forest: Forest,
    leaves: FloatArray,
    column: int,
    rows: FloatArray,
) -> FloatArray:
    """Effects of values of one column, float64[outputs, m].

    Args:
        forest: the questions.
        leaves: float64[outputs, 2^D, T].
        column: its place.
        rows: float64[m, d], features with the values in their places; others are not read.
    """
    outputs, count, trees = leaves.shape
    asked = forest.column == column
    bits = (np.arange(count)[:, None] >> np.arange(forest.depth)) & 1
    found = np.zeros((outputs, len(rows)))
    for row, answers in enumerate(forest.answers(rows)):
        agrees = bits[:, :, None] == answers[None]
        parts = np.where(asked[None], agrees, 0.5)
        share = parts.prod(axis=1)
        terms = (leaves * share).reshape(outputs, count * trees)
        found[:, row] = sum_in_order(terms)
    return found


def number_curve(
    forest: Forest,
    leaves: FloatArray,
    column: int,
    about: Asked,
) -> tuple[FloatArray, FloatArray]:
    """Curve of a number around its mean, float64[outputs, CURVE_POINTS], and the effect of a value
    that is not recorded beside that mean, float64[outputs, 1 or 0].
    """
    rows = np.zeros((CURVE_POINTS + 1, _width(forest, about)))
    rows[:CURVE_POINTS, about.first] = np.linspace(-1.0, 1.0, CURVE_POINTS)
    if about.flag is not None:
        rows[CURVE_POINTS, about.flag] = 1.0
    found = column_effects(forest, leaves, column, rows)
    curve = found[:, :CURVE_POINTS]
    mean = _mean(curve)
    missing = found[:, CURVE_POINTS:] - mean
    if about.flag is None:
        missing = missing[:, :0]
    return curve - mean, missing


def level_effects(
    forest: Forest,
    leaves: FloatArray,
    column: int,
    about: Asked,
) -> FloatArray:
    """Effects of a column's levels beside its first one, float64[outputs, features]."""
    rows = np.zeros((about.many + 1, _width(forest, about)))
    rows[1:, about.first : about.first + about.many] = np.eye(about.many)
    found = column_effects(forest, leaves, column, rows)
    return found[:, 1:] - found[:, :1]


def told_forest(
    forest: Forest,
    leaves: FloatArray,
    asked: Sequence[Asked],
    names: Sequence[str],
    columns: Sequence[Column],
) -> Told:
    """Contribution of each column: its importance as bars, curves of numbers, steps of levels.

    Args:
        forest: the questions.
        leaves: float64[outputs, 2^D, T].
        asked: the columns as questions see them.
        names: of the scores.
        columns: of the study.
    """
    curves = []
    steps = []
    spreads = []
    for column, about in enumerate(asked):
        if about.number:
            curve, missing = number_curve(forest, leaves, column, about)
            curves.append(curve)
            steps.append(missing)
            spreads.append(_spread(curve))
            continue
        moved = level_effects(forest, leaves, column, about)
        steps.append(moved)
        spreads.append(_spread(np.hstack([np.zeros((len(moved), 1)), moved])))
    told = told_contributions(names, columns, curves, steps)
    bars = _importance_bars([column.name for column in columns], spreads)
    together = (_TOGETHER,) if (forest.column != forest.column[0]).any() else ()
    return replace(
        told,
        sentences=(_IMPORTANCE, *told.sentences, *together),
        bars=(bars,),
        lines=(_importance_line(bars), *told.lines),
    )


def _importance_bars(names: Sequence[str], spreads: Sequence[float]) -> Bars:
    whole = 0.0
    for spread in spreads:
        whole += spread
    if whole == 0.0:
        whole = 1.0
    shares = [spread / whole for spread in spreads]
    order = sorted(range(len(names)), key=lambda place: (-round(shares[place], 6), place))
    shown = order[:MOST_BARS]
    return Bars(
        words="Share of each column in what moves the score.",
        labels=tuple(names[place] for place in shown),
        groups=(("share of all columns", tuple(shares[place] for place in shown)),),
    )


def _importance_line(bars: Bars) -> str:
    """The bars in figures, for a file of text."""
    (_, heights) = bars.groups[0]
    pairs = zip(bars.labels, heights, strict=True)
    said = ", ".join(f"{name} {100 * height:.0f} %" for name, height in pairs)
    return f"share in what moves the score: {said}"


def _spread(heights: FloatArray) -> float:
    """Standard deviation of effects over a column's values, root mean square over the scores."""
    apart = heights - _mean(heights)
    square = sum_in_order((apart * apart).reshape(1, -1))[0]
    return float(np.sqrt(square / apart.size))


def _mean(heights: FloatArray) -> FloatArray:
    """Mean of each score's heights, float64[outputs, 1]."""
    found: FloatArray = sum_in_order(heights.copy())[:, None] / heights.shape[1]
    return found


def _width(forest: Forest, about: Asked) -> int:
    """Features up to the last that a question or the column names."""
    last = max(int(forest.feature.max()), int(forest.flag.max()), about.first + about.many - 1)
    return max(last, about.flag or 0) + 1
