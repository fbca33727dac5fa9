"""A protocol made of a study or protocol that is there: without its parties, with changed fields.

Fields are named as :mod:`securefl.study.differences` names them: ``privacy.epsilon``,
``stages[0].rounds``, ``data.columns[TSH].high``.
"""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UsageError
from securefl.study.parse import load_raw

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROTOCOL: Final = "securefl-protocol/2"
#: Tables of a sealed study that `securefl study new` writes.
_SEALED: Final = ("coordinator", "aggregator", "participants", "software", "agreement")
_STEP: Final = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\[\]]+)\]")
_STEPS: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+|\[[^\[\]]+\])*")


def protocol_values(text: bytes) -> dict[str, Any]:
    """Values of the protocol that a study was made of; a protocol's own.

    Args:
        text: of a study or protocol that was checked.

    Raises:
        StudyError: it is no TOML.
    """
    raw = deepcopy(load_raw(text))
    raw["schema"] = _PROTOCOL
    for key in _SEALED:
        raw.pop(key, None)
    return raw


def change(raw: dict[str, Any], changes: Mapping[str, str]) -> None:
    """Write values into a protocol's, in place.

    A field that is there keeps its kind: a text stays one, a whole number and a time are read as
    such, a list of texts is given with commas.

    Args:
        raw: from :func:`protocol_values`.
        changes: name of a field to its new value as typed.

    Raises:
        UsageError: there is no such place, or the value is of another kind.
    """
    for place, typed in changes.items():
        _set(raw, place, typed)


def _set(raw: dict[str, Any], place: str, typed: str) -> None:
    if not _STEPS.fullmatch(place):
        raise _no_place(place)
    steps = [key or index for key, index in _STEP.findall(place)]
    table: Any = raw
    for step in steps[:-1]:
        table = _below(table, step, place)
    last = steps[-1]
    if not isinstance(table, dict):
        raise _no_place(place)
    before = table.get(last)
    if isinstance(before, dict) or _is_tables(before):
        raise UsageError(
            f"{place} is a table and not one value.",
            next_step=f"Name a field of it, like {place}.{_first_key(before)}.",
        )
    table[last] = _value(place, typed, before)


def _below(table: Any, step: str, place: str) -> Any:  # noqa: ANN401 - TOML values
    """The table or list one step further in."""
    if isinstance(table, dict) and isinstance(table.get(step), dict | list):
        return table[step]
    if isinstance(table, list):
        for number, one in enumerate(table):
            if isinstance(one, dict) and step == str(one.get("name", number)):
                return one
    raise _no_place(place)


def _is_tables(value: Any) -> bool:  # noqa: ANN401 - a TOML value
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _first_key(value: Any) -> str:  # noqa: ANN401 - a TOML value
    if isinstance(value, dict):
        return next(iter(value), "name")
    return "name"


def _value(place: str, typed: str, before: Any) -> Any:  # noqa: ANN401 - TOML values
    """The typed value as one of the same kind."""
    try:
        if before is None:
            return _new_value(typed)
        if isinstance(before, bool):
            return {"true": True, "false": False}[typed]
        if isinstance(before, int):
            return int(typed)
        if isinstance(before, datetime):
            return _moment(typed)
        if isinstance(before, list):
            return [part.strip() for part in typed.split(",") if part.strip()]
    except (KeyError, ValueError):
        raise UsageError(
            f"{typed[:60]!r} is no value of the kind that {place} has.",
            next_step=f"Write it like {before}.",
        ) from None
    return typed


def _new_value(typed: str) -> Any:  # noqa: ANN401 - a TOML value
    """A value of a field that was left out: as TOML reads it, else a text.

    A number with a point is a text: study files hold no floats.
    """
    try:
        found = tomllib.loads(f"value = {typed}")
    except tomllib.TOMLDecodeError:
        return typed
    value = found["value"]
    if len(found) > 1 or isinstance(value, float | dict):
        return typed
    return value


def _moment(typed: str) -> datetime:
    """A time in UTC; a day alone is its beginning."""
    found = datetime.fromisoformat(typed)
    if found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    return found.astimezone(UTC)


def beginning_of(day: str) -> str:
    """The first moment of a day, as a study file writes it.

    >>> beginning_of("2027-01-31")
    '2027-01-31T00:00:00+00:00'
    """
    return datetime.combine(date.fromisoformat(day), time(0), UTC).isoformat()


def _no_place(place: str) -> UsageError:
    return UsageError(
        f"The study has no place {place[:80]!r}.",
        next_step=(
            "Name a field like privacy.epsilon, stages[0].rounds or data.columns[age].high;"
            " `securefl study compare` shows them so."
        ),
    )
