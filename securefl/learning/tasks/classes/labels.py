"""Classes of rows by a study's label: a number from 0, or the reason why the row has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.learning.cells import DAMAGED, NOT_RECORDED, DeclaredTexts
from securefl.learning.reading import DAMAGED_SIGN
from securefl.learning.table import MISSING
from securefl.learning.tasks.binary.labels import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.learning.table import Cell, Table
    from securefl.study.classes_label import ClassesLabel

NO_CLASS: Final = "not declared as one of the classes"


def classes(table: Table, label: ClassesLabel) -> tuple[list[int | str], list[Cell]]:
    """Of each row its class or the reason why it has none; and the cell that is the reason.

    Raises:
        DataError: the label's column is not in the table.
    """
    if label.match == "any-of-letters":
        read = _letters_reader(label)
    else:
        read = _equals_reader(label, table.reading.decimal)
    found: list[int | str] = []
    reasons: list[Cell] = []
    for cell in table.column(label.column):
        outcome = read(cell)
        known = isinstance(outcome, int)
        missing = outcome == NOT_RECORDED
        found.append(outcome if known or missing else f"{label.column}: {outcome}")
        if missing:
            found[-1] = NO_LABEL
        reasons.append(None if known or missing else cell)
    return found, reasons


def near_class(label: ClassesLabel, cell: str, decimal: str = ".") -> str | None:
    """The declared text that a cell seems to mean; ``None`` where there is none."""
    if label.match == "equals":
        return DeclaredTexts(_texts(label), (), decimal).near(cell)
    return None


def _texts(label: ClassesLabel) -> tuple[str, ...]:
    return tuple(text for named in label.classes for text in named.texts)


def _equals_reader(label: ClassesLabel, decimal: str) -> Callable[[Cell], int | str]:
    texts = DeclaredTexts(_texts(label), label.missing_codes, decimal)
    owner = [place for place, named in enumerate(label.classes) for _ in named.texts]

    def read(cell: Cell) -> int | str:
        place = texts.place(cell)
        if isinstance(place, int):
            return owner[place]
        if place == NOT_RECORDED:
            return NOT_RECORDED
        return _unknown(cell)

    return read


def _letters_reader(label: ClassesLabel) -> Callable[[Cell], int | str]:
    letters_of = [frozenset(named.texts) for named in label.classes]
    declared = frozenset(_texts(label))
    codes = frozenset(label.missing_codes)

    def read(cell: Cell) -> int | str:
        if cell is None or cell in codes:
            return NOT_RECORDED
        letters = frozenset("".join(cell.split()))
        if letters and letters <= declared:
            return next(place for place, mine in enumerate(letters_of) if letters & mine)
        if cell.lower() in MISSING:
            return NOT_RECORDED
        return _unknown(cell)

    return read


def _unknown(cell: Cell) -> str:
    if cell is not None and DAMAGED_SIGN in cell:
        return DAMAGED
    return NO_CLASS
