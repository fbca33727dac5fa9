"""Text of one value of a table, as it stands in a table of text: it follows from that value alone."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from typing import Final

from securefl.learning.reading import DAMAGED_SIGN

_NO_TIME: Final = time()
#: Signs that no text holds: the end of a string in C, and halves of a character.
_UNWRITABLE: Final = dict.fromkeys([0, *range(0xD800, 0xE000)], DAMAGED_SIGN)


def cell_text(value: object) -> str:
    """Write a value as text; a missing one is empty.

    A date at midnight is a date: spreadsheets keep dates so. What is no number, date or text is
    marked as damaged, and its row is set aside later.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value.translate(_UNWRITABLE)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return _time_text(value)
    return _number_text(value)


def _time_text(value: datetime | date | time) -> str:
    if isinstance(value, datetime) and value.time() == _NO_TIME and value.tzinfo is None:
        return value.date().isoformat()
    return value.isoformat()


def _number_text(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else ""
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        return "" if math.isnan(number) else repr(number)
    return DAMAGED_SIGN
