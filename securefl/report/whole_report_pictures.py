"""Pictures of the whole report: the metric's interval, lengths of updates, effects of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.markup import element
from securefl.report.page import Key, Picture, Spoken
from securefl.report.svg import WIDE, Plot, box, line, number, picture, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from securefl.learning.effects import Effect
    from securefl.learning.update_lengths import UpdateLength

_STEP: Final = 22.0
_NAMES: Final = 270.0
_LETTERS: Final = 40
_TICKS: Final = 4


def interval_picture(
    metric: str,
    interval: tuple[float, float],
    least: float,
    minimum: float | None,
) -> Picture:
    """The metric's interval on its whole scale, with the lowest figure that was asked for.

    Args:
        metric: its name.
        interval: lower and upper end.
        least: lowest value of the scale; the highest is 1.
        minimum: asked for; None where nothing was.
    """
    low, high = (min(max(end, least), 1.0) for end in interval)
    whole = 1.0 - least
    plot = Plot(92, left=24, top=30, right=24, bottom=34)

    def x(value: float) -> float:
        return plot.x((value - least) / whole)

    words = f"{metric}: {low:.2f} to {high:.2f} (95 %)"
    middle = plot.y(0.5)
    left = x(low)
    # An interval of no width is still seen.
    wide = max(x(high) - left, 2.0)
    parts = [
        text(plot.left, 18, words),
        line(x(least), middle, x(1.0), middle, "axis"),
        box(left, middle - 7, wide, 14, "tone0"),
        *plot.ticks(_scale(least)),
    ]
    if minimum is not None and minimum > least:
        words += f"; at least {minimum:g} was asked for"
        at = x(minimum)
        top = plot.y(1)
        parts.append(line(at, top, at, plot.y(0), "granted"))
        parts.append(text(at + 5, top + 4, f"asked for: {minimum:g}", "small"))
    part = (low - least) / whole
    width = (high - low) / whole
    rest = max(1.0 - part - width, 0.0)
    spoken = Spoken(f"{words}.", bar=((part, "░"), (width, "█"), (rest, "░")))
    svg = picture(spoken.words, plot.height, *parts)
    return Picture(svg, (spoken,))


def _scale(least: float) -> list[tuple[float, str, str]]:
    """Places, figures and sides of the marks below an axis from ``least`` to 1."""
    marks = []
    for i in range(_TICKS + 1):
        part = i / _TICKS
        side = {0: "first", _TICKS: "last"}.get(i, "middle")
        marks.append((part, f"{least + part * (1.0 - least):g}", side))
    return marks


def lengths_picture(lengths: Sequence[UpdateLength]) -> Picture:
    """Lengths of mean updates by round, over the band of noise alone."""
    most = max(max(one.length, one.high) for one in lengths)
    top = most * 1.05
    last = max(len(lengths) - 1, 1)
    plot = Plot(300, left=64, top=50, right=24, bottom=50)

    def points(values: Sequence[float]) -> list[str]:
        return [
            f"{plot.x(place / last):.1f},{plot.y(value / top):.1f}"
            for place, value in enumerate(values)
        ]

    upper = points([one.high for one in lengths])
    lower = points([one.low for one in lengths])
    band = " ".join([*upper, *reversed(lower)])
    curve = " ".join(points([one.length for one in lengths]))
    words = (
        f"Mean update by round, in clip norms: {lengths[0].length:.3g} in the first,"
        f" {lengths[-1].length:.3g} in the last; noise alone would be {lengths[-1].low:.3g} to"
        f" {lengths[-1].high:.3g}."
    )
    parts = [
        text(plot.left, 22, "How long the mean update of each round was"),
        text(plot.left, 40, "in clip norms", "small"),
        *plot.levels((i / 4, f"{i / 4 * top:.2g}") for i in range(5)),
        element("polygon", points=band, class_="area"),
        element("polyline", points=curve, class_="curve"),
        *plot.ticks([(0.0, "1", "first"), (1.0, str(len(lengths)), "last")]),
        text(WIDE / 2, plot.height - 12, "round of training", "middle"),
    ]
    levels = tuple(one.length / top for one in lengths)
    return Picture(
        picture(words, plot.height, *parts),
        (Spoken(words, curve=levels),),
        legend=(
            Key("tone0", "mean update as opened"),
            Key("area", "95 % range of noise alone"),
        ),
    )


def effects_picture(effects: Sequence[Effect]) -> Picture:
    """Effects as points with their intervals, around no effect."""
    most = max(max(abs(one.low), abs(one.high)) for one in effects) or 1.0
    height = 34 + _STEP * len(effects) + 40
    plot = Plot(height, left=_NAMES, top=34, right=24, bottom=40)

    def x(value: float) -> float:
        return plot.x((value / most + 1) / 2)

    parts: list[Markup] = [
        text(0, 18, "Change of the score, with 95 % intervals over noise"),
        line(x(0), plot.y(1), x(0), plot.y(0), "axis"),
        *plot.ticks(
            [
                (0.0, f"{-most:.1f}", "first"),
                (0.5, "0", "middle"),
                (1.0, f"+{most:.1f}", "last"),
            ]
        ),
    ]
    for place, effect in enumerate(effects):
        y = 34 + _STEP * (place + 0.5)
        at = number(x(effect.size))
        parts += [
            text(_NAMES - 10, y + 4, _cut(effect.name), "last"),
            line(x(effect.low), y, x(effect.high), y, "staircase"),
            element("circle", cx=at, cy=number(y), r=4, class_="mark"),
        ]
    first = effects[0]
    words = (
        f"Largest effect: {first.name}, {first.size:+.2f} ({first.low:+.2f} to {first.high:+.2f})."
    )
    return Picture(picture(words, plot.height, *parts), (Spoken(words),))


def _cut(name: str) -> str:
    if len(name) <= _LETTERS:
        return name
    return f"{name[: _LETTERS - 1]}…"
