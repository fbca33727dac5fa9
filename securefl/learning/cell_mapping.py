"""Translation of a table's cells by its owner's mapping, each cell by itself (rule 10)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DecimalException
from typing import TYPE_CHECKING

from securefl.learning.cells import plain_number, with_point
from securefl.study.texts import text_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.table import Cell
    from securefl.study.table_mapping import ColumnMapping, TableMapping
    from securefl.study.texts import TextKey


@dataclass(frozen=True)
class MappingEffect:
    """Effect of a mapping on one column of a table, for its owner's screen alone.

    Attributes:
        column: name in the study.
        source: name in the table.
        there: False where the table has no such column.
        values: text of the table, the study's text, and how many cells have it.
        times: factor of its numbers; None where there is none.
        multiplied: cells that it multiplies.
        missing: cells that become "not recorded".
        kept: other cells with something in them, which stay as they are.
    """

    column: str
    source: str
    there: bool
    values: tuple[tuple[str, str, int], ...] = ()
    times: str | None = None
    multiplied: int = 0
    missing: int = 0
    kept: int = 0


class CellMapping:
    """Translation of the cells of one column.

    Args:
        column: as its owner declared it.
        decimal: the table's decimal sign.
    """

    def __init__(self, column: ColumnMapping, decimal: str) -> None:
        self._decimal = decimal
        self._texts = {text_key(text): text for text in column.values}
        self._values = column.values
        self._missing = {text_key(text) for text in column.missing}
        self._times = column.times

    def cell(self, cell: Cell) -> Cell:
        """The study's text for a cell; the cell itself where nothing is declared for it."""
        if cell is None:
            return None
        key = self._key(cell)
        if key in self._missing:
            return None
        text = self._texts.get(key)
        if text is not None:
            return self._values[text]
        if self._times is not None and self.is_number(cell):
            return self._product(cell, self._times)
        return cell

    def text(self, cell: str) -> str | None:
        """The declared text of the table that ``cell`` is; None where it is none."""
        return self._texts.get(self._key(cell))

    def is_missing(self, cell: str) -> bool:
        """True for a declared text that means "not recorded"."""
        return self._key(cell) in self._missing

    def is_number(self, cell: str) -> bool:
        """True for a number as tables are read."""
        return plain_number(cell, self._decimal) is not None

    def _key(self, cell: str) -> TextKey:
        return text_key(with_point(cell, self._decimal))

    def _product(self, cell: str, times: str) -> str:
        """The exact product, in the table's decimal sign."""
        digits = len(cell) + len(times)
        exact = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
        try:
            number = Decimal(with_point(cell, self._decimal))
            found = str(exact.multiply(number, Decimal(times)))
        except DecimalException:
            # A finite number with such an exponent is zero as a float, with any factor.
            return cell
        return found.replace(".", self._decimal)


def mapped_names(names: Sequence[str], mapping: TableMapping) -> tuple[str, ...]:
    """Names of a table's columns after the mapping; those that it does not name stay."""
    study = {mapping.origin(name): name for name in mapping.columns}
    return tuple(study.get(name, name) for name in names)


def mapped_columns(
    columns: Mapping[str, tuple[Cell, ...]],
    mapping: TableMapping,
    decimal: str,
) -> dict[str, tuple[Cell, ...]]:
    """Columns with translated cells.

    Args:
        columns: by their names after :func:`mapped_names`.
        mapping: of the table.
        decimal: the table's decimal sign.
    """
    made = dict(columns)
    for name, declared in mapping.columns.items():
        if name in made and declared.changes_cells:
            cells = CellMapping(declared, decimal)
            made[name] = tuple(cells.cell(cell) for cell in made[name])
    return made


def mapping_effects(
    columns: Mapping[str, tuple[Cell, ...]],
    mapping: TableMapping,
    decimal: str,
) -> tuple[MappingEffect, ...]:
    """Count what a mapping does to a table.

    Args:
        columns: of the table as it lies there, by their own names.
        mapping: of the table.
        decimal: the table's decimal sign.
    """
    return tuple(
        _effect(name, mapping, columns.get(mapping.origin(name)), decimal)
        for name in mapping.columns
    )


def _effect(
    name: str,
    mapping: TableMapping,
    cells: tuple[Cell, ...] | None,
    decimal: str,
) -> MappingEffect:
    declared = mapping.columns[name]
    source = mapping.origin(name)
    if cells is None:
        return MappingEffect(name, source, there=False)
    translation = CellMapping(declared, decimal)
    texts: Counter[str] = Counter()
    multiplied = 0
    missing = 0
    kept = 0
    for cell in cells:
        if cell is None:
            continue
        text = translation.text(cell)
        if translation.is_missing(cell):
            missing += 1
        elif text is not None:
            texts[text] += 1
        elif declared.times is not None and translation.is_number(cell):
            multiplied += 1
        else:
            kept += 1
    return MappingEffect(
        name,
        source,
        there=True,
        values=tuple((text, target, texts[text]) for text, target in declared.values.items()),
        times=declared.times,
        multiplied=multiplied,
        missing=missing,
        kept=kept,
    )
