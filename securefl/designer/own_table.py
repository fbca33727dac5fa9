"""Description of a table that the researcher may see: kinds, ranges and levels of its columns.

Ranges are rounded outward, so they tell of no single row; what lies outside counts as the nearer end.
The table must be the researcher's own or published: a hospital's table is described by its owner.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.description import Description
from securefl.errors import DataError
from securefl.learning.cells import plain_number
from securefl.learning.table import MISSING
from securefl.study.texts import text_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from securefl.learning.table import Cell, Table
    from securefl.study.texts import TextKey

#: Names under which a table's patients are told apart, without case.
PATIENT_NAMES: Final = ("patient_id", "patient", "patientid", "subject_id", "subject", "pid", "id")
#: Levels of a category; a column with more texts is left out.
MOST_LEVELS: Final = 20
#: Whole numbers with so many different values are codes.
_MOST_CODES: Final = 6
#: A column that is recorded in fewer rows is left out.
_LEAST_RECORDED: Final = 0.4
#: Share of values on either side that may lie outside the range.
_TAIL: Final = 0.002
#: Largest over smallest value from which on a log scale is thought of.
_LOG_SPAN: Final = 20
_YES: Final = frozenset({"1", "t", "true", "yes", "y"})
_NO: Final = frozenset({"0", "f", "false", "no", "n"})
_MOST_ROWS: Final = 10


@dataclass(frozen=True)
class _Found:
    """A column as it is declared, or why it is not, and the reason."""

    declared: Mapping[str, Any] | None
    why: str


def describe(table: Table, name: str) -> Description:
    """Describe a table by its cells.

    Args:
        table: the researcher's own, or a published one.
        name: of the data set.

    Raises:
        DataError: no column tells patients apart, or none can be a feature.
    """
    patient = _patient_column(table)
    columns: list[Mapping[str, Any]] = []
    notes: dict[str, str] = {}
    left_out: dict[str, str] = {}
    recorded = {name: _recorded(cells) for name, cells in table.columns.items()}
    for column, cells in table.columns.items():
        if column == patient:
            continue
        found = declared_column(
            column,
            cells,
            table.reading.decimal,
        )
        if (
            other := _says_recorded(
                column,
                cells,
                recorded,
            )
        ) is not None:
            found = _Found(
                None, f"says only whether {other} is recorded, which {other} says itself"
            )
        if found.declared is None:
            left_out[column] = found.why
        else:
            columns.append(found.declared)
            notes[column] = found.why
    if not columns:
        raise DataError(
            "no column of the table can be a feature.",
            whose="the researcher",
            next_step="Give a table with numbers, or with texts that repeat.",
        )
    rows = Counter(table.columns[patient])
    return Description(
        dataset=name,
        population=name,
        patient=patient,
        columns=tuple(columns),
        most_rows=min(max(rows.values()), _MOST_ROWS),
        origin=f"made from the {table.rows:,} rows of {name}, which the researcher may see",
        notes=notes,
        left_out=left_out,
        table=table,
    )


def declared_column(name: str, cells: Sequence[Cell], decimal: str = ".") -> _Found:
    """Declare one column by its cells, or say why it cannot be a feature."""
    texts = [cell for cell in cells if cell is not None and cell.lower() not in MISSING]
    recorded = len(texts) / max(len(cells), 1)
    if recorded < _LEAST_RECORDED:
        return _Found(None, f"not recorded in {100 * (1 - recorded):.0f} % of the rows")
    levels = _levels(texts)
    if len(levels) == 1:
        return _Found(None, f"always {levels[0]!r}")
    base: dict[str, Any] = {"name": name}
    missing: dict[str, Any] = {}
    if recorded < 1:
        missing = {"missing": "flag"}
    numbers = [plain_number(text, decimal) for text in levels]
    if all(number is not None for number in numbers) and not _are_codes(numbers):
        values = sorted(plain_number(text, decimal) or 0.0 for text in texts)
        scale, why = _range(values)
        return _Found({**base, "kind": "numeric", **scale, **missing}, why)
    if len(levels) == 2 and (yes := _yes_of(levels)) is not None:
        no = next(text for text in levels if text != yes)
        return _Found(
            {**base, "kind": "boolean", "true": yes, "false": no, **missing},
            "two texts, a yes and a no",
        )
    if len(levels) > MOST_LEVELS:
        return _Found(None, f"{len(levels):,} different texts")
    listed = sorted(levels, key=lambda text: (plain_number(text, decimal) or 0.0, text))
    return _Found(
        {**base, "kind": "category", "levels": listed, **missing},
        f"{len(listed)} different texts; the first is the reference",
    )


def _recorded(cells: Sequence[Cell]) -> tuple[bool, ...]:
    """True if each cell holds something."""
    return tuple(cell is not None and cell.lower() not in MISSING for cell in cells)


def _says_recorded(
    name: str,
    cells: Sequence[Cell],
    recorded: Mapping[str, tuple[bool, ...]],
) -> str | None:
    """The column whose cells are recorded just where this one says yes; None where there is none.

    Two features that always agree share one weight's work and carry two weights' noise.
    """
    yes = tuple((cell or "").lower() in _YES for cell in cells)
    if not any(yes) or all(yes):
        return None
    same = (other for other, there in recorded.items() if other != name and there == yes)
    return next(same, None)


def _levels(texts: Sequence[str]) -> list[str]:
    """Texts that differ, as a study compares them: ``1`` and ``1.0`` are one, written shorter."""
    found: dict[TextKey, str] = {}
    for text in sorted(set(texts), key=lambda one: (len(one), one)):
        found.setdefault(text_key(text), text)
    return list(found.values())


def _are_codes(numbers: Sequence[float | None]) -> bool:
    """Few whole numbers: classes of something, or a yes and a no."""
    whole = all(number is not None and number == int(number) for number in numbers)
    return whole and len(set(numbers)) <= _MOST_CODES


def _yes_of(texts: Sequence[str]) -> str | None:
    """Of two texts the one that says yes, where the other says no."""
    for yes, no in (texts, texts[::-1]):
        if yes.lower() in _YES and no.lower() in _NO:
            return yes
    return None


def _range(values: Sequence[float]) -> tuple[dict[str, Any], str]:
    """Range and scale of a number."""
    place = int(_TAIL * len(values))
    low = values[place]
    high = values[len(values) - 1 - place]
    if low == high:
        low = values[0]
        high = values[-1]
    kept = [value for value in values if low <= value <= high]
    outside = "what lies outside counts as the nearer end"
    if low > 0 and high / low >= _LOG_SPAN and _skew(map(math.log, kept)) < _skew(kept):
        scale = {
            "low": two_digits(low, ROUND_FLOOR),
            "high": two_digits(high, ROUND_CEILING),
            "transform": "log",
            "outside": "clip",
        }
        return scale, f"a log scale, for values spread over factors; {outside}"
    grain = Decimal(10) ** (Decimal(repr(high - low)).adjusted() - 1)
    ends = {
        "low": _to_grain(
            low,
            grain,
            ROUND_FLOOR,
        ),
        "high": _to_grain(
            high,
            grain,
            ROUND_CEILING,
        ),
        "outside": "clip",
    }
    return ends, f"the range of all but {2 * _TAIL:.1%} of the rows, rounded outward; {outside}"


def _skew(values: Iterable[float]) -> float:
    """Distance of mean and median, in standard deviations."""
    listed = list(values)
    spread = statistics.pstdev(listed)
    if not spread:
        return 0.0
    return abs(statistics.fmean(listed) - statistics.median(listed)) / spread


def two_digits(value: float, rounding: str) -> str:
    """A number to two significant digits, as a study writes it.

    >>> two_digits(0.0123, ROUND_FLOOR), two_digits(1234, ROUND_CEILING)
    ('0.012', '1300')
    """
    exact = Decimal(repr(value))
    grain = Decimal(10) ** (exact.adjusted() - 1)
    return _to_grain(
        value,
        grain,
        rounding,
    )


def _to_grain(value: float, grain: Decimal, rounding: str) -> str:
    steps = (Decimal(repr(value)) / grain).to_integral_value(rounding)
    rounded = (steps * grain).normalize()
    if not rounded:
        return "0"
    return format(rounded, "f")


def _patient_column(table: Table) -> str:
    """The column that tells patients apart."""
    lower = {name.lower(): name for name in reversed(tuple(table.columns))}
    for name in PATIENT_NAMES:
        if name in lower:
            return lower[name]
    raise DataError(
        "the table has no column that tells patients apart.",
        whose="the researcher",
        next_step="Name it patient_id in the first line; add numbers where every row is a patient.",
    )
