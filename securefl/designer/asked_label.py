"""Label of a study from a few words: ``died``, ``diagnosis = malignant``, ``HbA1c >= 6.5``.

``COLUMN`` alone is predicted as the column is declared: a yes or no, one of its levels, or its
number. ``COLUMN = TEXT, TEXT`` is positive with one of the texts, negative with any other that is
declared. ``COLUMN >= NUMBER`` (also ``>``, ``<=``, ``<``) is positive on that side. ``COLUMN ~ E F``
is positive with one of these letters in the cell. ``TIME until EVENT = TEXT by NUMBER, NUMBER`` is a
time to an event (:mod:`securefl.designer.time_label`). Conditions of several columns are joined by
``and``, or by ``or``: ``sex = F and age >= 60 and TSH > 10``. A table as in ``[data.label]`` is taken as it
is.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.own_table import MOST_LEVELS, declared_column
from securefl.designer.time_label import time_to_event
from securefl.errors import UsageError
from securefl.learning.table import MISSING
from securefl.study.fields import is_decimal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.designer.description import Description

_FORM: Final = re.compile(r"(?P<column>.+?)\s*(?P<sign>>=|<=|>|<|=|~)\s*(?P<rest>.+)")
_SIDES: Final = {">=": "at-least", ">": "above", "<=": "at-most", "<": "below"}
_LEAST_CLASSES: Final = 3
#: Columns that a refusal names.
_LISTED: Final = 12


def label_of(asked: str | Mapping[str, Any] | None, table: Description) -> dict[str, Any]:
    """The label's table of the study file.

    Args:
        asked: a few words, a table, or None for the label that was declared with the data set.
        table: the columns.

    Raises:
        UsageError: it names no column, or asks what the column cannot say.
    """
    if asked is None and table.label is not None:
        return dict(table.label)
    if asked is None:
        raise UsageError(
            "The question names no label.",
            next_step=f"Name what is to be predicted, like --label '{_example(table)}'.",
        )
    if not isinstance(asked, str):
        return dict(asked)
    words = asked.strip()
    if _known(words, table):
        return _whole_column(words, table)
    return (
        time_to_event(words, table)
        or _joined(words, " and ", "all-of", table)
        or _joined(words, " or ", "any-of", table)
        or _compared(words, table)
    )


def _joined(
    asked: str,
    joint: str,
    kind: str,
    table: Description,
) -> dict[str, Any] | None:
    """Label of several conditions; None where the words between are no conditions of columns."""
    parts = asked.split(joint)
    forms = [_FORM.fullmatch(part.strip()) for part in parts]
    known = [form is not None and _known(form["column"], table) for form in forms]
    if len(parts) == 1 or not all(known):
        return None
    return {"kind": kind, "conditions": [_compared(part.strip(), table) for part in parts]}


def _compared(asked: str, table: Description) -> dict[str, Any]:
    """Label of a column beside texts, letters or a number."""
    form = _FORM.fullmatch(asked)
    if form is None or not _known(form["column"], table):
        raise UsageError(
            f"{asked[:80]!r} names no column of the table.",
            next_step=f"Its columns are: {', '.join(_names(table)[:_LISTED])}.",
        )
    if form["sign"] == "=":
        return _equals(
            form["column"],
            _listed(form["rest"], ","),
            table,
        )
    if form["sign"] == "~":
        return _letters(
            form["column"],
            _listed(form["rest"].replace(",", " "), " "),
            table,
        )
    return _side(
        form["column"],
        form["sign"],
        form["rest"].strip(),
        table,
    )


def _listed(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _names(table: Description) -> list[str]:
    """Columns that may be the label."""
    cells: Sequence[str] = ()
    if table.table is not None:
        cells = [name for name in table.table.columns if name != table.patient]
    return list(dict.fromkeys([*(str(c["name"]) for c in table.columns), *cells]))


def _known(name: str, table: Description) -> bool:
    return name in _names(table)


def _example(table: Description) -> str:
    return _names(table)[-1]


def _declared(name: str, table: Description) -> Mapping[str, Any]:
    """The column as declared, or as its cells are where it is no feature.

    Raises:
        UsageError: its cells are too many different texts.
    """
    column = table.column(name)
    if column is None and table.table is not None:
        found = declared_column(
            name,
            table.table.columns[name],
            table.table.reading.decimal,
        )
        column = found.declared
    if column is None:
        raise UsageError(
            f"{name} cannot be predicted as it is: {table.left_out.get(name, 'not declared')}.",
            next_step=f"Say which texts mean yes: '{name} = TEXT, TEXT' or, for letters, '{name} ~ E F'.",
        )
    return column


def _texts(name: str, table: Description) -> list[str]:
    """Texts that the column declares, or that stand in its cells."""
    column = table.column(name)
    if column is not None and column["kind"] == "category":
        return [str(level) for level in column["levels"]]
    if column is not None and column["kind"] == "boolean":
        return [str(column["true"]), str(column["false"])]
    if table.table is None:
        raise UsageError(
            f"{name} is a number, and no text.", next_step=f"Write '{name} >= NUMBER'."
        )
    cells = table.table.columns[name]
    return list(Counter(c for c in cells if c is not None and c.lower() not in MISSING))


def _codes(name: str, table: Description) -> dict[str, Any]:
    """Missing-value codes of the column, which hold for the label too."""
    column = table.column(name) or {}
    codes = list(column.get("missing_codes", ()))
    if not codes:
        return {}
    return {"missing_codes": codes}


def _whole_column(name: str, table: Description) -> dict[str, Any]:
    """Label of a column that is predicted as it stands."""
    column = _declared(name, table)
    if column["kind"] == "numeric":
        kept = ("low", "high", "unit", "transform")
        scale = {key: column[key] for key in kept if column.get(key)}
        return {
            "kind": "number",
            "column": name,
            **scale,
            "outside": "clip",
            **_codes(name, table),
        }
    if column["kind"] == "boolean":
        return _outcomes(
            name,
            [column["true"]],
            [column["false"]],
            table,
        )
    levels = [str(level) for level in column["levels"]]
    if len(levels) < _LEAST_CLASSES:
        return _outcomes(
            name,
            levels[1:],
            levels[:1],
            table,
        )
    classes = [{"name": level, "texts": [level]} for level in levels]
    return {"kind": "classes", "column": name, "classes": classes, **_codes(name, table)}


def _outcomes(
    name: str,
    positive: list[str],
    negative: list[str],
    table: Description,
) -> dict[str, Any]:
    return {
        "column": name,
        "kind": "equals",
        "positive": positive,
        "negative": negative,
        **_codes(name, table),
    }


def _equals(name: str, positive: list[str], table: Description) -> dict[str, Any]:
    texts = _texts(name, table)
    strange = [text for text in positive if text not in texts]
    negative = [text for text in texts if text not in positive]
    if strange or not negative:
        shown = ", ".join(texts[:MOST_LEVELS])
        raise UsageError(
            f"{name} = {', '.join(positive)} leaves no yes and no: it says {shown}.",
            next_step="Name some of these texts, and leave others for the no.",
        )
    return _outcomes(
        name,
        positive,
        negative,
        table,
    )


def _letters(name: str, positive: list[str], table: Description) -> dict[str, Any]:
    signs = sorted({sign for text in _texts(name, table) for sign in text if not sign.isspace()})
    strange = [letter for letter in positive if letter not in signs]
    if strange:
        raise UsageError(
            f"No cell of {name} holds {', '.join(strange)}.",
            next_step=f"Its signs are: {' '.join(signs[:80])}",
        )
    return {
        "column": name,
        "kind": "any-of-letters",
        "positive": positive,
        "negative": [sign for sign in signs if sign not in positive],
    }


def _side(
    name: str,
    sign: str,
    value: str,
    table: Description,
) -> dict[str, Any]:
    """Positive above or below a number."""
    low, high = _ends(name, table)
    if not is_decimal(value) or not low <= Decimal(value) <= high:
        raise UsageError(
            f"{value[:40]!r} is no number from {low} to {high}, the range of {name}.",
            next_step=f"Write it like '{name} {sign} {(low + high) / 2}'.",
        )
    return {
        "column": name,
        "kind": _SIDES[sign],
        "value": value,
        "low": str(low),
        "high": str(high),
        **_codes(name, table),
    }


def _ends(name: str, table: Description) -> tuple[Decimal, Decimal]:
    """The range of a number, or of a category whose levels are numbers."""
    column = _declared(name, table)
    if column["kind"] == "numeric":
        return Decimal(column["low"]), Decimal(column["high"])
    texts = [str(text) for text in column.get("levels", ())]
    if not texts or not all(map(is_decimal, texts)):
        raise UsageError(
            f"{name} is no number.", next_step=f"Name texts that mean yes: '{name} = TEXT'."
        )
    numbers = [Decimal(text) for text in texts]
    return min(numbers), max(numbers)
