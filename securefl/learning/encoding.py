"""Encoding of cells as features, one cell at a time, from what the study declares (rule 10)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from securefl.learning.cells import (
    DAMAGED,
    NOT_A_NUMBER,
    NOT_RECORDED,
    DeclaredNumbers,
    DeclaredTexts,
)
from securefl.learning.reading import DAMAGED_SIGN
from securefl.study.columns import BooleanColumn, CategoryColumn, Column, DataSpec, NumericColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.learning.table import Cell, Table

Float32Array = npt.NDArray[np.float32]
#: What a cell is encoded as: the place in its column's block and the value there (place -1: all
#: zero), or why its row is set aside.
Encoded: TypeAlias = tuple[int, float] | str
MALFORMED: Final = "the line has too few or too many values, or a stray quote"


def column_features(column: Column) -> tuple[str, ...]:
    """Names of the features that a column becomes."""
    flag: tuple[str, ...] = ()
    if column.missing == "flag":
        flag = (f"{column.name}: not recorded",)
    if isinstance(column, CategoryColumn):
        return (*(f"{column.name} = {level}" for level in column.levels[1:]), *flag)
    return (column.name, *flag)


def encode_table(table: Table, spec: DataSpec) -> tuple[Float32Array, list[str | None], list[Cell]]:
    """Encode a table: features, and for each row why it is set aside.

    Float32[n, d]; for each row the first reason in column order or ``None``; and the cell behind
    it.
    """
    columns = [
        table.column(column.name) for column in spec.columns
    ]  # all columns are asked for before any is read
    reasons: list[str | None] = [
        MALFORMED if row in table.malformed else None for row in range(table.rows)
    ]
    cells: list[Cell] = [None] * table.rows
    parts = []
    for column, values in zip(spec.columns, columns, strict=True):
        block = np.zeros((table.rows, len(column_features(column))))
        encode = encoder(column, table.reading.decimal)
        known: dict[Cell, Encoded] = {}  # a cell's code depends on the cell alone
        for row, cell in enumerate(values):
            code = known.get(cell)
            if code is None:
                code = known[cell] = encode(cell)
            if isinstance(code, str):
                if reasons[row] is None:
                    reasons[row] = f"{column.name}: {code}"
                    cells[row] = cell
            elif code[0] >= 0:
                block[row, code[0]] = code[1]
        parts.append(block)
    encoded = np.concatenate(parts, axis=1).astype(np.float32)
    encoded[[reason is not None for reason in reasons]] = 0.0
    return encoded, reasons, cells


def encoder(column: Column, decimal: str) -> Callable[[Cell], Encoded]:
    """The function that encodes one cell of a column."""
    if isinstance(column, NumericColumn):
        return _numeric(column, decimal)
    if isinstance(column, CategoryColumn):
        return _category(column, decimal)
    return _boolean(column, decimal)


def _not_recorded(column: Column) -> Encoded:
    # The flag is the last of a column's features.
    if column.missing == "flag":
        return (len(column_features(column)) - 1, 1.0)
    return NOT_RECORDED


def _unfit(cell: Cell, reason: str) -> str:
    if cell is not None and DAMAGED_SIGN in cell:
        return DAMAGED
    return reason


def _numeric(column: NumericColumn, decimal: str) -> Callable[[Cell], Encoded]:
    low = float(column.low)
    high = float(column.high)
    scale = math.log if column.transform == "log" else float
    left = scale(low)
    right = scale(high)
    numbers = DeclaredNumbers(column.missing_codes, decimal)

    def encode(cell: Cell) -> Encoded:
        number = numbers.value(cell)
        if number is None:
            return _unfit(cell, NOT_A_NUMBER)
        if isinstance(number, str):
            return _not_recorded(column)
        if not low <= number <= high:
            if column.outside == "set-aside":
                return f"outside {column.low} to {column.high}"
            number = min(
                max(number, low), high
            )  # before the logarithm, which 0 and below do not have
        return 0, 2.0 * (scale(number) - left) / (right - left) - 1.0

    return encode


def _category(column: CategoryColumn, decimal: str) -> Callable[[Cell], Encoded]:
    texts = DeclaredTexts(column.levels, column.missing_codes, decimal)

    def encode(cell: Cell) -> Encoded:
        place = texts.place(cell)
        if place is None:
            return _unfit(cell, "not one of the declared levels")
        if isinstance(place, str):
            return _not_recorded(column)
        return place - 1, 1.0

    return encode


def _boolean(column: BooleanColumn, decimal: str) -> Callable[[Cell], Encoded]:
    texts = DeclaredTexts((column.false, column.true), column.missing_codes, decimal)

    def encode(cell: Cell) -> Encoded:
        place = texts.place(cell)
        if place is None:
            return _unfit(cell, f"neither {column.true} nor {column.false}")
        if isinstance(place, str):
            return _not_recorded(column)
        return 0, float(place)

    return encode
