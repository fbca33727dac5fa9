"""Epsilon against rounds as a picture: one SVG file that stands alone, with its figures in words
for those who do not see it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from securefl.report.plan import StudyPlan

_WIDE, _HIGH = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 56, 56
_STYLE = (
    "text{font:14px"
    " system-ui,sans-serif;fill:#222}.small{font-size:12px;fill:#555}.axis{stroke:#888;stroke-width:1}"
    ".grid{stroke:#ddd;stroke-width:1}.curve{fill:none;stroke:#1f5fa8;stroke-width:2.5}.mark{fill:#1f5fa8}.guide{stroke:#1f5fa8;stroke-dasharray:4 4}"
)


def plan_svg(plan: StudyPlan) -> str:
    """The picture. Text from the study is escaped; there is no script and nothing is fetched."""
    most, top = plan.curve[-1][0], float(plan.curve[-1][1])
    ticks_x, ticks_y = _ticks(most), _ticks(top)
    high = max(top, ticks_y[-1])

    def x(rounds: float) -> float:
        return _LEFT + rounds / most * (_WIDE - _LEFT - _RIGHT)

    def y(epsilon: float) -> float:
        return _HIGH - _BOTTOM - epsilon / high * (_HIGH - _TOP - _BOTTOM)

    planned = next(float(e) for n, e in plan.curve if n == plan.rounds)
    words = (
        f"Epsilon grows with the rounds: {planned:.2f} at {plan.rounds} as planned, {top:.2f} at"
        f" {most}, with the noise as it is."
    )
    points = " ".join(f"{x(n):.1f},{y(float(e)):.1f}" for n, e in plan.curve)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" role="img"'
            f' aria-label="{escape(words, {chr(34): "&quot;"})}">'
        ),
        f"<title>{escape(words)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDE}" height="{_HIGH}" fill="#fff"/>',
        (
            f'<text x="{_LEFT}" y="26">{escape(plan.study)}: what one patient pays, by rounds of'
            " training</text>"
        ),
        f'<text class="small" x="{_LEFT}" y="44">epsilon at delta {float(plan.delta):g}</text>',
    ]
    for value in ticks_y:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y(value):.1f}"'
            f' y2="{y(value):.1f}"/>'
        )
        parts.append(
            f'<text class="small" x="{_LEFT - 8}" y="{y(value) + 4:.1f}"'
            f' text-anchor="end">{value:g}</text>'
        )
    parts += [
        f'<text class="small" x="{x(value):.1f}" y="{_HIGH - _BOTTOM + 20}"'
        f' text-anchor="middle">{value:g}</text>'
        for value in ticks_x
    ]
    parts += [
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>',
        (
            f'<text class="small" x="{_WIDE - _RIGHT}" y="{_HIGH - 12}"'
            ' text-anchor="end">rounds</text>'
        ),
        f'<polyline class="curve" points="{points}"/>',
        (
            f'<line class="guide" x1="{x(plan.rounds):.1f}" x2="{x(plan.rounds):.1f}"'
            f' y1="{y(0):.1f}" y2="{y(planned):.1f}"/>'
        ),
        f'<circle class="mark" cx="{x(plan.rounds):.1f}" cy="{y(planned):.1f}" r="5"/>',
        (
            f'<text x="{x(plan.rounds) + 10:.1f}" y="{y(planned) + 18:.1f}">as planned:'
            f" {plan.rounds} rounds, epsilon {planned:.2f}</text>"
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(most: float) -> list[float]:
    """Round figures from 0 to ``most`` or a little less, four to eight of them.

    >>> _ticks(160), _ticks(2.3)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 140.0, 160.0], [0.0, 0.5, 1.0, 1.5, 2.0])
    """
    rough = most / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    return [round(i * step, 9) for i in range(int(most / step + 1e-9) + 1)]
