"""Targets of rows by a time and whether the event came; or the reason why there is none.

A target is one number. Censored with p whole intervals behind: p, from 0 to T. The event in
interval t: T + 1 + t. The event beyond the last edge is no event within it: T.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.cells import (
    DAMAGED,
    NOT_A_NUMBER,
    NOT_RECORDED,
    DeclaredNumbers,
    DeclaredTexts,
)
from securefl.learning.reading import DAMAGED_SIGN
from securefl.learning.tasks.binary.labels import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from securefl.learning.table import Cell, Table
    from securefl.study.survival_label import TimeToEventLabel
    from securefl.types import IntArray

NEITHER: Final = "neither declared as the event nor as its absence"
BEFORE: Final = "below 0: before the start"


def targets(
    table: Table,
    label: TimeToEventLabel,
) -> tuple[list[int | str], list[Cell]]:
    """Of each row its target or the reason why it has none; and the cell that is the reason.

    Raises:
        DataError: a column of the label is not in the table.
    """
    times = table.column(label.time)
    events = table.column(label.event)
    read_time = _time_reader(label, table.reading.decimal)
    texts = declared_texts(label, table.reading.decimal)
    edges = [float(edge) for edge in label.edges]
    found: list[int | str] = []
    reasons: list[Cell] = []
    for time, event in zip(times, events, strict=True):
        when = read_time(time)
        came = texts.place(event)
        target: int | str
        reason: Cell = None
        if isinstance(when, str) and when != NOT_RECORDED:
            target = f"{label.time}: {when}"
            reason = time
        elif came is None:
            target = f"{label.event}: {_unfit(event, NEITHER)}"
            reason = event
        elif isinstance(when, str) or isinstance(came, str):
            target = NO_LABEL
        else:
            target = _code(edges, when, happened=came < len(label.happened))
        found.append(target)
        reasons.append(reason)
    return found, reasons


def declared_texts(
    label: TimeToEventLabel,
    decimal: str,
) -> DeclaredTexts:
    """The texts of the event's column: those that mean the event first."""
    return DeclaredTexts((*label.happened, *label.censored), label.event_missing_codes, decimal)


def parts(
    y: npt.NDArray[np.number],
    intervals: int,
) -> tuple[IntArray, IntArray]:
    """(interval, event) of targets, int64[m] each: in which interval the event came (1), or how
    many whole intervals were observed without it (0).
    """
    codes = y.astype(np.int64)
    event = (codes > intervals).astype(np.int64)
    return codes - event * (intervals + 1), event


def _code(
    edges: list[float],
    time: float,
    *,
    happened: bool,
) -> int:
    """The target of a time. An edge belongs to the interval before it."""
    if not happened:
        return bisect_right(edges, time)
    interval = bisect_left(edges, time)
    if interval == len(edges):
        return interval
    return len(edges) + 1 + interval


def _time_reader(
    label: TimeToEventLabel,
    decimal: str,
) -> Callable[[Cell], float | str]:
    numbers = DeclaredNumbers(label.missing_codes, decimal)
    longest = float(label.longest)

    def read(cell: Cell) -> float | str:
        number = numbers.value(cell)
        if number is None:
            return _unfit(cell, NOT_A_NUMBER)
        if isinstance(number, str):
            return NOT_RECORDED
        if number < 0:
            return BEFORE
        if number > longest:
            return f"above {label.longest}"
        return number

    return read


def _unfit(
    cell: Cell,
    reason: str,
) -> str:
    if cell is not None and DAMAGED_SIGN in cell:
        return DAMAGED
    return reason
