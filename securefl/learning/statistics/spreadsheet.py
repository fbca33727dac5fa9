"""Statistics as rows of a spreadsheet: one figure a row, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.stages.stage import FigureRow
from securefl.learning.statistics.blocks import NOT_RECORDED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.statistics.estimates import BlockFigures, Estimate, GroupFigures

#: Names of :data:`securefl.learning.statistics.estimates.QUARTILES`.
QUARTILE_NAMES = ("lower quartile", "median", "upper quartile")


def figure_rows(figures: BlockFigures) -> Iterator[FigureRow]:
    """The figures of one column; of a cross table, the count in each pair of levels."""
    for group in figures.groups:
        if figures.table:
            yield from _counts(figures, group)
            continue
        for name, found in _named(figures, group):
            yield FigureRow(figures.name, group.group, name, found.value, found.low, found.high)


def mean_name(figures: BlockFigures) -> str:
    """The name of a number's mean."""
    if figures.logarithmic:
        return "geometric mean"
    return "mean"


def _named(figures: BlockFigures, group: GroupFigures) -> Iterator[tuple[str, Estimate]]:
    yield "patients", group.patients
    if group.missing is not None:
        yield f"share {NOT_RECORDED}", group.missing
    for cell, share in zip(figures.cells, group.shares, strict=False):
        yield f"share of {cell}", share
    if group.mean is not None:
        yield mean_name(figures), group.mean
    if group.deviation is not None:
        yield "standard deviation", group.deviation
    yield from zip(QUARTILE_NAMES, group.quartiles, strict=False)


def _counts(figures: BlockFigures, group: GroupFigures) -> Iterator[FigureRow]:
    reach = 2 * figures.noise_sd
    for cell, count in zip(figures.cells, group.counts, strict=False):
        value = count if count >= reach else None
        yield FigureRow(
            figures.name, group.group, cell, value, max(count - reach, 0.0), count + reach
        )
