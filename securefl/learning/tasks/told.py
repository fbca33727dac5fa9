"""Figures of a task in words: what pages, the model card and reports lay out. No markup."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bars:
    """A bar chart: shares of patients in neighbouring bands or in levels, for each group.

    Attributes:
        words: the picture in a sentence, for those who do not see it.
        labels: below the axis: of each bar, or of each edge between bars (one more).
        groups: name of a group and the heights of its bars, each in [0, 1].
    """

    words: str
    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True)
class Line:
    """One curve with its interval, point by point from the left; it may end early.

    Attributes:
        name: at its end in the picture.
        values: heights, on the scale of the picture's levels.
        low: lower ends of the interval.
        high: upper ends.
    """

    name: str
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """Curves over one axis.

    Attributes:
        words: the picture in a sentence, for those who do not see it.
        places: of the points on the axis, each in [0, 1].
        ticks: place and words of each mark below the axis.
        levels: height and words of each mark of the upright axis, from the lowest to the highest.
        lines: the curves.
    """

    words: str
    places: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]
    levels: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Told:
    """Figures in words.

    Attributes:
        metric: name of the figure that quality rules are judged on, as "AUC".
        headline: that figure, its interval first.
        short: its interval alone.
        rows: label and text of further figures.
        heading: over the sentences and the table, on the page of a finished study.
        sentences: what follows from them, a sentence each.
        header: of a table; empty where there is none.
        cells: its rows; None stands where nothing can be said.
        right: columns of numbers, counted from 0.
        note: how to read the table.
        lines: the table's rows as lines of text, for the model card.
        bars: pictures of them.
        curves: likewise.
        probability: whether the figures support reading a prediction as a probability.
    """

    metric: str = ""
    headline: str = ""
    short: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    heading: str = "Does a score mean what it says?"
    sentences: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    cells: tuple[tuple[str | None, ...], ...] = ()
    right: frozenset[int] = frozenset()
    note: str = ""
    lines: tuple[str, ...] = ()
    bars: tuple[Bars, ...] = ()
    curves: tuple[Curves, ...] = ()
    probability: bool = False
