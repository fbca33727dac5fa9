"""From TOML text to a checked protocol or study; every error names the line and the mend."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from securefl.errors import StudyError
from securefl.study.schema import Protocol, Study

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A study is read by people; a longer one is not a study (rule 5: cap before parsing).
MAX_BYTES = 256 * 1024

_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\]\s]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*(\"[^\"]+\"|'[^']+'|[A-Za-z0-9_.-]+)\s*=")
_INLINE_ITEM = re.compile(r"^\s*\{")
_SUGGESTIONS = {
    "extra_forbidden": "remove the key, or correct its spelling",
    "missing": "add the key",
}

_Model = TypeVar("_Model", bound=Protocol)


def parse_study(text: str | bytes) -> Study:
    """Read a sealed study.

    Raises:
        StudyError: with each fault's line number, what is wrong and how to mend it.
    """
    return _parse(text, Study)


def parse_protocol(text: str | bytes) -> Protocol:
    """Read a protocol (a template without parties). Raises as :func:`parse_study`."""
    return _parse(text, Protocol)


def load_raw(text: str | bytes) -> dict[str, Any]:
    """The TOML as plain values, with size, encoding and syntax checked.

    Raises:
        StudyError: too long, not UTF-8, or not TOML.
    """
    data = text.encode() if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise StudyError(f"The study file has {len(data)} bytes; at most {MAX_BYTES} are read.", next_step="Shorten the texts.")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise StudyError(f"The study file is not UTF-8 text (byte {error.start}).", next_step="Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"The study file is not valid TOML: {error}.", next_step="Mend that line.") from None


def plain(value: Any) -> Any:  # noqa: ANN401 - TOML values of every kind
    """TOML values as JSON values without floats: times become UTC text, arrays lists; floats are left for the checks to refuse."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value.tzinfo else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value


def _parse(text: str | bytes, model: type[_Model]) -> _Model:
    raw = load_raw(text)
    source = text if isinstance(text, str) else text.decode("utf-8")
    want = "securefl-study/1" if model is Study else "securefl-protocol/1"
    if raw.get("schema") != want:
        raise StudyError(
            f'The file says schema = {raw.get("schema")!r}; expected "{want}".',
            next_step="A protocol becomes a study with `securefl study new`." if model is Study else "",
        )
    try:
        return model.model_validate(_tuples(raw))
    except ValidationError as error:
        lines = line_index(source)
        faults = [_fault(item, lines) for item in error.errors()]
        raise StudyError(
            "The study file breaks the contract:\n" + "\n".join(f"  {f}" for f in faults) + "\n",
            next_step="Mend the lines named above and run `securefl study check` again.",
        ) from None


def _tuples(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return value


def _fault(item: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> str:
    # a discriminated union puts the tag ("numeric") into the location; it is not part of the file
    loc = tuple(p for i, p in enumerate(item["loc"]) if not (i >= 3 and item["loc"][1] == "columns" and i == 3))
    line = next((lines[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in lines), None)
    where = ".".join(str(p + 1) if isinstance(p, int) else p for p in loc) or "the whole file"
    kind = item["type"]
    message = item["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "unknown key"
    elif kind == "missing":
        message = "is missing"
    elif kind == "union_tag_not_found":
        message = 'needs kind = "numeric", "category" or "boolean"'
    mend = _SUGGESTIONS.get(kind)
    prefix = f"line {line}: " if line else ""
    return f"{prefix}{where}: {message}" + (f" ({mend})" if mend else "")


def line_index(text: str) -> dict[tuple[str | int, ...], int]:
    """Where each table and key stands: path → line number (from 1). Enough TOML for error messages, no more."""
    index: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    base: tuple[str | int, ...] = ()
    array: tuple[str | int, ...] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if table := _TABLE.match(line):
            base, array = _table_path(table, counts), None
            index.setdefault(base, number)
        elif key := _KEY.match(line):
            path = (*base, *(p.strip("\"'") for p in key.group(1).split(".")))
            index.setdefault(path, number)
            array = path if line.rstrip().endswith("[") else None
            if array:
                counts[array] = 0
        elif array and _INLINE_ITEM.match(line):
            index.setdefault((*array, counts[array]), number)
            counts[array] += 1
    return index


def _table_path(match: re.Match[str], counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    parts = match.group(2).split(".")
    for i, part in enumerate(parts):
        path = (*path, part.strip("\"'"))
        if i < len(parts) - 1 and path in counts:  # a sub-table of the newest item of an array
            path = (*path, counts[path] - 1)
    if match.group(1) == "[[":
        counts[path] = counts.get(path, 0) + 1
        path = (*path, counts[path] - 1)
    return path
