"""Features from what the study declares: ranges and levels are public, so no figure is read off the data (rule 10).

Encoding of one column, in order:

- numeric: one feature in [-1, 1], linear or logarithmic between ``low`` and ``high``;
- category: one 0/1 feature for each level but the first, which is the reference;
- boolean: one 0/1 feature;
- and, where the column says ``missing = "flag"``, one more 0/1 feature "not recorded" (the others are then 0).

A row that does not fit is set aside, never mended and never a crash: others could see a crash.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from securefl.learning.table import Cell, Table, table_from_frame
from securefl.study.columns import BooleanColumn, CategoryColumn, Column, DataSpec, Label, NumericColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
#: What a neighbouring table lacks: all rows of one patient, or one row.
Unit: TypeAlias = Literal["patient", "record"]
MALFORMED = "the line has too few or too many values, or a stray quote"
NO_PATIENT = "patient identifier is missing"
NO_LABEL = "label is missing or unreadable"
EXTRA_ROW = "more rows of one patient than the study takes"


@dataclass(frozen=True)
class Prepared:
    """One hospital's usable rows.

    Attributes:
        X: float32[n, d], every value in [-1, 1].
        y: int8[n], 0 or 1.
        patients: n identifiers. Rows of one patient stand together, in the order of a keyed lot.
        set_aside: rows set aside, by reason. For the owner's screen only: these are counts of private records.
    """

    X: Float32Array
    y: npt.NDArray[np.int8]
    patients: tuple[str, ...]
    set_aside: Mapping[str, int]

    def units(self, unit: Unit) -> IntArray:
        """int64[n]: which unit of privacy each row belongs to, numbered from 0 in the order of the rows."""
        if unit == "record":
            return np.arange(len(self.y), dtype=np.int64)
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(p, len(numbers)) for p in self.patients], dtype=np.int64)

    def one_row_each(self, unit: Unit) -> Prepared:
        """The first row of every unit: what counts in an evaluation, where a unit may change one count by 1."""
        units = self.units(unit)
        first = np.ones(len(units), dtype=np.bool_)
        first[1:] = units[1:] != units[:-1]
        return self.select(first)

    def select(self, rows: npt.NDArray[np.bool_]) -> Prepared:
        """The rows where ``rows`` (bool[n]) holds."""
        kept = tuple(p for p, keep in zip(self.patients, rows, strict=True) if keep)
        return Prepared(self.X[rows], self.y[rows], kept, {})


def feature_names(spec: DataSpec) -> tuple[str, ...]:
    """Names of the d features, in the order of the columns of X."""
    return tuple(name for column in spec.columns for name in _names(column))


def prepare(table: Table, spec: DataSpec, secret: bytes, unit: Unit = "patient") -> Prepared:
    """Encode a hospital's table.

    Args:
        table: as read.
        spec: the study's columns.
        secret: this site's own; its lot decides which rows of a patient are kept where there are more than the study takes.
        unit: with ``record`` every row is a unit of its own and all are kept: a limit would let one row's absence admit another.

    Raises:
        DataError: a declared column, the patient column or the label column is not in the table.
    """
    patients = table.column(spec.patient)
    labels = table.column(spec.label.column)
    encoded, reasons = _encode(table, spec)
    outcome = [label_value(cell, spec.label) for cell in labels]
    counts: Counter[str] = Counter()
    lots: dict[str, list[tuple[bytes, int]]] = {}
    for row, patient in enumerate(patients):
        reason = reasons[row]
        if row in table.malformed:
            counts[MALFORMED] += 1
        elif patient is None:
            counts[NO_PATIENT] += 1
        elif outcome[row] is None:
            counts[NO_LABEL] += 1
        elif reason is not None:
            counts[reason] += 1
        else:
            # Keyed, and over the row's own content: which rows stay depends on this patient alone, not on file order.
            content = encoded[row].tobytes() + bytes([outcome[row] or 0])
            message = b"securefl/row/1\0" + patient.encode() + b"\0" + content
            lots.setdefault(patient, []).append((hmac.new(secret, message, hashlib.sha256).digest(), row))
    rows: list[int] = []
    for lot in lots.values():
        kept = sorted(lot) if unit == "record" else sorted(lot)[: spec.max_rows_per_patient]
        if len(lot) > len(kept):
            counts[EXTRA_ROW] += len(lot) - len(kept)
        rows += [row for _, row in kept]
    return Prepared(
        encoded[rows],
        np.array([outcome[row] for row in rows], dtype=np.int8),
        tuple(str(patients[row]) for row in rows),
        dict(counts),
    )


def rows_for_predict(frame: Any, spec: DataSpec) -> tuple[Float32Array, list[str | None]]:  # noqa: ANN401 - see table_from_frame
    """Encode rows to be scored; neither label nor patient column is needed.

    Returns:
        x float32[n, d] and n reasons why a row cannot be scored ("age: outside 0 to 120"), None where it can; such rows are
        zero in x.

    Raises:
        DataError: a declared column is not in the table.
    """
    return _encode(frame if isinstance(frame, Table) else table_from_frame(frame), spec)


def label_value(cell: Cell, label: Label) -> int | None:
    """1 or 0 by the study's definition of positive; ``None`` if not recorded or not readable."""
    if cell is None:
        return None
    if label.kind == "any-of-letters":
        return int(any(letter in cell for letter in label.positive))
    if label.kind == "equals":
        return int(cell in label.positive)
    value = _number(cell)
    return None if value is None else int(value >= threshold(label))


def threshold(label: Label) -> float:
    """The value from which on a numeric label is positive."""
    return float(label.positive[0])


def _names(column: Column) -> tuple[str, ...]:
    flag = (f"{column.name}: not recorded",) if column.missing == "flag" else ()
    if isinstance(column, CategoryColumn):
        return (*(f"{column.name} = {level}" for level in column.levels[1:]), *flag)
    return (column.name, *flag)


def _encode(table: Table, spec: DataSpec) -> tuple[Float32Array, list[str | None]]:
    """Float32[n, d] and, for each row, why it is set aside (the first reason in column order) or ``None``."""
    cells = [table.column(column.name) for column in spec.columns]  # all columns are asked for before any is read
    reasons: list[str | None] = [MALFORMED if row in table.malformed else None for row in range(table.rows)]
    parts = []
    for column, values in zip(spec.columns, cells, strict=True):
        block, bad = _ENCODERS[column.kind](column, values)
        for row, reason in bad.items():
            reasons[row] = reasons[row] or f"{column.name}: {reason}"
        parts.append(block)
    encoded = np.concatenate(parts, axis=1).astype(np.float32)
    encoded[[reason is not None for reason in reasons]] = 0.0
    return encoded, reasons


def _blank(column: Column, values: tuple[Cell, ...]) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    """An empty block with the missing values dealt with."""
    block = np.zeros((len(values), len(_names(column))))
    bad: dict[int, str] = {}
    for row, cell in enumerate(values):
        if cell is None:
            if column.missing == "flag":
                block[row, -1] = 1.0
            else:
                bad[row] = "not recorded"
    return block, bad


def _numeric(column: NumericColumn, values: tuple[Cell, ...]) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    block, bad = _blank(column, values)
    low, high = float(column.low), float(column.high)
    scale = math.log if column.transform == "log" else float
    left, right = scale(low), scale(high)
    for row, cell in enumerate(values):
        if cell is None:
            continue
        number = _number(cell)
        if number is None:
            bad[row] = "not a number"
        elif not low <= number <= high:
            bad[row] = f"outside {column.low} to {column.high}"
        else:
            block[row, 0] = 2.0 * (scale(number) - left) / (right - left) - 1.0
    return block, bad


def _category(column: CategoryColumn, values: tuple[Cell, ...]) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    block, bad = _blank(column, values)
    place = {level: i - 1 for i, level in enumerate(column.levels)}
    for row, cell in enumerate(values):
        if cell is None:
            continue
        if cell not in place:
            bad[row] = "not one of the declared levels"
        elif place[cell] >= 0:
            block[row, place[cell]] = 1.0
    return block, bad


def _boolean(column: BooleanColumn, values: tuple[Cell, ...]) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
    block, bad = _blank(column, values)
    for row, cell in enumerate(values):
        if cell is None:
            continue
        if cell == column.true:
            block[row, 0] = 1.0
        elif cell != column.false:
            bad[row] = f"neither {column.true} nor {column.false}"
    return block, bad


_ENCODERS: Mapping[str, Any] = {"numeric": _numeric, "category": _category, "boolean": _boolean}


def _number(cell: str) -> float | None:
    """A finite number written plainly, else ``None`` (no ``inf``, no ``1_000``)."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None
