"""Curves over one axis, each with its interval as a band; a curve's name stands at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.markup import element
from securefl.report.page import Picture, Spoken
from securefl.report.svg import Plot, number, picture, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from securefl.learning.tasks.told import Curves, Line

_HIGH: Final = 280.0
#: Room for the names at the right, and the least distance between two of them.
_NAMES, _APART = 130.0, 15.0
#: Shapes of lines in ``static/picture.css``; more curves take them in turn.
_DASHES: Final = 4


def curve_chart(curves: Curves) -> Picture:
    """The picture: all curves on one scale."""
    plot = Plot(
        _HIGH,
        left=60,
        top=14,
        right=_NAMES,
        bottom=28,
    )
    bottom = curves.levels[0][0]
    top = curves.levels[-1][0]

    def height(value: float) -> float:
        return min(max((value - bottom) / (top - bottom), 0.0), 1.0)

    parts = plot.levels((height(level), words) for level, words in curves.levels)
    parts += plot.ticks((place, words, "middle") for place, words in curves.ticks)
    drawn = [
        _points(
            plot,
            curves.places,
            line,
            height,
        )
        for line in curves.lines
    ]
    parts += [element("path", d=f"{band}Z", class_="band") for _, band, _ in drawn]
    parts += [
        element("path", d=path, class_=f"curve dash{place % _DASHES}")
        for place, (path, _, _) in enumerate(drawn)
    ]
    ends = _spread([end for _, _, (_, end) in drawn])
    for line, (_, _, (x, _)), y in zip(curves.lines, drawn, ends, strict=True):
        parts.append(text(x + 6, y + 4, line.name, "first"))
    spoken = [Spoken(curves.words), *(_spoken(line, height) for line in curves.lines)]
    title = " ".join(line.words for line in spoken)
    return Picture(picture(title, _HIGH, *parts), tuple(spoken))


def _points(
    plot: Plot,
    places: Sequence[float],
    line: Line,
    height: Callable[[float], float],
) -> tuple[str, str, tuple[float, float]]:
    """Path of the curve, path of its band, and where it ends."""
    x = [plot.x(place) for place in places[: len(line.values)]]

    def heights(values: Sequence[float]) -> list[float]:
        return [plot.y(height(value)) for value in values]

    y = heights(line.values)
    above = list(zip(x, heights(line.high), strict=True))
    below = list(zip(x, heights(line.low), strict=True))
    curve = _path(zip(x, y, strict=True))
    band = _path([*above, *reversed(below)])
    return curve, band, (x[-1], y[-1])


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def _spread(ends: Sequence[float]) -> list[float]:
    """Heights of the names: at the curves' ends, moved down until none covers another."""
    found = list(ends)
    free = -_APART
    for place in sorted(range(len(found)), key=found.__getitem__):
        found[place] = free = max(found[place], free + _APART)
    return found


def _spoken(
    line: Line,
    height: Callable[[float], float],
) -> Spoken:
    return Spoken(line.name, curve=tuple(height(value) for value in line.values))
