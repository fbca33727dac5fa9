"""Epsilon against rounds as a picture: on the plan's page, or as one SVG file that stands alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.report.markup import element
from securefl.report.page import Picture, Spoken
from securefl.report.svg import WIDE, Plot, line, number, picture, picture_alone, text

if TYPE_CHECKING:
    from markupsafe import Markup

    from securefl.report.plan_training import TrainedPlan

_PLOT = Plot(400, left=64, top=56, right=24, bottom=56)


def plan_picture(plan: TrainedPlan) -> Picture:
    """The picture for the plan's page."""
    top = float(plan.curve[-1][1])
    curve = tuple(float(epsilon) / top for _, epsilon in plan.curve)
    words = _words(plan)
    svg = picture(words, _PLOT.height, *_parts(plan))
    spoken = Spoken(words, curve=curve)
    return Picture(svg, (spoken,))


def plan_svg(plan: TrainedPlan) -> str:
    """The picture as a file. Text from the study is escaped; there is no script and nothing is
    fetched.
    """
    return picture_alone(_words(plan), _PLOT.height, *_parts(plan))


def _words(plan: TrainedPlan) -> str:
    most, top = plan.curve[-1]
    return (
        f"Epsilon grows with the rounds: {_planned(plan):.2f} at {plan.rounds} as planned,"
        f" {top:.2f} at {most}, with the noise as it is."
    )


def _planned(plan: TrainedPlan) -> float:
    return next(float(e) for n, e in plan.curve if n == plan.rounds)


def _parts(plan: TrainedPlan) -> list[Markup]:
    most = plan.curve[-1][0]
    top = float(plan.curve[-1][1])
    levels = _ticks(top)
    high = max(top, levels[-1])

    def point(rounds: float, epsilon: float) -> tuple[float, float]:
        return _PLOT.x(rounds / most), _PLOT.y(epsilon / high)

    places = (point(rounds, float(epsilon)) for rounds, epsilon in plan.curve)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    planned = _planned(plan)
    x, y = point(plan.rounds, planned)
    return [
        text(_PLOT.left, 26, f"{plan.study}: what one patient pays, by rounds of training"),
        text(_PLOT.left, 44, f"epsilon at delta {float(plan.delta):g}", "small"),
        *_PLOT.levels((value / high, f"{value:g}") for value in levels),
        *_PLOT.ticks((value / most, f"{value:g}", "middle") for value in _ticks(most)),
        text(WIDE - _PLOT.right, _PLOT.height - 12, "rounds", "last"),
        element("polyline", points=points, class_="curve"),
        line(x, _PLOT.y(0), x, y, "guide"),
        element("circle", cx=number(x), cy=number(y), r=5, class_="mark"),
        text(x + 10, y + 18, f"as planned: {plan.rounds} rounds, epsilon {planned:.2f}"),
    ]


def _ticks(most: float) -> list[float]:
    """Round figures from 0 to ``most`` or a little less, four to eight of them.

    >>> _ticks(160), _ticks(2.3)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0], [0.0, 0.5, 1.0, 1.5, 2.0])
    """
    rough = most / 8
    power = 10.0 ** math.floor(math.log10(rough))
    steps = [size * power for size in (1, 2, 5, 10)]
    step = next(size for size in steps if size >= rough)
    count = int(most / step + 1e-9)
    return [round(i * step, 9) for i in range(count + 1)]
