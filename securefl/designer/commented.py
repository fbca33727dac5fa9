"""Text of a study file with the reason of each value above it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.study.seal import toml_key, toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH: Final = 98


@dataclass(frozen=True)
class Entry:
    """One key of a table.

    Attributes:
        key: its name.
        value: a TOML value.
        why: the rule or source that it follows from; empty where it explains itself.
        each: of a list of tables, name of a table to the reason of that one.
    """

    key: str
    value: Any
    why: str = ""
    each: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Part:
    """One table of the file.

    Attributes:
        header: as ``[data]``; empty for keys before the first table.
        entries: its keys.
        why: a sentence on the whole table.
    """

    header: str
    entries: tuple[Entry, ...]
    why: str = ""


def commented_toml(head: str, parts: Sequence[Part]) -> str:
    """The file's text.

    Args:
        head: a comment at its head.
        parts: tables in their order.
    """
    lines = [*_comment(head)]
    for part in parts:
        if part.header:
            lines += ["", *_comment(part.why), part.header]
        for entry in part.entries:
            lines += _entry(entry)
    return "\n".join(lines) + "\n"


def _entry(entry: Entry) -> Iterator[str]:
    yield from _comment(entry.why)
    key = toml_key(entry.key)
    if not _is_tables(entry.value):
        yield f"{key} = {toml_value(entry.value)}"
        return
    yield f"{key} = ["
    before = ""
    for table in entry.value:
        reason = (entry.each or {}).get(str(table.get("name", "")), "")
        if reason != before:
            # the same reason as of the table above is not repeated
            yield from _comment(reason, "  ")
        before = reason
        yield f"  {toml_value(dict(table))},"
    yield "]"


def _is_tables(value: Any) -> bool:  # noqa: ANN401 - a TOML value
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _comment(words: str, before: str = "") -> list[str]:
    """Words as lines of comment; signs that a line of TOML cannot hold become blanks."""
    plain = "".join(sign if sign.isprintable() else " " for sign in words)
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{before}# ",
        subsequent_indent=f"{before}# ",
        break_long_words=False,
    )
