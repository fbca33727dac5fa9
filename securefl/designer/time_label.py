"""Label of a time to an event from a few words: ``days until status = dead by 365, 1095, 1825``.

The two columns, the texts that mean the event, and the public times at which a curve is told. Any
other text of the event's column means that it has not come.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.own_table import MOST_LEVELS, two_digits
from securefl.errors import UsageError
from securefl.learning.cells import plain_number
from securefl.learning.table import MISSING
from securefl.study.fields import is_decimal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.designer.description import Description

#: Words as they are typed, for refusals and help.
EXAMPLE: Final = "days until status = dead by 365, 1095, 1825"
_FORM: Final = re.compile(
    r"(?P<time>.+?) +until +(?P<event>.+?) *= *(?P<texts>.+?) +by +(?P<edges>[0-9., ]+)"
)
#: Texts that say nothing of what the event is.
_BARE: Final = frozenset({"1", "t", "true", "y", "yes"})
_LEAST_TIMES: Final = 2
_MOST_NAME: Final = 40


def time_to_event(asked: str, table: Description) -> dict[str, Any] | None:
    """The label's table; None where the words are of another form.

    Raises:
        UsageError: a column is not there, or texts or times do not fit it.
    """
    form = _FORM.fullmatch(asked)
    if form is None:
        return None
    time = form["time"].strip()
    event = form["event"].strip()
    for name in (time, event):
        if not _has(table, name):
            raise UsageError(
                f"{name[:40]!r} is no column of the table.",
                next_step=f"Write it like --label '{EXAMPLE}'.",
            )
    happened = _listed(form["texts"])
    censored = _others(event, happened, table)
    edges = _times(form["edges"])
    name = happened[0]
    if name.lower() in _BARE:
        name = event
    return {
        "kind": "time-to-event",
        "time": time,
        "event": event,
        "event_name": name[:_MOST_NAME],
        "happened": happened,
        "censored": censored,
        "unit": _unit(time, table),
        "edges": edges,
        "longest": _longest(time, edges, table),
    }


def _has(table: Description, name: str) -> bool:
    if table.column(name) is not None:
        return True
    return table.table is not None and name in table.table.columns


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _times(text: str) -> list[str]:
    edges = _listed(text)
    numbers = [Decimal(edge) for edge in edges if is_decimal(edge)]
    rising = sorted({number for number in numbers if number > 0})
    if len(edges) < _LEAST_TIMES or numbers != rising:
        raise UsageError(
            f"{text[:60]!r} are no times that rise from above 0: two at least.",
            next_step=f"Write it like --label '{EXAMPLE}'.",
        )
    return edges


def _others(event: str, happened: Sequence[str], table: Description) -> list[str]:
    """Texts of the event's column that mean its absence."""
    column = table.column(event)
    texts: list[str] = []
    if column is not None and column["kind"] == "category":
        texts = [str(level) for level in column["levels"]]
    elif column is not None and column["kind"] == "boolean":
        texts = [str(column["false"]), str(column["true"])]
    elif table.table is not None:
        cells = table.table.columns[event]
        recorded = (cell for cell in cells if cell is not None and cell.lower() not in MISSING)
        texts = list(Counter(recorded))
    others = [text for text in texts if text not in happened]
    known = [text for text in happened if text in texts]
    if len(known) < len(happened) or not others:
        shown = ", ".join(texts[:MOST_LEVELS]) or "numbers"
        raise UsageError(
            f"{event} = {', '.join(happened)} leaves nobody with or without the event: it says"
            f" {shown}.",
            next_step="Name some of these texts, and leave others for those without it.",
        )
    return others


def _unit(time: str, table: Description) -> str:
    """The column's unit; its name, as in "365 days", where none is declared."""
    column = table.column(time) or {}
    return str(column.get("unit") or time)[:_MOST_NAME]


def _longest(time: str, edges: Sequence[str], table: Description) -> str:
    """The longest time that can be true: as declared, or what the table has, rounded up."""
    last = Decimal(edges[-1])
    column = table.column(time)
    if column is not None and column["kind"] == "numeric":
        return str(max(Decimal(str(column["high"])), last))
    if table.table is None:
        raise UsageError(
            f"{time} is no number.",
            next_step=f"Write it like --label '{EXAMPLE}'.",
        )
    decimal = table.table.reading.decimal
    cells = table.table.columns[time]
    found = [plain_number(cell, decimal) for cell in cells if cell is not None]
    numbers = [number for number in found if number is not None]
    if not numbers:
        raise UsageError(
            f"{time} is no number.",
            next_step=f"Write it like --label '{EXAMPLE}'.",
        )
    return str(max(Decimal(two_digits(max(numbers), ROUND_CEILING)), last))
