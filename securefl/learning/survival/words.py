"""Survival curves in words, as a picture and as rows of a spreadsheet."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from securefl.learning.stages.stage import FigureRow
from securefl.learning.statistics.blocks import ALL
from securefl.learning.tasks.told import Curves, Line, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from securefl.learning.statistics.estimates import Estimate
    from securefl.learning.survival.figures import GroupCurve, SurvivalFigures
    from securefl.study.survival_label import TimeToEventLabel

_NOTE = (
    "95 % intervals; they count the noise and the sampling of patients. The noise on each number is"
    " {:.0f} (standard deviation)."
)


def told(
    figures: SurvivalFigures,
    label: TimeToEventLabel,
    by: str | None,
    units: str,
) -> Told:
    """The curves of a stage.

    Args:
        figures: from the released sum.
        label: the study's time to an event.
        by: the column that makes the groups, or None.
        units: what is counted, "patients" or "rows".
    """
    event = label.event_name
    unit = label.unit
    heads = tuple(group.group for group in figures.groups)
    if heads == (ALL,):
        heads = ("all hospitals together",)
    split = f" by {by}" if by else ""
    rows: list[tuple[str | None, ...]] = [
        (units, *(_count(group.patients) for group in figures.groups))
    ]
    for place, edge in enumerate(figures.edges):
        shares = (_percent(group.survival[place]) for group in figures.groups)
        rows.append((f"no {event} by {edge:g} {unit}", *shares))
    rows.append((f"median, {unit}", *(_median(group, figures) for group in figures.groups)))
    if figures.horizon:
        means = (_number(group.mean) for group in figures.groups)
        rows.append((f"mean up to {figures.horizon:g} {unit}", *means))
    return Told(
        metric=f"Time to {event}{split}",
        sentences=tuple(
            _sentences(
                figures,
                heads,
                unit,
            )
        ),
        header=("", *heads),
        cells=tuple(rows),
        note=_NOTE.format(figures.noise_sd),
        curves=(
            _curves(
                figures,
                heads,
                event,
                unit,
            ),
        ),
    )


def figure_rows(
    figures: SurvivalFigures,
    label: TimeToEventLabel,
) -> Iterator[FigureRow]:
    """One figure a row, with its interval; the p-value of the test has none."""
    event = label.event_name
    unit = label.unit
    name = f"time to {event}"
    for group in figures.groups:
        named: list[tuple[str, Estimate]] = [("patients", group.patients)]
        named += [
            (f"share without {event} by {edge:g} {unit}", share)
            for edge, share in zip(figures.edges, group.survival, strict=True)
        ]
        named += [
            (f"median in {unit}", group.median),
            (f"mean up to {figures.horizon:g} {unit}", group.mean),
        ]
        for figure, found in named:
            yield FigureRow(
                name,
                group.group,
                figure,
                found.value,
                found.low,
                found.high,
            )
    p = figures.p_value
    if p is not None:
        yield FigureRow(
            name,
            ALL,
            "p-value of the log-rank test",
            p,
            p,
            p,
        )


def _sentences(
    figures: SurvivalFigures,
    heads: Sequence[str],
    unit: str,
) -> Iterator[str]:
    if len(heads) > 1:
        yield _test_words(figures.p_value)
    for name, found in zip(heads[1:], figures.difference, strict=True):
        if found.value is None:
            continue
        yield (
            f"Up to {figures.horizon:g} {unit}, the mean of {name} less that of {heads[0]} is"
            f" {found.value:.3g} {unit} (95 % interval {found.low:.3g} to {found.high:.3g})."
        )


def _test_words(p: float | None) -> str:
    """The log-rank test in words.

    >>> _test_words(0.2)
    'The curves differ by no more than chance and noise explain (log-rank test, p = 0.2).'
    """
    if p is None:
        return "Whether the curves differ cannot be said: too few for the noise."
    shown = f"p = {p:.2g}" if p >= 0.0001 else "p < 0.0001"
    if p < 0.05:
        return f"The curves differ by more than chance and noise explain (log-rank test, {shown})."
    return f"The curves differ by no more than chance and noise explain (log-rank test, {shown})."


def _curves(
    figures: SurvivalFigures,
    heads: Sequence[str],
    event: str,
    unit: str,
) -> Curves:
    last = figures.edges[-1]
    lines = []
    for name, group in zip(heads, figures.groups, strict=True):
        start = (1.0, 1.0, 1.0)
        found = group.survival
        points = [start, *((f.value, f.low, f.high) for f in found if f.value is not None)]
        values, low, high = zip(*points, strict=True)
        lines.append(
            Line(
                name,
                values,
                low,
                high,
            )
        )
    return Curves(
        words=f"Share without {event} over {last:g} {unit}, with its 95 % interval.",
        places=(0.0, *(edge / last for edge in figures.edges)),
        ticks=_ticks((0.0, *figures.edges), unit),
        levels=tuple((level / 4, f"{25 * level} %") for level in range(5)),
        lines=tuple(lines),
    )


def _ticks(
    edges: Sequence[float],
    unit: str,
) -> tuple[tuple[float, str], ...]:
    """Marks that do not run into one another: at least a tenth of the axis apart."""
    last = edges[-1]
    kept = [edges[0]]
    for edge, _ in pairwise(edges):
        if edge - kept[-1] >= 0.1 * last and last - edge >= 0.1 * last:
            kept.append(edge)
    return (*((edge / last, f"{edge:g}") for edge in kept), (1.0, f"{last:g} {unit}"))


def _count(found: Estimate) -> str:
    return f"{found.low:,.0f} to {found.high:,.0f}"


def _percent(found: Estimate) -> str | None:
    if found.value is None:
        return None
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _number(found: Estimate) -> str | None:
    if found.value is None:
        return None
    return f"{found.value:.4g} ({found.low:.4g} to {found.high:.4g})"


def _median(
    group: GroupCurve,
    figures: SurvivalFigures,
) -> str | None:
    """The median; an upper end at the last edge stands for any time after it."""
    found = group.median
    last = figures.edges[-1]
    if found.low >= last:
        return f"after {last:g}"
    if found.value is None:
        return None
    high = f"{found.high:.4g}"
    if found.high >= last:
        high = f"after {last:g}"
    return f"{found.value:.4g} ({found.low:.4g} to {high})"
