"""Columns that a study asks for and the owner did not register, or registered otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.report.explain_columns import column_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from securefl.study.columns import DataSpec


def unregistered(asked: DataSpec, registered: Mapping[str, Any]) -> list[str]:
    """Differences between the study's data and the owner's registration, a line each.

    Texts are to be quoted.

    Args:
        asked: the study's ``[data]``.
        registered: the same fields as the owner registered them
            (:func:`securefl.node.public_side.registered`).
    """
    wanted = asked.model_dump(mode="json")
    known = {
        c["name"]: c for c in registered.get("columns", ()) if isinstance(c, dict) and "name" in c
    }
    lines = []
    for column in wanted["columns"]:
        mine = known.get(column["name"])
        if mine is None:
            lines.append(f"{column_words(column)}: you registered no such column")
        elif mine != column:
            lines.append(
                f"{column_words(column)}: you registered"
                f" {column_words(mine)}{_details(column, mine)}"
            )
    if wanted["patient"] != registered.get("patient"):
        lines.append(
            f"patients are told apart by {wanted['patient']}: you registered"
            f" {registered.get('patient', 'nothing')}"
        )
    if wanted["label"] != registered.get("label"):
        mine = registered.get("label")
        column = None
        if isinstance(mine, dict):
            column = mine.get("column")
        lines.append(
            f"to be predicted from {wanted['label']['column']}: you registered"
            f" {_label(column, wanted['label'], mine)}"
        )
    return lines


def _label(column: object, wanted: Mapping[str, Any], mine: object) -> str:
    if not isinstance(mine, dict) or column is None:
        return "nothing"
    if column != wanted["column"]:
        return str(column)
    return f"the same column, otherwise{_details(wanted, mine)}"


def _details(wanted: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """Fields that differ, with both values."""
    keys = [key for key in sorted({*wanted, *mine}) if wanted.get(key) != mine.get(key)]
    return f" ({'; '.join(f'{key}: {_value(wanted.get(key))}, registered {_value(mine.get(key))}' for key in keys)})"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return _all(value)
    if value is None or value == "":
        return "nothing"
    return str(value)


def _all(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "nothing"
