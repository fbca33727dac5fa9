"""Differences between two sealed studies, field by field, for an owner who approved one of them."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Difference(NamedTuple):
    """One field that is not the same.

    Attributes:
        place: where it stands in the study file, as ``stages[0].rounds``.
        before: its value in the earlier study; None where it had none.
        after: in the later one.
    """

    place: str
    before: str | None
    after: str | None


def differences(before: bytes, after: bytes) -> tuple[Difference, ...]:
    """Every field that differs, in the order of the later study, then those that are gone.

    Tables of a list that have names are compared by them, so that a hospital more or a column less
    is one thing and not a shift of all others.

    Args:
        before: text of a sealed study.
        after: text of another.
    """
    old = _fields(before)
    new = _fields(after)
    places = [*new, *(place for place in old if place not in new)]
    return tuple(
        Difference(place, old.get(place), new.get(place))
        for place in places
        if old.get(place) != new.get(place)
    )


def _fields(text: bytes) -> dict[str, str]:
    """Place to value, in the order of the file."""
    return dict(_flat(tomllib.loads(text.decode()), ""))


def _flat(value: Any, place: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any TOML value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}".removeprefix("."))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{place}[{inner.get('name', number)}]")
    else:
        yield place, _words(value)


def _words(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
