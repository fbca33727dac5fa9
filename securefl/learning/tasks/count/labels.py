"""Targets of rows by a label that is a count: whole numbers from 0, or the reason why there is
none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.learning.cells import DAMAGED, NOT_A_NUMBER, NOT_RECORDED, DeclaredNumbers
from securefl.learning.reading import DAMAGED_SIGN
from securefl.learning.tasks.binary.labels import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.learning.table import Cell, Table
    from securefl.study.count_label import CountLabel

NOT_WHOLE: Final = "not a whole number"
BELOW: Final = "below 0"


def counts(
    table: Table,
    label: CountLabel,
) -> tuple[list[int | str], list[Cell]]:
    """Of each row its count or the reason why it has none; and the cell that is the reason.

    Raises:
        DataError: the label's column is not in the table.
    """
    read = _reader(label, table.reading.decimal)
    found: list[int | str] = []
    reasons: list[Cell] = []
    for cell in table.column(label.column):
        outcome = read(cell)
        if isinstance(outcome, int):
            found.append(outcome)
            reasons.append(None)
        elif outcome == NOT_RECORDED:
            found.append(NO_LABEL)
            reasons.append(None)
        else:
            found.append(f"{label.column}: {outcome}")
            reasons.append(cell)
    return found, reasons


def _reader(
    label: CountLabel,
    decimal: str,
) -> Callable[[Cell], int | str]:
    numbers = DeclaredNumbers(label.missing_codes, decimal)

    def read(cell: Cell) -> int | str:
        number = numbers.value(cell)
        if number is None:
            return _unfit(cell)
        if isinstance(number, str):
            return NOT_RECORDED
        if number != int(number):
            return NOT_WHOLE
        # A number below 0 is no count, so it is not cut to 0 where the label cuts large ones.
        if number < 0:
            return BELOW
        if number > label.largest and label.outside == "set-aside":
            return f"above {label.largest}"
        return min(int(number), label.largest)

    return read


def _unfit(cell: Cell) -> str:
    if cell is not None and DAMAGED_SIGN in cell:
        return DAMAGED
    return NOT_A_NUMBER
