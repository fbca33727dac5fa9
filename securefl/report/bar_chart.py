"""Bar charts: shares of patients by band or level, a row of bars for each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.page import Picture, Spoken
from securefl.report.svg import Plot, box, picture, text

if TYPE_CHECKING:
    from markupsafe import Markup

    from securefl.learning.tasks.told import Bars

_HIGH: Final = 150.0
#: Labels below the axis; with more bars every second, third ... is written.
_MOST_LABELS: Final = 7
_LEVELS: Final = (0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


def bar_chart(bars: Bars) -> Picture:
    """The picture: every group's bars on one scale, below one another."""
    every = [height for _, heights in bars.groups for height in heights]
    most = min(max(every, default=0.0), 1.0)
    top = next(level for level in _LEVELS if level >= most)
    parts: list[Markup] = []
    for row, (name, heights) in enumerate(bars.groups):
        parts += _row(name, heights, bars.labels, row * _HIGH, top)
    spoken = [Spoken(bars.words)]
    for name, heights in bars.groups:
        curve = tuple(min(height / top, 1.0) for height in heights)
        spoken.append(Spoken(name, curve=curve))
    title = " ".join(line.words for line in spoken)
    svg = picture(title, _HIGH * len(bars.groups), *parts)
    return Picture(svg, tuple(spoken))


def _row(
    name: str,
    heights: tuple[float, ...],
    labels: tuple[str, ...],
    down: float,
    top: float,
) -> list[Markup]:
    plot = Plot(down + _HIGH, left=46, top=down + 26, right=14, bottom=24)
    count = max(len(heights), 1)
    parts = [
        text(plot.left, down + 16, name, "first"),
        *plot.levels((share, f"{100 * top * share:g} %") for share in (0.0, 0.5, 1.0)),
    ]
    wide = plot.x(1 / count) - plot.x(0)
    bottom = plot.y(0)
    for place, height in enumerate(heights):
        left = plot.x(place / count) + 1
        y = plot.y(min(height / top, 1.0))
        parts.append(box(left, y, wide - 2, bottom - y, "used tone0"))
    return [*parts, *plot.ticks(_labels(labels, count))]


def _labels(labels: tuple[str, ...], bars: int) -> list[tuple[float, str, str]]:
    """Place, words and side of each label that is written."""
    step = -(-len(labels) // _MOST_LABELS)
    if len(labels) == bars:
        return [((i + 0.5) / bars, labels[i], "middle") for i in range(0, bars, step)]
    # The last edge is always written, and none so near to it that the two would touch.
    last = len(labels) - 1
    places = [i for i in range(0, last, step) if last - i >= step]
    sides = {0: "first", last: "last"}
    return [(i / last, labels[i], sides.get(i, "middle")) for i in (*places, last)]
