"""Statistics in words: one table a column or cross table, the interval beside each figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.statistics.blocks import ALL, NOT_RECORDED
from securefl.learning.statistics.spreadsheet import QUARTILE_NAMES, mean_name
from securefl.learning.tasks.told import Bars, Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.statistics.estimates import BlockFigures, Estimate

_NOTE = "95 % intervals; they count the noise and the sampling of patients."
_NOISE_NOTE = "The noise on each number is {:.0f} (standard deviation)."


def told(figures: BlockFigures, units: str) -> Told:
    """One column or cross table.

    Args:
        figures: from the released sum.
        units: what is counted, "patients" or "rows".
    """
    if figures.table:
        return _cross_table(figures, units)
    heads = tuple(group.group for group in figures.groups)
    if heads == (ALL,):
        heads = ("all hospitals together",)
    rows: list[tuple[str | None, ...]] = [
        (units, *(_count(group.patients) for group in figures.groups))
    ]
    if any(group.missing is not None for group in figures.groups):
        rows.append((NOT_RECORDED, *(_percent(group.missing) for group in figures.groups)))
    if figures.scale:
        rows += _number_rows(figures)
    else:
        for place, cell in enumerate(figures.cells):
            if cell == NOT_RECORDED:
                continue
            shares = (_percent(group.shares[place]) for group in figures.groups)
            rows.append((cell, *shares))
    name = figures.name
    if figures.unit:
        name = f"{figures.name} ({figures.unit})"
    return Told(
        metric=name,
        header=("", *heads),
        cells=tuple(rows),
        note=f"{_NOTE} {_NOISE_NOTE.format(figures.noise_sd)}",
        bars=(_bars(figures, heads),),
    )


def _bars(figures: BlockFigures, heads: Sequence[str]) -> Bars:
    """Shares of those with a record, by bin or level."""
    heights = []
    for group in figures.groups:
        whole = max(sum(group.counts), 1.0)
        heights.append(tuple(count / whole for count in group.counts))
    labels = tuple(f"{edge:.3g}" for edge in figures.scale) or figures.cells[: len(heights[0])]
    return Bars(
        f"Shares of patients by {figures.name}, each at least 0 and moved so that they add up.",
        labels,
        tuple(zip(heads, heights, strict=True)),
    )


def _number_rows(figures: BlockFigures) -> list[tuple[str | None, ...]]:
    groups = figures.groups
    rows: list[tuple[str | None, ...]] = [
        (mean_name(figures), *(_figure(group.mean) for group in groups))
    ]
    if not figures.logarithmic:
        rows.append(("standard deviation", *(_figure(group.deviation) for group in groups)))
    for place, name in enumerate(QUARTILE_NAMES):
        rows.append((name, *(_figure(group.quartiles[place]) for group in groups)))
    return rows


def _cross_table(figures: BlockFigures, units: str) -> Told:
    least = 2 * figures.noise_sd
    rows: list[tuple[str | None, ...]] = []
    for group in figures.groups:
        counts = (None if count < least else f"about {count:,.0f}" for count in group.counts)
        rows.append((group.group, *counts))
    recorded = tuple(cell for cell in figures.cells if cell != NOT_RECORDED)
    return Told(
        metric=f"{figures.name} ({units})",
        header=("", *recorded),
        cells=tuple(rows),
        note=(
            f"{_NOISE_NOTE.format(figures.noise_sd)} A number below twice that cannot be told from"
            " none."
        ),
        right=frozenset(range(1, len(recorded) + 1)),
    )


def _count(found: Estimate) -> str:
    return f"{found.low:,.0f} to {found.high:,.0f}"


def _percent(found: Estimate | None) -> str | None:
    if found is None:
        return "never"
    if found.value is None:
        return None
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _figure(found: Estimate | None) -> str | None:
    if found is None or found.value is None:
        return None
    return f"{found.value:.4g} ({found.low:.4g} to {found.high:.4g})"
