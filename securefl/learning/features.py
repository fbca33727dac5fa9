"""Features from what the study declares: ranges and levels are public, so no figure is read off the
data (rule 10).

Encoding of one column, in order:

- numeric: one feature in [-1, 1], linear or logarithmic between ``low`` and ``high``;
- category: one 0/1 feature for each level but the first, which is the reference;
- boolean: one 0/1 feature;
- and, where the column says ``missing = "flag"``, one more 0/1 feature "not recorded" (the others
  are then 0).

A number outside the range sets its row aside, or with ``outside = "clip"`` counts as the nearer end
of the range. A row that does not fit is set aside, never mended and never a crash: others could see
a crash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from securefl.learning.cells import (
    DAMAGED,
    NOT_A_NUMBER,
    DeclaredNumbers,
    DeclaredTexts,
    plain_number,
)
from securefl.learning.encoding import MALFORMED, Float32Array, column_features, encode_table
from securefl.learning.reading import DAMAGED_SIGN
from securefl.learning.table import MISSING, Cell, Table, table_from_frame
from securefl.learning.tasks import task_of
from securefl.study.columns import BooleanColumn, CategoryColumn, DataSpec, NumericColumn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.tasks.task import Target
    from securefl.types import IntArray

#: What a neighbouring table lacks: all rows of one patient, or one row.
Unit: TypeAlias = Literal["patient", "record"]
NO_PATIENT = "patient identifier is missing"
EXTRA_ROW = "more rows of one patient than the study takes"
#: Different texts shown for one reason.
_SHOWN = 5
_SIGNS = {",": "comma", ".": "point"}


@dataclass(frozen=True)
class Found:
    """A text in the table that set rows aside; for the owner's screen only.

    Attributes:
        reason: as in :attr:`Prepared.set_aside`.
        text: the cell, or what is wrong with the record.
        rows: how many.
        line: the first line of the file with it; 0 for a data frame.
        near: what would be read instead, in words ("would match 'yes'"); "" where nothing is like
            it.
    """

    reason: str
    text: str
    rows: int
    line: int = 0
    near: str = ""


@dataclass(frozen=True)
class Prepared:
    """One hospital's usable rows.

    Attributes:
        X: float32[n, d], every value in [-1, 1].
        y: the task's targets[n]; int8, 0 or 1, for a binary one.
        patients: n identifiers. Rows of one patient stand together, in the order of a keyed lot.
        set_aside: rows set aside, by reason. For the owner's screen only: these are counts of
            private records.
        found: the texts behind the reasons, the most frequent of each. For the owner's screen only.
        clipped: column to the number of usable rows whose value lay outside the range and counts as
            its end. As above.
    """

    X: Float32Array
    y: npt.NDArray[Any]
    patients: tuple[str, ...]
    set_aside: Mapping[str, int]
    found: tuple[Found, ...] = ()
    clipped: Mapping[str, int] = field(default_factory=dict)

    def units(self, unit: Unit) -> IntArray:
        """int64[n]: which unit of privacy each row belongs to, numbered from 0 in the order of the
        rows.
        """
        if unit == "record":
            return np.arange(len(self.y), dtype=np.int64)
        numbers: dict[str, int] = {}
        return np.array(
            [numbers.setdefault(p, len(numbers)) for p in self.patients], dtype=np.int64
        )

    def one_row_each(self, unit: Unit) -> Prepared:
        """The first row of every unit: what counts in an evaluation, where a unit may change one
        count by 1.
        """
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
    return tuple(name for column in spec.columns for name in column_features(column))


def prepare(
    table: Table,
    spec: DataSpec,
    secret: bytes,
    unit: Unit = "patient",
) -> Prepared:
    """Encode a hospital's table.

    Args:
        table: as read.
        spec: the study's columns.
        secret: this site's own; its lot decides which rows of a patient are kept where there are
            more than the study takes.
        unit: with ``record`` every row is a unit of its own and all are kept: a limit would let one
            row's absence admit another.

    Raises:
        DataError: a declared column, the patient column or the label column is not in the table.
    """
    patients = table.column(spec.patient)
    task = task_of(spec)
    targets, labels = task.targets(table)
    encoded, reasons, cells = encode_table(table, spec)
    texts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    lots: dict[str, list[tuple[bytes, int]]] = {}
    for row, patient in enumerate(patients):
        reason, cell = _fault(
            patient,
            spec.patient,
            table.malformed.get(row),
            (targets[row], labels[row]),
            (reasons[row], cells[row]),
        )
        if reason is not None:
            counts[reason] += 1
            if cell is not None:
                texts[reason, cell] += 1
                first.setdefault((reason, cell), table.lines[row] if table.lines else 0)
            continue
        # Keyed, and over the row's own content: which rows stay depends on this patient alone, not
        # on file order.
        person = str(patient)
        content = encoded[row].tobytes() + np.array(targets[row], dtype=task.dtype).tobytes()
        message = b"securefl/row/1\0" + person.encode() + b"\0" + content
        lots.setdefault(person, []).append(
            (hmac.new(secret, message, hashlib.sha256).digest(), row)
        )
    rows: list[int] = []
    for lot in lots.values():
        kept = sorted(lot) if unit == "record" else sorted(lot)[: spec.max_rows_per_patient]
        if len(lot) > len(kept):
            counts[EXTRA_ROW] += len(lot) - len(kept)
        rows += [row for _, row in kept]
    return Prepared(
        encoded[rows],
        np.array([targets[row] for row in rows], dtype=task.dtype),
        tuple(str(patients[row]) for row in rows),
        dict(counts),
        _found(texts, first, spec, table.reading.decimal),
        _clipped(table, spec, rows),
    )


def found_for_predict(table: Table, spec: DataSpec) -> tuple[Found, ...]:
    """The texts for which rows of a table get no score, the most frequent of each reason; for
    whoever made the table.

    Raises:
        DataError: a declared column is not in the table.
    """
    _, reasons, cells = encode_table(table, spec)
    texts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], int] = {}
    for row, (reason, cell) in enumerate(zip(reasons, cells, strict=True)):
        text = table.malformed.get(row) or cell
        if reason is not None and text is not None:
            texts[reason, text] += 1
            first.setdefault((reason, text), table.lines[row] if table.lines else 0)
    return _found(texts, first, spec, table.reading.decimal)


def _fault(
    patient: Cell,
    patient_column: str,
    wrong: str | None,
    label: tuple[Target | str, Cell],
    features: tuple[str | None, Cell],
) -> tuple[str | None, Cell]:
    """The first reason why a row is set aside and the text behind it; ``(None, None)`` for a usable
    row.
    """
    if wrong is not None:
        return MALFORMED, wrong
    if patient is None or patient.lower() in MISSING:
        return NO_PATIENT, None
    if DAMAGED_SIGN in patient:  # different people would become one
        return f"{patient_column}: {DAMAGED}", patient
    if isinstance(label[0], str):
        return label[0], label[1]
    return features


def _found(
    texts: Counter[tuple[str, str]],
    first: Mapping[tuple[str, str], int],
    spec: DataSpec,
    decimal: str,
) -> tuple[Found, ...]:
    """The most frequent texts of each reason."""
    shown: Counter[str] = Counter()
    found = []
    for (reason, text), rows in sorted(texts.items(), key=lambda item: (-item[1], item[0])):
        if shown[reason] < _SHOWN:
            shown[reason] += 1
            found.append(
                Found(
                    reason,
                    text,
                    rows,
                    first[reason, text],
                    _near(
                        reason,
                        text,
                        spec,
                        decimal,
                    ),
                )
            )
    return tuple(found)


def _near(
    reason: str,
    text: str,
    spec: DataSpec,
    decimal: str,
) -> str:
    """Value that would be read where ``text`` stands, in the column that the reason names, in words; ""
    where nothing is like it.
    """
    declared = _declared_near(reason, text, spec, decimal)
    if declared is not None:
        return f"would match '{declared}'"
    other = "."
    if decimal == ".":
        other = ","
    number = plain_number(text, other)
    if not reason.endswith(NOT_A_NUMBER) or number is None:
        return ""
    return f"would be {number:g} if the table's decimal sign were a {_SIGNS[other]}"


def _declared_near(
    reason: str,
    text: str,
    spec: DataSpec,
    decimal: str,
) -> str | None:
    near = task_of(spec).near(reason, text, decimal)
    if near is not None:
        return near
    column = next((c for c in spec.columns if reason.startswith(f"{c.name}: ")), None)
    if isinstance(column, CategoryColumn):
        return DeclaredTexts(column.levels, (), decimal).near(text)
    if isinstance(column, BooleanColumn):
        return DeclaredTexts((column.true, column.false), (), decimal).near(text)
    return None


def _clipped(table: Table, spec: DataSpec, rows: Sequence[int]) -> dict[str, int]:
    """For each column that clips, how many of ``rows`` lie outside its range."""
    counts = {}
    for column in (*spec.columns, *spec.label.ranges):
        if isinstance(column, NumericColumn) and column.outside == "clip":
            numbers = DeclaredNumbers(column.missing_codes, table.reading.decimal)
            low = float(column.low)
            high = float(column.high)
            values = [numbers.value(table.columns[column.name][row]) for row in rows]
            counts[column.name] = sum(
                1 for value in values if isinstance(value, float) and not low <= value <= high
            )
    return {name: count for name, count in counts.items() if count}


def rows_for_predict(frame: Any, spec: DataSpec) -> tuple[Float32Array, list[str | None]]:  # noqa: ANN401 - see table_from_frame
    """Encode rows to be scored; neither label nor patient column is needed.

    Returns:
        x float32[n, d] and n reasons why a row cannot be scored ("age: outside 0 to 120"), None
        where it can; such rows are zero in x.

    Raises:
        DataError: a declared column is not in the table.
    """
    encoded, reasons, _ = encode_table(
        frame if isinstance(frame, Table) else table_from_frame(frame), spec
    )
    return encoded, reasons
