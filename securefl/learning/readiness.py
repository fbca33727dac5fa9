"""Readiness of a table: what it holds of each declared column, and what looks wrong.

For the owner's screen only. No study reads any of it, so that no figure here can bend a model
(rule 10).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.learning.cells import DeclaredNumbers, DeclaredTexts
from securefl.study.columns import BooleanColumn, CategoryColumn, NumericColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.table import Cell, Table
    from securefl.study.columns import Column, DataSpec

#: Units differ by these factors: decimal places, milligrams and grams, and glucose in mg/dl and
#: mmol/l.
FACTORS: Final = (10.0, 1000.0, 18.0)
#: Bands of a declared range in a picture.
BANDS: Final = 10
#: Values outside the range from which on another unit is thought of: this share of those recorded,
#: and so many.
_OUTSIDE_SHARE: Final = 0.2
_OUTSIDE_LEAST: Final = 5
#: Share of the values outside that a factor must bring into the range.
_EXPLAINED: Final = 0.95
_SPELLINGS: Final = 5


@dataclass(frozen=True)
class Spelling:
    """A cell that differs from a declared text in its spelling only.

    Attributes:
        cell: as it stands in the table.
        meant: the declared text.
        rows: how many have it.
    """

    cell: str
    meant: str
    rows: int


@dataclass(frozen=True)
class Scale:
    """Factors that would bring values outside a declared range into it.

    Attributes:
        divide: fit when the values are divided by them.
        multiply: fit when the values are multiplied by them.
    """

    divide: tuple[float, ...] = ()
    multiply: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.divide or self.multiply)


@dataclass(frozen=True)
class ColumnLook:
    """One declared column of a table.

    Attributes:
        name: of the column.
        there: true where the table has it.
        cells: rows that are records.
        missing: of these, with nothing recorded.
        unread: with a text that is no value of the column.
        outside: with a number outside the declared range.
        least: smallest number; None where there is none.
        most: largest number.
        mean: of the places in the declared range, 0 to 1; of numbers only.
        spread: standard deviation of the same.
        labels: of the shares: edges of the bands, or the declared texts.
        shares: of the values that fit, by band or declared text.
        scale: factors of another unit.
        spellings: texts near a declared one, the most frequent first.
    """

    name: str
    there: bool = True
    cells: int = 0
    missing: int = 0
    unread: int = 0
    outside: int = 0
    least: float | None = None
    most: float | None = None
    mean: float = 0.0
    spread: float = 0.0
    labels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    scale: Scale = Scale()
    spellings: tuple[Spelling, ...] = ()

    @property
    def recorded(self) -> int:
        """Cells with a value of the column, inside its range or not."""
        return self.cells - self.missing - self.unread

    @property
    def missing_share(self) -> float:
        """Share of the cells with nothing recorded."""
        if not self.cells:
            return 0.0
        return self.missing / self.cells


@dataclass(frozen=True)
class TableLook:
    """A table beside the columns that a study declares.

    Attributes:
        rows: of the table.
        columns: in the order of the study, ranges of its label last.
        doubles: rows that repeat an earlier one in every declared column and the patient.
    """

    rows: int
    columns: tuple[ColumnLook, ...]
    doubles: int


def look_at(table: Table, spec: DataSpec) -> TableLook:
    """Look at every declared column of a table."""
    declared: list[Column] = [*spec.columns, *spec.label.ranges]
    looks = tuple(_column(table, column) for column in declared)
    names = [spec.patient, *spec.label.columns, *(column.name for column in spec.columns)]
    return TableLook(table.rows, looks, _doubles(table, names))


def _doubles(table: Table, names: Sequence[str]) -> int:
    columns = [table.columns[name] for name in names if name in table.columns]
    seen: set[int] = set()  # hashes: a million records of a wide table would fill the memory
    doubles = 0
    for row in range(table.rows):
        if row in table.malformed:
            continue
        record = hash(tuple(cells[row] for cells in columns))
        if record in seen:
            doubles += 1
        seen.add(record)
    return doubles


def _column(table: Table, column: Column) -> ColumnLook:
    if column.name not in table.columns:
        return ColumnLook(column.name, there=False)
    cells = [
        cell for row, cell in enumerate(table.columns[column.name]) if row not in table.malformed
    ]
    if isinstance(column, NumericColumn):
        return _numbers(column, cells, table.reading.decimal)
    return _texts(column, cells, table.reading.decimal)


def _numbers(column: NumericColumn, cells: list[Cell], decimal: str) -> ColumnLook:
    reader = DeclaredNumbers(column.missing_codes, decimal)
    values: list[float] = []
    unread = 0
    for cell in cells:
        value = reader.value(cell)
        if value is None:
            unread += 1
        elif isinstance(value, float):
            values.append(value)
    low = float(column.low)
    high = float(column.high)
    outside = [value for value in values if not low <= value <= high]
    places = [_place(column, value) for value in values if low <= value <= high]
    mean, spread = _moments(places)
    return ColumnLook(
        column.name,
        cells=len(cells),
        missing=len(cells) - len(values) - unread,
        unread=unread,
        outside=len(outside),
        least=min(values, default=None),
        most=max(values, default=None),
        mean=mean,
        spread=spread,
        labels=_edges(column),
        shares=_bands(places),
        scale=_scale(outside, len(values), low, high),
    )


def _place(column: NumericColumn, value: float) -> float:
    """Place of a value in the declared range: 0 at its low end, 1 at its high end."""
    low = float(column.low)
    high = float(column.high)
    if column.transform == "log":
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _edges(column: NumericColumn) -> tuple[str, ...]:
    low = float(column.low)
    high = float(column.high)
    edges = []
    for band in range(BANDS + 1):
        part = band / BANDS
        edge = low + (high - low) * part
        if column.transform == "log":
            edge = low * (high / low) ** part
        edges.append(f"{edge:.4g}")
    return tuple(edges)


def _bands(places: list[float]) -> tuple[float, ...]:
    counts = [0] * BANDS
    for place in places:
        band = min(int(place * BANDS), BANDS - 1)
        counts[band] += 1
    return _shares(counts)


def _shares(counts: Sequence[int]) -> tuple[float, ...]:
    total = max(sum(counts), 1)
    return tuple(count / total for count in counts)


def _moments(places: list[float]) -> tuple[float, float]:
    if not places:
        return 0.0, 0.0
    mean = math.fsum(places) / len(places)
    squares = math.fsum((place - mean) ** 2 for place in places)
    return mean, math.sqrt(squares / len(places))


def _scale(
    outside: list[float],
    recorded: int,
    low: float,
    high: float,
) -> Scale:
    """Factors that explain the values outside a range; none where they are few."""
    if len(outside) < max(_OUTSIDE_LEAST, _OUTSIDE_SHARE * recorded):
        return Scale()
    needed = _EXPLAINED * len(outside)

    def fits(factor: float) -> bool:
        inside = sum(1 for value in outside if low <= value * factor <= high)
        return inside >= needed

    return Scale(
        divide=tuple(factor for factor in FACTORS if fits(1 / factor)),
        multiply=tuple(factor for factor in FACTORS if fits(factor)),
    )


def _texts(
    column: CategoryColumn | BooleanColumn,
    cells: list[Cell],
    decimal: str,
) -> ColumnLook:
    declared: tuple[str, ...] = ()
    if isinstance(column, CategoryColumn):
        declared = column.levels
    if isinstance(column, BooleanColumn):
        declared = (column.false, column.true)
    reader = DeclaredTexts(declared, column.missing_codes, decimal)
    counts = [0] * len(declared)
    missing = 0
    unread = 0
    near: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        place = reader.place(cell)
        if isinstance(place, int):
            counts[place] += 1
        elif isinstance(place, str):
            missing += 1
        else:
            unread += 1
            meant = reader.near(cell or "")
            if meant is not None:
                near[cell or "", meant] += 1
    ordered = sorted(near.items(), key=lambda item: (-item[1], item[0]))
    return ColumnLook(
        column.name,
        cells=len(cells),
        missing=missing,
        unread=unread,
        labels=declared,
        shares=_shares(counts),
        spellings=tuple(Spelling(*texts, rows) for texts, rows in ordered[:_SPELLINGS]),
    )
