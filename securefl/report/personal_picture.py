"""Picture of a comparison of models: by how much each changes the loss, as an interval about 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.report.page import Picture, Spoken
from securefl.report.svg import WIDE, box, line, picture, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from securefl.learning.personal.facts import Interval

#: Room for a model's name, and beside the scale's right end.
_NAME: Final = 250.0
_RIGHT: Final = 16.0
#: Room above the first row, a row's own, and below the last.
_TOP: Final = 26.0
_STEP: Final = 34.0
_FOOT: Final = 26.0
#: Height of an interval's bar.
_HIGH: Final = 12.0


@dataclass(frozen=True)
class ChangeRow:
    """A model's change of the loss.

    Attributes:
        name: of the model.
        change: with its interval.
        words: the same in words.
    """

    name: str
    change: Interval
    words: str

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends; the value itself where one is not known."""
        middle = self.change.value or 0.0
        low = self.change.low
        high = self.change.high
        if low is None or high is None:
            return middle, middle
        return low, high

    @property
    def reach(self) -> float:
        """The farther end's distance from no change."""
        low, high = self.ends
        return max(abs(low), abs(high))


@dataclass(frozen=True)
class _Scale:
    """From changes of the loss to coordinates; ``most`` lies at both ends."""

    most: float

    def x(self, change: float) -> float:
        wide = WIDE - _NAME - _RIGHT
        return _NAME + wide * self.part(change)

    def part(self, change: float) -> float:
        """0 at the left end, 1/2 at no change, 1 at the right end."""
        return (change / self.most + 1) / 2


def change_picture(rows: Sequence[ChangeRow], words: str) -> Picture:
    """Intervals of several changes on one scale, with a line at "no change".

    Args:
        rows: the models.
        words: the picture in a sentence.
    """
    most = max(row.reach for row in rows)
    scale = _Scale(most or 1.0)
    bottom = _TOP + _STEP * len(rows)
    parts = _axis(scale, bottom)
    spoken = [Spoken(words)]
    for place, row in enumerate(rows):
        parts += _row(row, scale, _TOP + _STEP * place + 8)
        said = f"{row.name}: {row.words}"
        spoken.append(Spoken(said, bar=_bar(row, scale)))
    title = " ".join(one.words for one in spoken)
    svg = picture(title, bottom + _FOOT, *parts)
    return Picture(svg, tuple(spoken))


def _axis(scale: _Scale, bottom: float) -> list[Markup]:
    middle = scale.x(0)
    return [
        text(scale.x(-scale.most), 14, "better than the study's model", "first"),
        text(scale.x(scale.most), 14, "worse", "last"),
        line(
            middle,
            _TOP - 4,
            middle,
            bottom,
            "guide",
        ),
        text(middle, bottom + 16, "no change", "middle"),
    ]


def _row(row: ChangeRow, scale: _Scale, top: float) -> list[Markup]:
    low, high = row.ends
    left = scale.x(low)
    wide = scale.x(high) - left
    parts = [
        text(0, top + _HIGH - 1, row.name),
        box(
            left,
            top,
            wide,
            _HIGH,
            "used tone1",
        ),
    ]
    if row.change.value is not None:
        mark = scale.x(row.change.value) - 2
        parts.append(
            box(
                mark,
                top - 3,
                4,
                _HIGH + 6,
                "tone0",
            )
        )
    return parts


def _bar(row: ChangeRow, scale: _Scale) -> tuple[tuple[float, str], ...]:
    """The interval on a bar whose middle is "no change"."""
    low, high = row.ends
    before = scale.part(low)
    within = scale.part(high) - before
    after = max(0.0, 1 - before - within)
    return (
        (before, "░"),
        (within, "█"),
        (after, "░"),
    )
