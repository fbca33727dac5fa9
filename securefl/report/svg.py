"""Parts of inline SVG, and the axes of a plot.

No script and no inline style: colours are classes of ``static/picture.css``, so that print and
screen can differ, and nothing is told by colour alone. Coordinates are user units; a page column is
:data:`WIDE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from securefl.report.markup import element

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDE = 720


def picture(words: str, height: float, *parts: Markup) -> Markup:
    """The picture, with a sentence for those who do not see it."""
    return element(
        "svg",
        element("title", words),
        *parts,
        viewBox=f"0 0 {WIDE} {number(height)}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def own_sheet() -> Markup:
    """The stylesheet of pictures, for one that stands alone."""
    folder = files("securefl.report") / "static"
    sheet = (folder / "picture.css").read_text("utf-8")
    return element("style", Markup(sheet))  # noqa: S704 - a file of this package


def picture_alone(words: str, height: float, *parts: Markup) -> str:
    """The picture as the text of a file: on paper of its own, and nothing is fetched."""
    paper = element("rect", width=WIDE, height=number(height), class_="paper")
    return f"{picture(words, height, own_sheet(), paper, *parts)}\n"


def number(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def text(
    x: float,
    y: float,
    words: str,
    class_: str = "",
) -> Markup:
    """Words at a point."""
    return element("text", words, x=number(x), y=number(y), class_=class_ or None)


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    class_: str,
) -> Markup:
    """A straight line."""
    return element(
        "line",
        x1=number(x1),
        y1=number(y1),
        x2=number(x2),
        y2=number(y2),
        class_=class_,
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    class_: str,
) -> Markup:
    """A rectangle; a negative width is none."""
    return element(
        "rect",
        x=number(x),
        y=number(y),
        width=number(max(0.0, width)),
        height=number(height),
        class_=class_,
    )


@dataclass(frozen=True)
class Plot:
    """The field between two axes: parts of 0 to 1, from its lower left corner, to coordinates."""

    height: float
    left: float
    top: float
    right: float
    bottom: float

    def x(self, part: float) -> float:
        """From left to right."""
        return self.left + (WIDE - self.left - self.right) * part

    def y(self, part: float) -> float:
        """From below to above."""
        return self.top + (self.height - self.top - self.bottom) * (1 - part)

    def levels(self, levels: Iterable[tuple[float, str]]) -> list[Markup]:
        """The upright axis: a line across at each level, with words before it."""
        parts = []
        for part, words in levels:
            y = self.y(part)
            parts += [
                line(self.left, y, WIDE - self.right, y, "grid" if part else "axis"),
                text(self.left - 6, y + 4, words, "last"),
            ]
        return parts

    def ticks(self, ticks: Iterable[tuple[float, str, str]]) -> list[Markup]:
        """The level axis: marks below the field with words, each with its place beside its mark
        (``first``, ``middle`` or ``last``).
        """
        parts = []
        for part, words, place in ticks:
            x = self.x(part)
            y = self.y(0)
            parts += [line(x, y, x, y + 5, "axis"), text(x, y + 19, words, place)]
        return parts
