"""Texts of a column as a finite table: what the study's own encoder makes of each spelling.

Other runtimes compare texts letter by letter. So every spelling that a study's rules accept is
written out as far as there are finitely many: the declared texts, missing-value codes, plain
numbers with and without ".0", and the usual words for "not recorded" in any case. Any other text
gives no prediction, as a text that nobody declared.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Final

from securefl.learning.encoding import encoder
from securefl.learning.table import MISSING
from securefl.study.columns import BooleanColumn, CategoryColumn
from securefl.study.texts import text_key

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Code of a text that is not one of the column's.
UNKNOWN: Final = -2
#: Code of a text with which all features of the column are 0: the first level, or no.
REFERENCE: Final = -1


def text_codes(column: CategoryColumn | BooleanColumn) -> dict[str, int]:
    """Each spelling → the place of the feature that is 1, or :data:`REFERENCE`."""
    declared = column.levels if isinstance(column, CategoryColumn) else (column.true, column.false)
    encode = encoder(column, ".")
    codes: dict[str, int] = {}
    for text in (*_spelled((*declared, *column.missing_codes)), *_missing_words()):
        found = encode(text or None)
        if isinstance(found, str):
            continue
        place, value = found
        codes[text] = place if value else REFERENCE
    return codes


def _spelled(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        yield text
        key = text_key(text)
        if isinstance(key, Decimal) and key == key.to_integral_value():
            whole = f"{key:f}".partition(".")[0]
            yield whole
            yield f"{whole}.0"


def _missing_words() -> Iterable[str]:
    for word in sorted(MISSING):
        for letters in product(*({sign.lower(), sign.upper()} for sign in word)):
            yield "".join(letters)
