"""Pictures of a simulation: the metric by rounds, and the settings of a sweep, each with its spread.

Each says in the picture itself that it is a simulation: a picture travels without its page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.report.markup import element
from securefl.report.page import Picture, Spoken
from securefl.report.svg import WIDE, Plot, line, number, picture, picture_alone, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from securefl.simulation.facts import Simulation, Spread

LABEL = "a simulation: it protects nothing"
_STEP = 26.0
_TOP = 52.0
_FOOT = 44.0
_NAME = 270.0
_LETTERS = 40


def simulation_picture(found: Simulation) -> Picture | None:
    """The sweep where there is one, else the training by rounds; None where neither is known."""
    drawing = _drawing(found)
    if drawing is None:
        return None
    words, height, parts = drawing
    spoken = _spoken(found, words)
    title = " ".join(one.words for one in spoken)
    return Picture(picture(title, height, *parts), spoken)


def simulation_svg(found: Simulation) -> str:
    """The picture as a file that stands alone; empty where there is none."""
    drawing = _drawing(found)
    if drawing is None:
        return ""
    words, height, parts = drawing
    return picture_alone(words, height, *parts)


def _label(found: Simulation) -> str:
    """Words that stand in every picture."""
    if found.participated is None:
        return LABEL
    return f"{LABEL}; real studies do not sample"


def _drawing(found: Simulation) -> tuple[str, float, list[Markup]] | None:
    """Words, height and parts of the picture; None where nothing is known."""
    if any(point.figure.known for point in found.points):
        return _sweep(found)
    if any(spread.known for spread in found.base.curve.values()):
        return _curve(found)
    return None


def _spoken(found: Simulation, words: str) -> tuple[Spoken, ...]:
    if not found.points:
        known = [spread.mean for spread in found.base.curve.values() if spread.known]
        levels = tuple(min(1.0, max(0.0, mean)) for mean in known)
        return (Spoken(words, curve=levels),)
    lines = [Spoken(words)]
    for point in found.points:
        if point.figure.known:
            share = min(1.0, max(0.0, point.figure.mean))
            bar = ((share, "█"), (1 - share, "░"))
            lines.append(Spoken(f"{point.name}: {spread_words(point.figure)}.", bar=bar))
    return tuple(lines)


def spread_words(spread: Spread) -> str:
    """Mean and standard deviation.

    >>> from securefl.simulation.facts import Spread
    >>> spread_words(Spread((0.9, 0.92)))
    '0.910 ± 0.014'
    >>> spread_words(Spread(())), spread_words(Spread((0.9,)))
    ('not known', '0.900')
    """
    if not spread.known:
        return "not known"
    if len(spread.values) == 1:
        return f"{spread.mean:.3f}"
    return f"{spread.mean:.3f} ± {spread.sd:.3f}"


def _sweep(found: Simulation) -> tuple[str, float, list[Markup]]:
    known = [point for point in found.points if point.figure.known]
    low, high = _range([point.figure for point in known])
    height = _TOP + _STEP * len(known) + _FOOT
    plot = Plot(
        height,
        left=_NAME,
        top=_TOP,
        right=90,
        bottom=_FOOT,
    )

    def x(value: float) -> float:
        return plot.x((value - low) / (high - low))

    parts = [
        text(0, 18, f"{found.study}: {found.metric} by setting, mean and standard deviation"),
        text(0, 36, f"{_label(found)}; {found.data}, {found.repeat} repeats", "small"),
    ]
    bottom = plot.y(0)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + part * (high - low)
        at = plot.x(part)
        parts += [
            line(at, _TOP, at, bottom, "grid"),
            text(at, bottom + 19, f"{value:.3f}", "middle"),
        ]
    for place, point in enumerate(known):
        y = _TOP + _STEP * (place + 0.5)
        mean = point.figure.mean
        left = x(max(low, mean - point.figure.sd))
        right = x(min(high, mean + point.figure.sd))
        radius = 4
        note = ""
        if found.best is not None and point is found.points[found.best]:
            radius = 6
            note = " best"
        parts += [
            text(0, y + 4, _cut(point.name)),
            line(left, y, right, y, "curve"),
            element("circle", cx=number(x(mean)), cy=number(y), r=radius, class_="mark"),
            text(WIDE - 84, y + 4, f"{mean:.3f}{note}"),
        ]
    best = ""
    if found.best is not None:
        chosen = found.points[found.best]
        best = f" The best is {chosen.name}: {spread_words(chosen.figure)}."
    words = f"{found.metric} of {len(known)} settings, {_label(found)}.{best}"
    return words, height, parts


def _curve(found: Simulation) -> tuple[str, float, list[Markup]]:
    curve = {n: spread for n, spread in found.base.curve.items() if spread.known}
    low, high = _range(list(curve.values()))
    last = max(*curve, 1)
    height = high - low
    plot = Plot(260, left=64, top=_TOP, right=24, bottom=_FOOT)

    def point(rounds: int, value: float) -> str:
        inside = min(high, max(low, value))
        x = plot.x(rounds / last)
        y = plot.y((inside - low) / height)
        return f"{number(x)},{number(y)}"

    over = [point(n, s.mean + s.sd) for n, s in curve.items()]
    under = [point(n, s.mean - s.sd) for n, s in reversed(curve.items())]
    means = [point(n, s.mean) for n, s in curve.items()]
    levels = [(part, f"{low + part * height:.2f}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)]
    end = max(curve)
    words = (
        f"{found.metric} by rounds, {_label(found)}; {spread_words(curve[end])} after round {end}."
    )
    parts = [
        text(0, 18, f"{found.study}: {found.metric} by rounds, mean and standard deviation"),
        text(0, 36, f"{_label(found)}; {found.data}, {found.repeat} repeats", "small"),
        element("polygon", points=" ".join([*over, *under]), class_="area"),
        *plot.levels(levels),
        *plot.ticks((n / last, str(n), "middle") for n in curve),
        element("polyline", points=" ".join(means), class_="curve"),
    ]
    return words, plot.height, parts


def _range(spreads: Sequence[Spread]) -> tuple[float, float]:
    """Round ends of an axis around means and their spreads."""
    low = min(s.mean - s.sd for s in spreads)
    high = max(s.mean + s.sd for s in spreads)
    apart = max(high - low, 0.002)
    step = 10.0 ** math.floor(math.log10(apart))
    first = math.floor(low / step)
    last = math.floor(high / step) + 1
    return first * step, last * step


def _cut(words: str) -> str:
    if len(words) <= _LETTERS:
        return words
    return f"{words[: _LETTERS - 1]}…"
