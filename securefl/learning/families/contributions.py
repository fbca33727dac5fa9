"""Contributions of columns to a score, as pictures of curves and a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.learning.encoding import column_features
from securefl.learning.tasks.told import Curves, Line, Told
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.study.columns import Column
    from securefl.types import FloatArray

_SUM = (
    "The model adds up what each column contributes, and makes its prediction of the sum. A curve"
    " shows it for each value of a number, beside its mean over the points; more is higher."
)
_SPIKES = "The noise moves each point by itself: a single spike is no finding."


def told_contributions(
    names: Sequence[str],
    columns: Sequence[Column],
    curves: Sequence[FloatArray],
    steps: Sequence[FloatArray],
) -> Told:
    """What each column adds to a score.

    Args:
        names: of the scores.
        columns: of the study.
        curves: float64[scores, B] of each number.
        steps: float64[scores, m] of each column's other features.
    """
    numbers = [column for column in columns if isinstance(column, NumericColumn)]
    cells: list[tuple[str | None, ...]] = []
    for column, weights in zip(columns, steps, strict=True):
        features = column_features(column)
        if isinstance(column, NumericColumn):
            features = features[1:]
        for place, feature in enumerate(features):
            cells.append((feature, *(f"{weight:+.2f}" for weight in weights[:, place])))
    drawn = zip(numbers, curves, strict=True)
    pairs = list(drawn)
    return Told(
        metric="What each column contributes",
        sentences=(_SUM, _SPIKES),
        header=("", *names),
        cells=tuple(cells),
        right=frozenset(range(1, len(names) + 1)),
        lines=tuple(
            line for column, heights in pairs for line in curve_lines(column, heights, names)
        ),
        curves=tuple(curve_picture(column, heights, names) for column, heights in pairs),
    )


def knots_of(column: NumericColumn, knots: int) -> tuple[float, ...]:
    """Knots of a number's curve in its own unit."""
    low = float(column.low)
    high = float(column.high)
    parts = [place / (knots - 1) for place in range(knots)]
    if column.transform == "log":
        return tuple(low * math.exp(part * math.log(high / low)) for part in parts)
    return tuple(low + part * (high - low) for part in parts)


def curve_lines(
    column: NumericColumn,
    heights: FloatArray,
    names: Sequence[str],
) -> Iterator[str]:
    """The curves of a column in figures, for a file of text."""
    knots = knots_of(column, heights.shape[1])
    for name, curve in zip(names, heights, strict=True):
        points = ", ".join(
            f"{knot:.4g}: {height:+.2f}" for knot, height in zip(knots, curve, strict=True)
        )
        which = "" if len(names) == 1 else f" ({name})"
        yield f"{column.name}{which}: {points}"


def curve_picture(
    column: NumericColumn,
    heights: FloatArray,
    names: Sequence[str],
) -> Curves:
    """Draw a number's curves, float64[names, B], over its own range."""
    many = heights.shape[1]
    knots = knots_of(column, many)
    top = _round_up(float(abs(heights).max()))
    shown = names
    if len(names) == 1:
        shown = (column.name,)
    lines = [
        Line(name, values, values, values)
        for name, values in zip(shown, map(tuple, heights.tolist()), strict=True)
    ]
    scale = ""
    if column.transform == "log":
        scale = ", on a logarithmic scale"
    unit = ""
    if column.unit:
        unit = f" in {column.unit}"
    return Curves(
        words=f"What {column.name}{unit} adds{scale}.",
        places=tuple(place / (many - 1) for place in range(many)),
        ticks=tuple(_ticks(knots)),
        levels=tuple((level * top, f"{level * top:+.2g}") for level in (-1.0, -0.5, 0.0, 0.5, 1.0)),
        lines=tuple(lines),
    )


def _ticks(knots: Sequence[float]) -> Iterator[tuple[float, str]]:
    """At most seven knots with their value."""
    last = len(knots) - 1
    step = -(-last // 6)
    for place in range(0, last + 1, step):
        yield place / last, f"{knots[place]:.3g}"


def _round_up(height: float) -> float:
    """The next of 1, 2, 5 times a power of ten.

    >>> _round_up(0.34), _round_up(2.0), _round_up(0.0)
    (0.5, 2.0, 1.0)
    """
    if height <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(height))
    return next(step * unit for step in (1.0, 2.0, 5.0, 10.0) if step * unit >= height)
