"""Outcomes of rows by a study's label: 1, 0, or the reason why the row has none.

A combined label follows Kleene's three-valued logic in what is not recorded: ``any-of`` is positive
as soon as one condition is, and unknown where no condition is positive and one is not recorded. A
text or number that a condition does not declare sets the row aside whatever the other conditions
say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from securefl.learning.cells import (
    DAMAGED,
    NOT_A_NUMBER,
    NOT_RECORDED,
    DeclaredNumbers,
    DeclaredTexts,
    NotRecorded,
)
from securefl.learning.reading import DAMAGED_SIGN
from securefl.learning.table import MISSING
from securefl.study.binary_label import CombinedLabel, NumberCondition, TextCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.learning.table import Cell, Table
    from securefl.study.binary_label import Condition, Label

#: 1, 0, nothing recorded, or the reason why the cell says nothing, as text.
Outcome: TypeAlias = int | NotRecorded | str
NO_LABEL: Final = "label is not recorded"
NEITHER: Final = "neither declared as positive nor as negative"
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "at-least": lambda number, value: number >= value,
    "above": lambda number, value: number > value,
    "at-most": lambda number, value: number <= value,
    "below": lambda number, value: number < value,
}


def outcomes(table: Table, label: Label) -> tuple[list[int | str], list[Cell]]:
    """Of each row 1, 0 or the reason why it has no outcome; and the cell that is the reason.

    Raises:
        DataError: a column of the label is not in the table.
    """
    columns = [table.column(condition.column) for condition in label.parts]
    readers = [condition_reader(condition, table.reading.decimal) for condition in label.parts]
    known: dict[tuple[Cell, ...], tuple[int | str, Cell]] = {}
    found = []
    for cells in zip(*columns, strict=True):
        if cells not in known:
            known[cells] = _outcome(
                label, [read(cell) for read, cell in zip(readers, cells, strict=True)], cells
            )
        found.append(known[cells])
    return [outcome for outcome, _ in found], [cell for _, cell in found]


def condition_reader(condition: Condition, decimal: str = ".") -> Callable[[Cell], Outcome]:
    """The function that judges one cell by a condition."""
    if isinstance(condition, NumberCondition):
        return _number_reader(condition, decimal)
    if condition.kind == "any-of-letters":
        return _letters_reader(condition)
    return _equals_reader(condition, decimal)


def near_outcome(condition: Condition, cell: str, decimal: str = ".") -> str | None:
    """The declared text that a cell seems to mean; ``None`` where there is none."""
    if isinstance(condition, TextCondition) and condition.kind == "equals":
        return DeclaredTexts((*condition.positive, *condition.negative), (), decimal).near(cell)
    return None


def _outcome(
    label: Label,
    parts: Sequence[Outcome],
    cells: Sequence[Cell],
) -> tuple[int | str, Cell]:
    for part, cell, condition in zip(parts, cells, label.parts, strict=True):
        if isinstance(part, str) and part != NOT_RECORDED:
            return f"{condition.column}: {part}", cell
    decides = 1
    if isinstance(label, CombinedLabel) and label.kind == "all-of":
        decides = 0
    if decides in parts:
        return decides, None
    if NOT_RECORDED in parts:
        return NO_LABEL, None
    return 1 - decides, None


def _number_reader(condition: NumberCondition, decimal: str) -> Callable[[Cell], Outcome]:
    numbers = DeclaredNumbers(condition.missing_codes, decimal)
    value = float(condition.value)
    low = float(condition.low)
    high = float(condition.high)
    positive = _COMPARE[condition.kind]

    def read(cell: Cell) -> Outcome:
        number = numbers.value(cell)
        if number is None:
            if cell is not None and DAMAGED_SIGN in cell:
                return DAMAGED
            return NOT_A_NUMBER
        if isinstance(number, str):
            return NOT_RECORDED
        if not low <= number <= high:
            return f"outside {condition.low} to {condition.high}"
        return int(positive(number, value))

    return read


def _equals_reader(condition: TextCondition, decimal: str) -> Callable[[Cell], Outcome]:
    texts = DeclaredTexts(
        (*condition.positive, *condition.negative), condition.missing_codes, decimal
    )

    def read(cell: Cell) -> Outcome:
        place = texts.place(cell)
        if place is None:
            if cell is not None and DAMAGED_SIGN in cell:
                return DAMAGED
            return NEITHER
        if isinstance(place, str):
            return NOT_RECORDED
        return int(place < len(condition.positive))

    return read


def _letters_reader(condition: TextCondition) -> Callable[[Cell], Outcome]:
    positive = frozenset(condition.positive)
    declared = frozenset((*condition.positive, *condition.negative))
    codes = frozenset(condition.missing_codes)

    def read(cell: Cell) -> Outcome:
        if cell is None or cell in codes:
            return NOT_RECORDED
        letters = frozenset("".join(cell.split()))
        if letters <= declared:
            return int(bool(letters & positive))
        if cell.lower() in MISSING:
            return NOT_RECORDED
        if DAMAGED_SIGN in cell:
            return DAMAGED
        return NEITHER

    return read
