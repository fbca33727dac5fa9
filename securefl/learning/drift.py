"""Drift of a table against an earlier look at it, for the owner's screen only.

What is kept of a look holds no cell of the table: shares by band or declared text, and two moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.readiness import ColumnLook, TableLook

#: A mean moved when it moved by more than this share of the earlier standard deviation ...
_MEAN: Final = 0.25
#: ... and a share when it moved by more than this ...
_SHARE: Final = 0.1
#: ... and both by more than so many standard errors, so that chance is no drift.
_ERRORS: Final = 4.0


@dataclass(frozen=True)
class Drift:
    """A column that is not as it was.

    Attributes:
        column: its name.
        missing: shares with nothing recorded, earlier and now; None where they agree.
        mean: places of the mean in the declared range, earlier and now; None where they agree.
        level: a declared text whose share moved most; empty where none moved.
        share: its shares, earlier and now.
    """

    column: str
    missing: tuple[float, float] | None = None
    mean: tuple[float, float] | None = None
    level: str = ""
    share: tuple[float, float] = (0.0, 0.0)

    def __bool__(self) -> bool:
        return self.missing is not None or self.mean is not None or bool(self.level)


def summary(look: TableLook) -> dict[str, Any]:
    """Memory of a look, to compare a later one with."""
    columns = {}
    for column in look.columns:
        if column.there:
            columns[column.name] = {
                "cells": column.cells,
                "missing": column.missing,
                "mean": column.mean,
                "spread": column.spread,
                "recorded": column.recorded,
                "outside": column.outside,
                "labels": list(column.labels),
                "shares": list(column.shares),
            }
    return {"rows": look.rows, "columns": columns}


def drifts(look: TableLook, earlier: Mapping[str, Any]) -> tuple[Drift, ...]:
    """Columns that moved since an earlier :func:`summary`.

    A column that was declared otherwise then is not compared.
    """
    found = []
    for column in look.columns:
        before = earlier["columns"].get(column.name)
        if before is None or not column.there:
            continue
        if list(before["labels"]) == list(column.labels):
            found.append(_drift(column, before))
    return tuple(drift for drift in found if drift)


def _drift(column: ColumnLook, before: Mapping[str, Any]) -> Drift:
    missing = None
    then = before["missing"] / max(before["cells"], 1)
    if _moved(then, column.missing_share, before["cells"], column.cells):
        missing = (then, column.missing_share)
    numbers = (before["recorded"], column.recorded)
    if column.least is not None:
        return Drift(column.name, missing, _mean(column, before, numbers))
    level = ""
    share = (0.0, 0.0)
    for label, old, new in zip(column.labels, before["shares"], column.shares, strict=True):
        larger = abs(new - old) > abs(share[1] - share[0])
        if larger and _moved(old, new, *numbers):
            level = label
            share = (old, new)
    return Drift(column.name, missing, None, level, share)


def _moved(
    old: float,
    new: float,
    before: int,
    now: int,
) -> bool:
    """Test two shares of so many cells for a difference that chance does not explain."""
    if not before or not now:
        return False
    both = (old * before + new * now) / (before + now)
    error = math.sqrt(both * (1 - both) * (1 / before + 1 / now))
    return abs(new - old) > max(_SHARE, _ERRORS * error)


def _mean(
    column: ColumnLook,
    before: Mapping[str, Any],
    numbers: tuple[int, int],
) -> tuple[float, float] | None:
    then, now = numbers
    if not then or not now:
        return None
    error = math.sqrt(before["spread"] ** 2 / then + column.spread**2 / now)
    least = max(_MEAN * before["spread"], _ERRORS * error)
    if abs(column.mean - before["mean"]) > least:
        return (before["mean"], column.mean)
    return None
