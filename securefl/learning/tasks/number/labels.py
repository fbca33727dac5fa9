"""Targets of rows by a label that is a number: read as a feature of the same range would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.cells import NOT_RECORDED
from securefl.learning.encoding import encoder
from securefl.learning.tasks.binary.labels import NO_LABEL

if TYPE_CHECKING:
    from securefl.learning.table import Cell, Table
    from securefl.study.columns import NumericColumn


def places(
    table: Table,
    column: NumericColumn,
) -> tuple[list[float | str], list[Cell]]:
    """Of each row its place on the scale, -1 at the range's lower end and 1 at its upper, or the
    reason why it has none; and the cell that is the reason.

    Raises:
        DataError: the label's column is not in the table.
    """
    encode = encoder(column, table.reading.decimal)
    found: list[float | str] = []
    reasons: list[Cell] = []
    for cell in table.column(column.name):
        code = encode(cell)
        if not isinstance(code, str):
            found.append(code[1])
            reasons.append(None)
        elif code == NOT_RECORDED:
            found.append(NO_LABEL)
            reasons.append(None)
        else:
            found.append(f"{column.name}: {code}")
            reasons.append(cell)
    return found, reasons
