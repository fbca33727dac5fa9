"""Pictures of a budget and of what left: inline SVG with the same in words, and with what a terminal
draws in their place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from securefl.report.markup import element
from securefl.report.page import Key, Picture, Spoken
from securefl.report.svg import WIDE, Plot, box, line, number, picture, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from securefl.report.page import Bar

#: About the width of a digit at the size of labels.
_DIGIT = 8
#: About the width of a letter at that size.
_LETTER = 6.6
#: Points of a curve in a terminal.
_POINTS = 40


def small_bar(bar: Bar) -> Markup:
    """A budget beside its words: used, asked for, left."""
    used = min(100.0, max(0.0, float(bar.used) * 100))
    asked = min(100.0 - used, max(0.0, float(bar.asked) * 100))
    return element(
        "svg",
        box(0, 0, 100, 6, "left"),
        box(0, 0, used, 6, "used tone0"),
        box(used, 0, asked, 6, "asked"),
        box(0, 0, 100, 6, "frame"),
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def swatch(fill: str) -> Markup:
    """A sample of a legend's fill."""
    sample = box(0.5, 0.5, 17, 11, fill)
    if fill == "granted":
        sample = line(0, 6, 18, 6, fill)
    return element("svg", sample, viewBox="0 0 18 12", aria_hidden="true")


@dataclass(frozen=True)
class Segment:
    """A study's part of the bar. ``share`` is of the whole budget, 0 to 1."""

    label: str
    share: float


def budget_bar(segments: Sequence[Segment], words: str, caption: str = "") -> Picture:
    """The budget as a bar: a piece for every study with its number in it, the rest left pale.

    Args:
        segments: in the order of approval; shares of 0 to 1 that add up to 1 at most.
        words: the picture in a sentence.
        caption: below it.
    """
    top = 4.0
    height = 34.0
    x = 1.0
    whole = WIDE - 2.0
    parts = [box(x, top, whole, height, "left")]
    for i, s in enumerate(segments):
        room = WIDE - 1 - x
        width = min(s.share * whole, room)
        parts.append(box(x, top, width, height, f"used tone{i % 2}"))
        if width > _DIGIT * len(s.label) + 6:
            middle = x + width / 2
            base = top + height / 2 + 5
            parts.append(text(middle, base, s.label, "inside"))
        x += width
    parts.append(box(1, top, whole, height, "frame"))
    bottom = top + height
    for percent in (0, 25, 50, 75, 100):
        at = 1 + whole * percent / 100
        place = {0: "first", 100: "last"}.get(percent, "middle")
        parts += [
            line(at, bottom, at, bottom + 5, "axis"),
            text(at, bottom + 18, f"{percent} %", place),
        ]
    pieces = tuple((s.share, "█▒"[i % 2]) for i, s in enumerate(segments))
    taken = sum(share for share, _ in pieces)
    rest = (max(0.0, 1.0 - taken), "░")
    svg = picture(words, bottom + 24, *parts)
    return Picture(svg, (Spoken(words, bar=(*pieces, rest)),), caption)


@dataclass(frozen=True)
class Spent:
    """After a change: what is charged and what is granted and in force, as shares of today's
    budget.
    """

    at: str
    used: float
    granted: float


def spending(
    steps: Sequence[Spent],
    until: str,
    words: str,
    *,
    caption: str = "",
    height: float = 200,
) -> Picture:
    """Spending over time as a staircase under the line of what was granted. Both end at ``until``:
    nothing is known after it.

    Args:
        steps: in the order of time (UTC, ISO 8601), one or more.
        until: now.
        words: the picture in a sentence.
        caption: below it.
        height: of the picture.
    """
    start = _time(steps[0].at)
    now = _time(until)
    # One moment has no width.
    end = max(now, start + timedelta(hours=1))
    length = end - start
    most = max(max(s.used, s.granted) for s in steps)
    levels = _levels(max(1.0, most))
    highest = levels[-1]
    plot = Plot(height, left=46, top=14, right=14, bottom=30)

    def x(at: datetime) -> float:
        return plot.x((at - start) / length)

    def stairs(values: Sequence[float]) -> str:
        y = [number(plot.y(value / highest)) for value in values]
        path = f"M{number(x(start))} {y[0]}"
        for step, level in zip(steps[1:], y[1:], strict=True):
            path += f"H{number(x(_time(step.at)))}V{level}"
        return path + f"H{number(x(now))}"

    used = stairs([s.used for s in steps])
    below = f"{used}V{number(plot.y(0))}H{number(x(start))}Z"
    parts = [
        element("path", d=below, class_="area"),
        *plot.levels((level / highest, f"{100 * level:.0f} %") for level in levels),
    ]
    if now < end:
        at_now = x(now)
        parts += [
            line(at_now, plot.top, at_now, plot.y(0), "grid"),
            text(at_now + 4, plot.top + 10, "now", "first"),
        ]
    granted = stairs([s.granted for s in steps])
    parts += [
        element("path", d=used, class_="staircase"),
        element("path", d=granted, class_="granted"),
        *plot.ticks(
            ((at - start) / length, spoken, _place(at, start, end))
            for at, spoken in _ticks(start, end)
        ),
    ]
    met = []
    for i in range(_POINTS + 1):
        at = start + (now - start) * i / _POINTS
        met.append(_last_before(steps, at))
    used_curve = tuple(s.used / highest for s in met)
    granted_curve = tuple(s.granted / highest for s in met)
    legend = (
        Key("area", "charged, in per cent of today's budget", used_curve),
        Key("granted", "granted and in force (dashed line)", granted_curve),
    )
    return Picture(picture(words, height, *parts), (Spoken(words),), caption, legend)


def _last_before(steps: Sequence[Spent], at: datetime) -> Spent:
    """The state in force at a moment that is no earlier than the first step."""
    before = [step for step in steps if _time(step.at) <= at]
    return before[-1]


def _place(at: datetime, start: datetime, end: datetime) -> str:
    return {start: "first", end: "last"}.get(at, "middle")


def _levels(most: float) -> list[float]:
    """Levels of the axis from 0 to ``most`` or just above it, as shares; 100 % is the top where
    nothing was more.
    """
    step = 0.25
    if most > 1:
        sizes = [size * 10**n for n in range(5) for size in (0.25, 0.5, 1.0)]
        # Five steps of the largest are more than any budget was passed by.
        step = next((size for size in sizes if most <= 5 * size), 25_000.0)
    count = math.ceil(most / step - 1e-9)
    return [i * step for i in range(count + 1)]


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _ticks(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Both ends and at most four moments between, spoken as days, or as times within a day or two."""
    length = end - start
    between = [start + length * i / 5 for i in range(1, 5)]
    shape = "%d %b %H:%M"
    if start.date() == end.date():
        shape = "%H:%M"
    elif length >= timedelta(days=5):
        shape = "%d %b %Y"
        between = [at.replace(hour=0, minute=0, second=0, microsecond=0) for at in between]
    moments = (start, *between, end)
    return [(at, at.astimezone(UTC).strftime(shape)) for at in moments]


@dataclass(frozen=True)
class Sent:
    """Noised releases that a study reserved, and those that it sent."""

    label: str
    sent: int
    reserved: int
    words: str


def releases(
    rows: Sequence[Sent],
    words: str,
    *,
    caption: str = "",
) -> Picture:
    """Releases of each study as a bar: sent (dark), reserved and paid for (pale).

    Args:
        rows: in the order of the studies' numbers.
        words: what the picture shows; the rows follow.
        caption: below it.
    """
    step = 24.0
    high = 14.0
    longest_label = max(len(r.label) for r in rows)
    longest_words = max(len(r.words) for r in rows)
    label = min(240.0, longest_label * _LETTER + 12)
    figures = longest_words * _LETTER + 8
    wide = WIDE - label - figures
    most = max(r.reserved for r in rows)
    parts: list[Markup] = []
    for i, r in enumerate(rows):
        top = 2 + i * step
        base = top + high - 2
        name = _cut(r.label, int((label - 8) / _LETTER))
        reserved = wide * r.reserved / most
        sent = wide * r.sent / most
        parts += [
            text(0, base, name),
            box(label, top, reserved, high, "left frame"),
            box(label, top, sent, high, "used tone0"),
            text(label + reserved + 6, base, r.words),
        ]
    spoken = [Spoken(words)]
    for r in rows:
        unsent = r.reserved - r.sent
        pieces = ((r.sent / most, "█"), (unsent / most, "░"))
        spoken.append(Spoken(f"{r.label}: {r.words}.", bar=pieces))
    svg = picture(" ".join(line.words for line in spoken), len(rows) * step + 2, *parts)
    legend = (Key("tone0", "sent"), Key("left frame", "reserved, not sent"))
    return Picture(svg, tuple(spoken), caption, legend)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[: most - 1] + "…"
