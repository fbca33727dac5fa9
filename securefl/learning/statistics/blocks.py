"""Blocks of the released list: for each column a number a group and bin, for each cross table a
number a pair of levels.

A patient counts once in each block. The place follows from that patient's own encoded row
(:mod:`securefl.learning.encoding`) and public figures (rule 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from securefl.learning.encoding import column_features
from securefl.learning.tasks import task_of
from securefl.study.columns import CategoryColumn, NumericColumn
from securefl.study.statistics import column_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.features import Prepared
    from securefl.study.columns import Column, DataSpec
    from securefl.study.statistics import StatisticsSection
    from securefl.types import FloatArray, IntArray

NOT_RECORDED = "not recorded"
ALL = "all"


@dataclass(frozen=True)
class Block:
    """One column's or cross table's part of the list.

    Attributes:
        name: the column, or both columns of a table.
        start: its first number in the list.
        groups: names of its rows: groups of patients, or levels of a table's first column.
        cells: names of its columns: bins or levels, and "not recorded" last where the column may
            be missing.
        missing: whether the last of ``cells`` stands for "not recorded".
        scale: edges of the bins in the column's own unit, one more than bins; empty for levels.
        logarithmic: whether bins are equal in the logarithm.
        unit: of the column's numbers.
        table: whether it is a cross table.
    """

    name: str
    start: int
    groups: tuple[str, ...]
    cells: tuple[str, ...]
    missing: bool
    scale: tuple[float, ...] = ()
    logarithmic: bool = False
    unit: str = ""
    table: bool = False

    @property
    def size(self) -> int:
        """Numbers of the block."""
        return len(self.groups) * len(self.cells)

    @property
    def bins(self) -> int:
        """Cells that stand for something recorded."""
        return len(self.cells) - self.missing

    def of(self, total: IntArray) -> FloatArray:
        """The block's part of a list, float64[groups, cells]."""
        part = total[self.start : self.start + self.size].astype(np.float64)
        return part.reshape(len(self.groups), len(self.cells))


def blocks_of(section: StatisticsSection, data: DataSpec) -> tuple[Block, ...]:
    """The blocks of a stage, in the order of its file: columns, then tables."""
    found: list[Block] = []
    start = 0
    groups = _group_names(section, data)
    for name in section.columns:
        column = column_of(data, name)
        scale, logarithmic = _scale(column, section.bins)
        cells = bin_names(column, scale)
        block = Block(
            name=name,
            start=start,
            groups=groups,
            cells=cells,
            missing=column.missing == "flag",
            scale=scale,
            logarithmic=logarithmic,
            unit=getattr(column, "unit", ""),
        )
        found.append(block)
        start += block.size
    for first, second in section.tables:
        rows = column_of(data, first)
        columns = column_of(data, second)
        block = Block(
            name=f"{first} and {second}",
            start=start,
            groups=bin_names(rows, ()),
            cells=bin_names(columns, ()),
            missing=columns.missing == "flag",
            table=True,
        )
        found.append(block)
        start += block.size
    return tuple(found)


def places(section: StatisticsSection, data: DataSpec, rows: Prepared) -> IntArray:
    """The number of the list in which each row counts for each block, int64[m, blocks], rising.

    Args:
        section: the stage's table of the study file.
        data: the study's columns.
        rows: one row a patient.
    """
    blocks = blocks_of(section, data)
    groups = _groups(section, data, rows)
    columns = [
        block.start + groups * len(block.cells) + bins_of(data, name, section.bins, rows)
        for block, name in zip(blocks, section.columns, strict=False)
    ]
    for block, (first, second) in zip(blocks[len(columns) :], section.tables, strict=True):
        upper, lower = (bins_of(data, name, section.bins, rows) for name in (first, second))
        columns.append(block.start + upper * len(block.cells) + lower)
    return np.column_stack(columns).astype(np.int64)


def _group_names(section: StatisticsSection, data: DataSpec) -> tuple[str, ...]:
    if section.by_outcome:
        return task_of(data).strata
    if section.by is None:
        return (ALL,)
    return bin_names(column_of(data, section.by), ())


def _groups(section: StatisticsSection, data: DataSpec, rows: Prepared) -> IntArray:
    if section.by_outcome:
        return task_of(data).stratum(rows.y)
    if section.by is None:
        return np.zeros(len(rows.y), dtype=np.int64)
    return bins_of(data, section.by, section.bins, rows)


def _scale(column: Column, bins: int) -> tuple[tuple[float, ...], bool]:
    """Edges of a number's bins in its own unit, and whether they are equal in the logarithm."""
    if not isinstance(column, NumericColumn):
        return (), False
    low = float(column.low)
    high = float(column.high)
    if column.transform == "log":
        left = math.log(low)
        right = math.log(high)
        inner = [math.exp(left + (right - left) * i / bins) for i in range(1, bins)]
        return (low, *inner, high), True
    return (low, *(low + (high - low) * i / bins for i in range(1, bins)), high), False


def bin_names(column: Column, scale: Sequence[float]) -> tuple[str, ...]:
    """Names of a column's bins between the edges ``scale``, or of its levels; "not recorded" last
    where it may be missing.
    """
    if isinstance(column, NumericColumn):
        names = tuple(f"{a:.4g} to {b:.4g}" for a, b in pairwise(scale))
    elif isinstance(column, CategoryColumn):
        names = column.levels
    else:
        names = (column.false, column.true)
    if column.missing == "flag":
        return (*names, NOT_RECORDED)
    return names


def bins_of(
    data: DataSpec,
    name: str,
    bins: int,
    rows: Prepared,
) -> IntArray:
    """The bin or level of each row in one column, int64[m]; "not recorded" is the last."""
    column = column_of(data, name)
    block, flag = recorded_features(data, name, rows)
    if isinstance(column, NumericColumn):
        place: IntArray = np.floor((block[:, 0] + 1.0) / 2.0 * bins).astype(np.int64)
        place = np.clip(place, 0, bins - 1)
        last = bins
    else:
        # one feature for each level but the first; a boolean has one for "true"
        numbers = np.arange(1, block.shape[1] + 1, dtype=np.int64)
        place = (block > 0).astype(np.int64) @ numbers
        last = block.shape[1] + 1
    return np.where(flag, last, place).astype(np.int64)


def recorded_features(
    data: DataSpec, name: str, rows: Prepared
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Features of one column without its flag, float64[m, f], and where it is not recorded,
    bool[m].
    """
    column = column_of(data, name)
    start = 0
    for before in data.columns:
        if before.name == name:
            break
        start += len(column_features(before))
    width = len(column_features(column))
    block = rows.X[:, start : start + width].astype(np.float64)
    if column.missing == "flag":
        return block[:, :-1], block[:, -1] > 0
    return block, np.zeros(len(block), dtype=bool)
