"""Judgement of one cell by what a column declares: a value, "not recorded", or a reason.

The reason is why its row is set aside. Each cell is judged alone (rule 10). The order: a damaged
character; a declared value; a missing-value code; a text that differs from a declared one only in
its spelling (set aside, never guessed); an empty cell or one of the usual words for "not recorded".
"""

from __future__ import annotations

import math
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from securefl.learning.table import MISSING
from securefl.study.texts import text_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.table import Cell
    from securefl.study.texts import TextKey

#: A cell in which nothing is recorded.
NotRecorded: TypeAlias = Literal["not recorded"]
NOT_RECORDED: Final[NotRecorded] = "not recorded"
DAMAGED: Final = "not valid in the table's encoding"
NOT_A_NUMBER: Final = "not a number"


class DeclaredTexts:
    """Texts that a column declares, found again in cells.

    Args:
        texts: the declared values, in order.
        codes: the declared missing-value codes.
        decimal: the table's decimal sign.
    """

    def __init__(
        self,
        texts: Sequence[str],
        codes: Sequence[str] = (),
        decimal: str = ".",
    ) -> None:
        self._decimal = decimal
        self._texts = texts
        self._places: dict[TextKey, int] = {text_key(text): i for i, text in enumerate(texts)}
        self._codes = frozenset(text_key(code) for code in codes)
        self._loose = {_loosely(text): text for text in reversed(texts)}

    def place(self, cell: Cell) -> int | NotRecorded | None:
        """Return the number of the declared text that ``cell`` is; ``None`` where none is it."""
        if cell is None:
            return NOT_RECORDED
        key = text_key(with_point(cell, self._decimal))
        if key in self._places:
            return self._places[key]
        if key in self._codes:
            return NOT_RECORDED
        if cell.lower() in MISSING and self.near(cell) is None:
            return NOT_RECORDED
        return None

    def near(self, cell: str) -> str | None:
        """Return the declared text that ``cell`` seems to mean.

        It differs in case, blanks, accents' form or leading zeros only.
        """
        return self._loose.get(_loosely(with_point(cell, self._decimal)))


class DeclaredNumbers:
    """Numbers of a column with its missing-value codes.

    Args:
        codes: the declared missing-value codes; numbers compare as numbers.
        decimal: the table's decimal sign.
    """

    def __init__(self, codes: Sequence[str] = (), decimal: str = ".") -> None:
        self._decimal = decimal
        keys = [text_key(code) for code in codes]
        self._code_texts = frozenset(key for key in keys if isinstance(key, str))
        self._code_numbers = frozenset(float(key) for key in keys if isinstance(key, Decimal))

    def value(self, cell: Cell) -> float | NotRecorded | None:
        """The finite number in ``cell``; ``None`` for a text that is none."""
        if cell is None or cell in self._code_texts:
            return NOT_RECORDED
        number = plain_number(cell, self._decimal)
        if number is None:
            if cell.lower() in MISSING:
                return NOT_RECORDED
            return None
        if number in self._code_numbers:
            return NOT_RECORDED
        return number


def plain_number(cell: str, decimal: str = ".") -> float | None:
    """Read a finite number written plainly, else ``None``.

    No ``inf``, no ``1_000``, and with a decimal comma no point.
    """
    if decimal == "," and "." in cell:
        return None
    try:
        value = float(with_point(cell, decimal))
    except ValueError:
        return None
    # Python reads 1_000 as a number; no table means it so.
    if math.isfinite(value) and "_" not in cell:
        return value
    return None


def with_point(cell: str, decimal: str) -> str:
    """Write ``cell`` with a decimal point where the table has a comma.

    As it is where it cannot be a number.
    """
    if decimal == "," and cell.count(",") == 1 and "." not in cell:
        changed = cell.replace(",", ".")
        if isinstance(text_key(changed), Decimal) or _is_float(changed):
            return changed
        return cell
    return cell


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _loosely(text: str) -> str:
    """Strip a text of case, blanks, invisible characters, a number's leading zeros and ``.0``."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(sign for sign in folded if unicodedata.category(sign)[0] not in "CZ")
    if not bare[:1].isdigit():
        return bare
    number = text_key(bare.lstrip("0") or "0")
    if isinstance(number, Decimal):
        return str(number.normalize())
    return bare
