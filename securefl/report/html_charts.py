"""Pictures as inline SVG: no script, no inline style, and nothing told by colour alone.

Each has a sentence for those who do not see it, and the table beside it has the same figures.
Colours are classes of the stylesheet, so that print and screen can differ. Coordinates are user
units; a page column is :data:`WIDE`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from securefl.report.html_parts import Html, joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDE = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 30
#: About the width of a digit and of a letter at the size of labels.
_DIGIT, _LETTER = 8, 6.6


@dataclass(frozen=True)
class Segment:
    """A study's part of the bar. ``share`` is of the whole budget, 0 to 1."""

    label: str
    share: float


def _picture(words: str, height: float, *parts: Html) -> Html:
    return tag(
        "svg",
        tag("title", words),
        *parts,
        viewBox=f"0 0 {WIDE} {_n(height)}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, words: str, class_: str = "") -> Html:
    return tag("text", words, x=_n(x), y=_n(y), class_=class_ or None)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    return tag("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=class_)


def _box(x: float, y: float, width: float, height: float, class_: str) -> Html:
    return tag(
        "rect", x=_n(x), y=_n(y), width=_n(max(0.0, width)), height=_n(height), class_=class_
    )


def budget_bar(segments: Sequence[Segment], words: str) -> Html:
    """The budget as a bar: a piece for every study with its number in it, the rest left pale.

    Args:
        segments: in the order of approval; shares of 0 to 1 that add up to 1 at most.
        words: the picture in a sentence.
    """
    top, height, x = 4.0, 34.0, 1.0
    whole = WIDE - 2.0
    parts = [_box(x, top, whole, height, "left")]
    for i, s in enumerate(segments):
        width = min(s.share * whole, WIDE - 1 - x)
        parts.append(_box(x, top, width, height, f"used tone{i % 2}"))
        if width > _DIGIT * len(s.label) + 6:
            parts.append(_text(x + width / 2, top + height / 2 + 5, s.label, "inside"))
        x += width
    parts.append(_box(1, top, whole, height, "frame"))
    for percent in (0, 25, 50, 75, 100):
        at = 1 + whole * percent / 100
        parts.append(_line(at, top + height, at, top + height + 5, "axis"))
        parts.append(
            _text(
                at,
                top + height + 18,
                f"{percent} %",
                {0: "first", 100: "last"}.get(percent, "middle"),
            )
        )
    return _picture(words, top + height + 24, *parts)


@dataclass(frozen=True)
class Spent:
    """After a change: what is charged and what is granted and in force, as shares of today's
    budget.
    """

    at: str
    used: float
    granted: float


def spending(steps: Sequence[Spent], until: str, words: str, *, height: float = 200) -> Html:
    """Spending over time as a staircase under the line of what was granted. Both end at ``until``:
    nothing is known after it.

    Args:
        steps: in the order of time (UTC, ISO 8601), one or more.
        until: now.
        words: the picture in a sentence.
        height: of the picture.
    """
    start, now = _time(steps[0].at), _time(until)
    end = now
    if end - start < timedelta(hours=1):  # one moment has no width
        end = start + timedelta(hours=1)
    wide, high = WIDE - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    levels = _levels(max(1.0, *(max(s.used, s.granted) for s in steps)))

    def x(at: datetime) -> float:
        return _LEFT + wide * ((at - start) / (end - start))

    def y(share: float) -> float:
        return _TOP + high * (1 - share / levels[-1])

    def stairs(values: Sequence[float]) -> str:
        path = f"M{_n(x(start))} {_n(y(values[0]))}"
        for step, value in zip(steps[1:], values[1:], strict=True):
            path += f"H{_n(x(_time(step.at)))}V{_n(y(value))}"
        return path + f"H{_n(x(now))}"

    used = stairs([s.used for s in steps])
    parts = [tag("path", d=f"{used}V{_n(y(0))}H{_n(x(start))}Z", class_="area")]
    for share in levels:
        level = y(share)
        parts += [
            _line(_LEFT, level, WIDE - _RIGHT, level, "axis" if share == 0 else "grid"),
            _text(_LEFT - 6, level + 4, f"{100 * share:.0f} %", "last"),
        ]
    if now < end:
        parts += [
            _line(x(now), _TOP, x(now), y(0), "grid"),
            _text(x(now) + 4, _TOP + 10, "now", "first"),
        ]
    parts.append(tag("path", d=used, class_="staircase"))
    parts.append(tag("path", d=stairs([s.granted for s in steps]), class_="granted"))
    for moment, spoken in _ticks(start, end):
        place = "first" if moment == start else "last" if moment == end else "middle"
        parts += [
            _line(x(moment), y(0), x(moment), y(0) + 5, "axis"),
            _text(x(moment), y(0) + 19, spoken, place),
        ]
    return _picture(words, height, *parts)


def _levels(most: float) -> list[float]:
    """Levels of the axis from 0 to ``most`` or just above it, as shares; 100 % is the top where
    nothing was more.
    """
    step = next(
        s * 10**n for n in range(6) for s in (0.25, 0.5, 1.0) if most <= 5 * s * 10**n or n == 5
    )
    if most <= 1:
        step = 0.25
    return [i * step for i in range(math.ceil(most / step - 1e-9) + 1)]


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _ticks(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Both ends and at most four moments between, spoken as days, or as times within a day or two."""
    length = end - start
    shape = (
        "%H:%M"
        if start.date() == end.date()
        else "%d %b %H:%M"
        if length < timedelta(days=5)
        else "%d %b %Y"
    )
    at = [start + length * i / 5 for i in range(6)]
    if length >= timedelta(days=5):
        at = [
            a if a in {start, end} else a.replace(hour=0, minute=0, second=0, microsecond=0)
            for a in at
        ]
    return [(a, a.astimezone(UTC).strftime(shape)) for a in at]


@dataclass(frozen=True)
class Sent:
    """How much of what a study reserved it has sent: counts of noised releases."""

    label: str
    sent: int
    reserved: int
    words: str


def releases(rows: Sequence[Sent], words: str) -> Html:
    """What each study sent (dark) of what it reserved and paid for (pale), a bar for each.

    Args:
        rows: in the order of the studies' numbers.
        words: the picture in a sentence.
    """
    step, bar = 24.0, 14.0
    label = min(240.0, max(len(r.label) for r in rows) * _LETTER + 12)
    figures = max(len(r.words) for r in rows) * _LETTER + 8
    wide = WIDE - label - figures
    most = max(r.reserved for r in rows)
    parts: list[Html] = []
    for i, r in enumerate(rows):
        top = 2 + i * step
        parts += [
            _text(0, top + bar - 2, _cut(r.label, int((label - 8) / _LETTER))),
            _box(label, top, wide * r.reserved / most, bar, "left frame"),
            _box(label, top, wide * r.sent / most, bar, "used tone0"),
            _text(label + wide * r.reserved / most + 6, top + bar - 2, r.words),
        ]
    return _picture(words, len(rows) * step + 2, *parts)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """What the fills mean: ``(class, words)``."""
    items = [
        tag(
            "span",
            tag(
                "svg",
                _line(0, 6, 18, 6, fill) if fill == "granted" else _box(0.5, 0.5, 17, 11, fill),
                viewBox="0 0 18 12",
                aria_hidden="true",
            ),
            words,
            class_="key",
        )
        for fill, words in entries
    ]
    return tag("p", joined(*items), class_="legend")
