"""Faults in a study file for its author: the line, the place, what is wrong, how to mend it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from securefl.study.fields import HEX32, LINE, NAME, TEXT, Fault
from securefl.study.refusals import refusal, refused_value
from securefl.study.registries import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.study.lines import Path

#: More faults than this are counted, not listed: the file may come from a stranger.
MAX_LISTED = 20

_PATTERNS = {
    NAME: (
        'expected a name: a letter, then letters, digits, "-" or "_", 40 characters at most;'
        " letters are a to z, without accents or umlauts"
    ),
    HEX32: "expected 32 bytes as 64 digits 0-9 a-f",
    LINE: (
        "holds a line break or another character that cannot be shown; expected one line of plain"
        " text"
    ),
    TEXT: "holds a character that cannot be shown; expected plain text",
}
_MENDS = {
    "extra_forbidden": "remove the key, or correct its spelling",
    "missing": "add the key",
    "int_type": "write a whole number without quotes",
    "int_from_float": "write a whole number without quotes",
    "string_type": "write it as text in quotes",
    "datetime_type": "write a time with its zone and without quotes, like 2026-01-31T00:00:00Z",
    "tuple_type": "write a list in square brackets",
    "model_type": "write it as a table of keys and values",
    "model_attributes_type": "write it as a table of keys and values",
}
#: Mends of keys that are missing, where a word on their meaning helps.
_MISSING_MENDS = {
    "negative": (
        'name what means no, like negative = ["no"]; a row with any other text is set aside'
    ),
}
_CONDITION_KINDS = '"equals", "any-of-letters", "at-least", "above", "at-most" or "below"'
_KINDS = {
    "columns": 'needs kind = "numeric", "category" or "boolean"',
    "label": (
        f'needs kind = {_CONDITION_KINDS}, or "any-of" or "all-of" for a label out of several'
        " conditions"
    ),
    "conditions": f"needs kind = {_CONDITION_KINDS}",
}
_THRESHOLD = (
    'needs kind = "at-least" (it was called "threshold"), with value, low and high in quotes; see'
    ' also "above", "at-most", "below"'
)
#: Tables of which a file has several.
_LISTS = frozenset({"participants", "parties", "stages"})
_UNION_FAULTS = {"union_tag_not_found", "union_tag_invalid"}
_MESSAGES = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "datetime_type": "expected a time",
    "tuple_type": "expected a list",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
}


def listed(faults: Sequence[str]) -> str:
    """Faults one a line, the surplus only counted."""
    shown = [f"  {f}" for f in faults[:MAX_LISTED]]
    if len(faults) > MAX_LISTED:
        shown.append(f"  and {len(faults) - MAX_LISTED} more")
    return "\n".join(shown)


def describe(item: Mapping[str, Any], lines: Mapping[Path, int]) -> str:
    """One pydantic error as a sentence with its line."""
    loc: Path = _in_the_file(item["loc"])
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, Fault):
        loc = (*loc, *cause.path)
    kind = item["type"]
    message = _MESSAGES.get(kind) or item["msg"].removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(item["ctx"]["pattern"], message)
    if kind in _UNION_FAULTS:
        message = _kinds_of(item, loc)
    mend = _MENDS.get(kind)
    if kind == "missing":
        mend = _MISSING_MENDS.get(str(loc[-1]), mend)
    told = _told(item)
    if told is not None:
        message = told
        mend = None
    if kind == "missing" and len(loc) == 1:
        mend = f"add the table [{loc[0]}]"
        if loc[0] in _LISTS:
            mend = f"add the table [[{loc[0]}]]"
    return f"{at(loc, lines)}: {message}" + (f" ({mend})" if mend else "")


def _in_the_file(loc: Path) -> Path:
    """Strip a place of the tags that pydantic writes for kinds of columns and conditions.

    "numeric", "equals".
    """
    if loc[:2] == ("data", "columns") and len(loc) > 3:
        return (*loc[:3], *loc[4:])
    if loc[:2] == ("data", "label") and len(loc) > 2:
        rest = loc[3:]
        if rest[:1] == ("conditions",) and len(rest) > 2:
            rest = (*rest[:2], *rest[3:])
        return (*loc[:2], *rest)
    return loc


def _kinds_of(item: Mapping[str, Any], loc: Path) -> str:
    """The kinds that a column, a label or a condition can be of."""
    if item.get("ctx", {}).get("tag") == "threshold":
        return _THRESHOLD
    place = next((str(part) for part in reversed(loc) if part in _KINDS), "columns")
    if place != "label":
        return _KINDS[place]
    # Labels of other tasks than yes or no are registered, some by tests alone.
    others = " or ".join(f'"{name}"' for name in LABELS.names())
    return f"{_KINDS[place]}; for an outcome that is not yes or no, {others}"


def _told(item: Mapping[str, Any]) -> str | None:
    """The reason where a key or value is one that is refused on purpose."""
    if item["type"] == "extra_forbidden":
        return refusal(str(item["loc"][-1]))
    if item["type"] in {"literal_error", "enum"}:
        return refused_value(item.get("input"))
    return None


def at(loc: Path, lines: Mapping[Path, int]) -> str:
    """``line 12: privacy.grid``: a place with its line.

    The line is of the nearest table or key that stands in the file.
    """
    line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), 1)
    return f"line {line}: {place(loc)}"


def place(loc: Path) -> str:
    """``stages.2.epsilon``: the keys of a place in the file."""
    return ".".join(_shown(part) for part in loc) or "the whole file"


def _shown(part: str | int) -> str:
    # a key can hold anything, escape sequences for the terminal among it; array items count from 1
    # for people
    if isinstance(part, int):
        return str(part + 1)
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", part):
        return part
    return ascii(part[:60])
