"""Epsilon against what a model would reach: a table and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy.explain import percent
from securefl.report.markup import element
from securefl.report.page import (
    Notice,
    Page,
    Paragraph,
    Picture,
    Spoken,
    Table,
    Tone,
    page,
    section,
)
from securefl.report.svg import WIDE, Plot, line, number, picture, picture_alone, text
from securefl.report.words import bytes_words, decimal_words, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from securefl.designer.what_if import Choice, WhatIf
    from securefl.privacy.forecast import BudgetShare
    from securefl.simulation.facts import Spread

_PLOT = Plot(
    320,
    left=64,
    top=56,
    right=40,
    bottom=56,
)
#: Room above and below what is drawn, as a part of it.
_ROOM = 0.1


def what_if_page(found: WhatIf) -> Page:
    """The page of ``securefl study design --what-if``."""
    notice = Notice(
        "Simulation",
        (
            Paragraph(
                "These figures are simulated on rows that anybody may see. Nothing is protected."
            ),
        ),
        Tone.WARN,
    )
    return page(
        f"What if: {found.study} at other epsilons",
        notice,
        Paragraph(f"On {found.data}; {plural(found.repeat, 'run')} of each."),
        what_if_table(found),
        what_if_picture(found),
        section(
            "How to read it",
            f"The {found.metric} is exact, of all patients kept aside, as mean and standard deviation."
            " The interval is what the study would release. A hospital's budget is granted for many"
            " studies: less epsilon leaves room for more.",
        ),
    )


def what_if_table(found: WhatIf) -> Table:
    """A row for each epsilon."""
    named = next((choice.budgets for choice in found.choices if choice.budgets), ())
    heads = (
        "epsilon",
        f"{found.metric} to expect",
        "interval",
        "rounds",
        "a hospital sends",
        *(f"of a budget of {decimal_words(one.epsilon)}" for one in named),
    )
    rows = tuple(
        _row(
            found,
            choice,
            len(named),
        )
        for choice in found.choices
    )
    return Table(
        heads,
        rows,
        frozenset(range(len(heads))),
    )


def _row(found: WhatIf, choice: Choice, budgets: int) -> tuple[str, ...]:
    mark = " (designed)" if choice.epsilon == found.epsilon else ""
    first = f"{decimal_words(choice.epsilon)}{mark}"
    if choice.figure is None:
        return (first, "refused", choice.refused, *("",) * (2 + budgets))
    interval = "not simulated"
    if choice.low is not None and choice.high is not None:
        interval = f"{choice.low:.2f} to {choice.high:.2f}"
    return (
        first,
        _spread(choice.figure),
        interval,
        str(choice.rounds),
        bytes_words(choice.sent),
        *map(_budget, choice.budgets),
    )


def _spread(figure: Spread) -> str:
    if not figure.known:
        return "not known"
    return f"{figure.mean:.3f} ± {figure.sd:.3f}"


def _budget(share: BudgetShare) -> str:
    if share.part is None:
        return "does not fit"
    return f"{percent(share.part)}, room for {share.room}"


def what_if_picture(found: WhatIf) -> Picture | None:
    """The figure by epsilon; None where none is known."""
    known = _known(found)
    if not known:
        return None
    low, high = _range(known)
    levels = tuple((figure.mean - low) / (high - low) for _, figure in known)
    words = _words(found)
    svg = picture(words, _PLOT.height, *_parts(found))
    spoken = Spoken(words, curve=levels)
    return Picture(svg, (spoken,))


def what_if_svg(found: WhatIf) -> str:
    """The picture as a file that stands alone; empty where there is none."""
    if not _known(found):
        return ""
    return picture_alone(_words(found), _PLOT.height, *_parts(found))


def _known(found: WhatIf) -> list[tuple[Choice, Spread]]:
    return [
        (choice, choice.figure)
        for choice in found.choices
        if choice.figure is not None and choice.figure.known
    ]


def _words(found: WhatIf) -> str:
    said = ", ".join(
        f"{_spread(figure)} at epsilon {decimal_words(choice.epsilon)}"
        for choice, figure in _known(found)
    )
    return f"{found.metric} to expect: {said}."


def _range(known: Sequence[tuple[Choice, Spread]]) -> tuple[float, float]:
    """Lowest and highest value that is drawn, with room."""
    ends = [figure.mean + side * figure.sd for _, figure in known for side in (-1, 1)]
    room = max((max(ends) - min(ends)) * _ROOM, 0.005)
    return min(ends) - room, max(ends) + room


def _parts(found: WhatIf) -> list[Markup]:
    known = _known(found)
    low, high = _range(known)

    def x(place: int) -> float:
        return _PLOT.x((place + 0.5) / len(known))

    def y(value: float) -> float:
        return _PLOT.y((value - low) / (high - low))

    levels = [(i / 4, f"{low + i / 4 * (high - low):.3f}") for i in range(5)]
    ticks = [
        ((place + 0.5) / len(known), decimal_words(choice.epsilon), "middle")
        for place, (choice, _) in enumerate(known)
    ]
    points = " ".join(
        f"{x(place):.1f},{y(figure.mean):.1f}" for place, (_, figure) in enumerate(known)
    )
    parts = [
        text(
            _PLOT.left,
            26,
            f"{found.study}: {found.metric} to expect, by epsilon",
        ),
        text(
            _PLOT.left,
            44,
            "simulated: mean and standard deviation; protects nothing",
            "small",
        ),
        *_PLOT.levels(levels),
        *_PLOT.ticks(ticks),
        text(
            WIDE - _PLOT.right,
            _PLOT.height - 12,
            "epsilon of the whole study",
            "last",
        ),
        element(
            "polyline",
            points=points,
            class_="curve",
        ),
    ]
    for place, (_, figure) in enumerate(known):
        parts.append(
            line(
                x(place), y(figure.mean - figure.sd), x(place), y(figure.mean + figure.sd), "guide"
            )
        )
        parts.append(
            element(
                "circle",
                cx=number(x(place)),
                cy=number(y(figure.mean)),
                r=5,
                class_="mark",
            )
        )
    return parts
