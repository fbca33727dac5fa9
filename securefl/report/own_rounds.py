"""Global models of single rounds on a hospital's own screen, with their exact figures there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.learning.tasks.told import Curves, Line
from securefl.report.curve_chart import curve_chart
from securefl.report.page import Page, Paragraph, Section, Table, Tone, page, section
from securefl.report.told import told_section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.looks import Looks
    from securefl.report.page import Block

#: Rounds that are listed; the others are in the picture and in the JSON.
_MOST_ROWS = 24


@dataclass(frozen=True)
class OwnRound:
    """The exact figure of one model.

    Attributes:
        after: training rounds that had made it.
        value: of the study's metric; NaN where it cannot be worked out.
        low: lower end of the 95 % interval over the sampling of patients; None where there is none.
        high: upper end.
    """

    after: int
    value: float
    low: float | None = None
    high: float | None = None


def own_rounds_page(
    name: str,
    metric: str,
    rounds: Sequence[OwnRound],
    least: float,
    looks: Looks | None = None,
) -> Page:
    """The page of ``securefl site model rounds``.

    Args:
        name: of the study.
        metric: name of the figure.
        rounds: of each model that is kept, in order.
        least: lowest value of the figure.
        looks: charged figures of all hospitals on the way; None where there are none here.
    """
    charged = None
    if looks is not None:
        charged = told_section(looks.told())
    if not rounds:
        return page(
            f"Models of {name}, round by round",
            Paragraph(
                "No model of a round is kept here: none was sent yet, or the models are too large.",
                Tone.WARN,
            ),
            charged,
        )
    return page(
        f"Models of {name}, round by round",
        _figures(metric, rounds, least),
        Paragraph(
            "These figures have no noise and are of your own patients. They stand on your screen"
            " only. Whoever passes them on, or leaves a study because of them, tells something of"
            " your patients that no budget has paid for.",
            Tone.QUIET,
        ),
        charged,
    )


def _figures(
    metric: str,
    rounds: Sequence[OwnRound],
    least: float,
) -> Section:
    chosen = list(rounds)
    if len(chosen) > _MOST_ROWS:
        step = -(-len(chosen) // _MOST_ROWS)
        chosen = [*chosen[:-1:step], chosen[-1]]
    rows = tuple((str(one.after), _value(one.value), _interval(one)) for one in chosen)
    heads = ("after rounds", metric, "95 %, sampling of patients")
    parts: list[Block] = [Table(heads, rows, frozenset({0, 1}))]
    known = [one for one in rounds if not math.isnan(one.value)]
    if len(known) > 1:
        parts.insert(0, curve_chart(_curve(metric, known, least)))
    return section(f"{metric} of the common model on your own held-out patients, exactly", *parts)


def _curve(
    metric: str,
    rounds: Sequence[OwnRound],
    least: float,
) -> Curves:
    first = rounds[0].after
    last = rounds[-1].after
    middle = (least + 1.0) / 2
    return Curves(
        words=(
            f"{metric} from {rounds[0].value:.3f} after {first} rounds to"
            f" {rounds[-1].value:.3f} after {last}."
        ),
        places=tuple((one.after - first) / (last - first) for one in rounds),
        ticks=((0.0, str(first)), (1.0, f"{last} rounds")),
        levels=tuple((mark, f"{mark:g}") for mark in (least, middle, 1.0)),
        lines=(_line(metric, rounds),),
    )


def _line(
    metric: str,
    rounds: Sequence[OwnRound],
) -> Line:
    values = tuple(one.value for one in rounds)
    low = tuple(_end(one.low, one.value) for one in rounds)
    high = tuple(_end(one.high, one.value) for one in rounds)
    return Line(metric, values, low, high)


def _end(
    end: float | None,
    value: float,
) -> float:
    return value if end is None or math.isnan(end) else end


def _value(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _interval(one: OwnRound) -> str:
    if one.low is None or one.high is None or math.isnan(one.low):
        return "–"
    return f"{one.low:.3f} to {one.high:.3f}"
