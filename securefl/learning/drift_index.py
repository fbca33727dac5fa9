"""Population stability index of a table's columns: how far rows that are scored now are distributed
otherwise than the table for which a study was approved. For the owner's screen only.

The index is the sum of (p - q) ln(p / q) over bands, p and q being the shares then and now. Where
nothing changed it is about (1/n + 1/m) times a chi-squared variable with one degree of freedom less
than there are bands (Yurdakul 2018, "Statistical properties of population stability index", section
3). So what chance alone explains is known, and few rows raise no alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.readiness import TableLook

#: The usual limits of the index: from the first on a column moved, from the second on far.
MOVED: Final = 0.1
FAR: Final = 0.25
#: Standard deviations of the index above its mean that chance is still allowed.
_DEVIATIONS: Final = 4.0
#: Added to each count: a band in which nobody is has no logarithm.
_HALF: Final = 0.5


@dataclass(frozen=True)
class Stability:
    """One column, then and now.

    Attributes:
        column: its name.
        index: population stability index; bands of the declared range or declared texts, with one
            band for what is not recorded and one for what does not fit.
        chance: largest index that chance alone explains with so many rows.
    """

    column: str
    index: float
    chance: float

    @property
    def state(self) -> str:
        """How far it moved, in a word or two."""
        if self.index <= max(MOVED, self.chance):
            return "as then"
        return "moved far" if self.index > FAR else "moved"

    @property
    def moved(self) -> bool:
        """It moved by more than chance explains."""
        return self.state != "as then"


def stabilities(look: TableLook, earlier: Mapping[str, Any]) -> tuple[Stability, ...]:
    """Compare every column of a look with an earlier :func:`securefl.learning.drift.summary`.

    A column that is not there in one of the two, or was declared otherwise, is left out.
    """
    found = []
    for column in look.columns:
        before = earlier["columns"].get(column.name)
        if before is None or not column.there or list(before["labels"]) != list(column.labels):
            continue
        now = _counts(
            column.shares,
            cells=column.cells,
            missing=column.missing,
            inside=column.recorded - column.outside,
        )
        then = _counts(
            before["shares"],
            cells=before["cells"],
            missing=before["missing"],
            inside=before["recorded"] - before["outside"],
        )
        found.append(stability(column.name, then, now))
    return tuple(found)


def _counts(
    shares: Sequence[float],
    *,
    cells: int,
    missing: int,
    inside: int,
) -> list[float]:
    """Cells by band, then those with nothing recorded, then those that do not fit."""
    bands = [round(share * inside) for share in shares]
    return [*bands, missing, cells - missing - inside]


def stability(
    column: str,
    then: Sequence[float],
    now: Sequence[float],
) -> Stability:
    """The index of a column from its counts by band.

    >>> round(stability("sex", [5000, 5000], [2500, 7500]).index, 3)
    0.275
    """
    used = [(old, new) for old, new in zip(then, now, strict=True) if old or new]
    old_rows = sum(old for old, _ in used)
    new_rows = sum(new for _, new in used)
    if not old_rows or not new_rows:
        return Stability(column, 0.0, 0.0)
    index = 0.0
    for old, new in used:
        p = (old + _HALF) / (old_rows + _HALF * len(used))
        q = (new + _HALF) / (new_rows + _HALF * len(used))
        index += (p - q) * math.log(p / q)
    freedom = len(used) - 1
    most = freedom + _DEVIATIONS * math.sqrt(2 * freedom)
    chance = (1 / old_rows + 1 / new_rows) * most
    return Stability(column, index, chance)
