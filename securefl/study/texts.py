"""Texts that a study declares and a table holds: one rule decides which of them are the same.

A table's reader takes blank space off both ends of a cell. Then a declared text and a cell are the
same when they agree character by character, or when both are plain numbers of one value: ``1``,
``1.0`` and ``1e0`` are one number. ``01`` is none, for a leading zero marks a code ("01", "007"),
and a code is compared as text. Case counts: "Yes" is not "yes".
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import AfterValidator, StringConstraints

from securefl.study.fields import LINE

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?")
_LONGEST_NUMBER = 40

#: What two texts have in common when they are the same: a number or the text itself.
TextKey: TypeAlias = Decimal | str


def text_key(text: str) -> TextKey:
    """Return the number that ``text`` plainly writes, else ``text``.

    Equal keys are the same value.

    >>> text_key("1.0") == text_key("1"), text_key("01") == text_key("1")
    (True, False)
    >>> text_key("Yes") == text_key("yes")
    False
    """
    if len(text) <= _LONGEST_NUMBER and _PLAIN.fullmatch(text):
        return Decimal(text)
    return text


def named_twice(texts: Iterable[str]) -> str | None:
    """The first text that is the same as one before it; ``None`` where all differ."""
    seen: set[TextKey] = set()
    for text in texts:
        key = text_key(text)
        if key in seen:
            return text
        seen.add(key)
    return None


def in_both(some: Iterable[str], others: Iterable[str]) -> str | None:
    """Find the first of ``others`` that is the same as one of ``some``.

    ``None`` where they have nothing in common.
    """
    keys = {text_key(text) for text in some}
    return next((text for text in others if text_key(text) in keys), None)


def _can_stand_in_a_table(text: str) -> str:
    if text != text.strip():
        raise ValueError(
            "has blank space at its ends, which is taken off every cell of a table: it could never"
            " match; remove it"
        )
    if "\ufffd" in text:
        raise ValueError(
            "holds U+FFFD, the mark of a damaged character: such a cell is always set aside; write"
            " the true character"
        )
    return text


#: A text that a cell of a table may hold: a level, a label, a missing-value code.
CellText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=400, pattern=LINE),
    AfterValidator(_can_stand_in_a_table),
]
#: The name of a column in the first line of a table.
ColumnName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=80, pattern=LINE),
    AfterValidator(_can_stand_in_a_table),
]
