"""Sealing of a protocol: parties and software are added, and what its stages left open."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import datetime
from typing import TYPE_CHECKING, Any

from securefl.study.sealed import SealedStudy
from securefl.study.stages import checks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.study.sealed import UnsealedStudy


def seal_study(
    protocol: UnsealedStudy,
    *,
    coordinator: Mapping[str, str],
    aggregator: Mapping[str, str],
    participants: Sequence[Mapping[str, str]],
    software: Mapping[str, str],
    study_id: str | None = None,
    agreement: str | None = None,
) -> SealedStudy:
    """Make a protocol a sealed study.

    Args:
        protocol: what is asked; it is left as it is.
        coordinator: the fields of :class:`~securefl.study.schema.Party`.
        aggregator: the same.
        participants: the fields of :class:`~securefl.study.schema.Participant`, one mapping a
            hospital.
        software: ``securefl`` (version) and ``lock_sha256``.
        study_id: replaces the protocol's id, so that one protocol can serve several studies.
        agreement: digest of the consortium's agreement under which the study is made.

    Raises:
        StudyError: the resulting study is invalid.
    """
    raw = sealed_values(
        protocol,
        coordinator=coordinator,
        aggregator=aggregator,
        participants=participants,
        software=software,
        study_id=study_id,
        agreement=agreement,
    )
    return SealedStudy.read(dump_toml(raw))


def sealed_values(
    protocol: UnsealedStudy,
    *,
    coordinator: Mapping[str, str],
    aggregator: Mapping[str, str],
    participants: Sequence[Mapping[str, str]],
    software: Mapping[str, str],
    study_id: str | None = None,
    agreement: str | None = None,
) -> dict[str, Any]:
    """Values of a sealed study, before they are written and checked; as :func:`seal_study`."""
    raw = deepcopy(protocol.raw)
    raw["schema"] = "securefl-study/2"
    for table, stage in zip(raw["stages"], checks_of(protocol.study), strict=True):
        _fill(table, stage.sealed())
    if study_id is not None:
        raw["study"]["id"] = study_id
    if agreement is not None:
        raw["agreement"] = agreement
    raw |= {
        "coordinator": dict(coordinator),
        "aggregator": dict(aggregator),
        "software": dict(software),
        "participants": sorted((dict(p) for p in participants), key=lambda p: p.get("name", "")),
    }
    return raw


def _fill(table: dict[str, Any], sealed: Mapping[str, Any]) -> None:
    """Write into a table what it does not say yet."""
    for key, value in sealed.items():
        if isinstance(value, dict):
            _fill(table.setdefault(key, {}), value)
        else:
            table.setdefault(key, value)


def dump_toml(raw: Mapping[str, Any]) -> str:
    """Write TOML text of the values that a study can hold.

    Texts, whole numbers, booleans, times, arrays, tables.
    """
    lines: list[str] = []
    _table(lines, (), raw)
    return "\n".join(lines).strip() + "\n"


def _table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if not isinstance(value, dict) and not _is_table_array(value):
            lines.append(f"{toml_key(key)} = {toml_value(value)}")
    for key, value in table.items():
        name = ".".join(toml_key(part) for part in (*path, key))
        if isinstance(value, dict):
            lines += ["", f"[{name}]"]
            _table(lines, (*path, key), value)
        elif _is_table_array(value):
            for item in value:
                lines += ["", f"[[{name}]]"]
                _table(lines, (*path, key), item)


def _is_table_array(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def toml_key(key: str) -> str:
    """A key as TOML writes it."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        return key
    return _string(key)


def toml_value(value: Any) -> str:  # noqa: ANN401, PLR0911 - a case each
    """A value as TOML writes it on one line; a table as an inline one."""
    if isinstance(value, bool):
        if value:
            return "true"
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        inside = (f"{toml_key(name)} = {toml_value(one)}" for name, one in value.items())
        return "{ " + ", ".join(inside) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, str):
        return _string(value)
    raise TypeError(f"a study holds no {type(value).__name__}")


def _string(text: str) -> str:
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "\t":
            out.append("\\t")
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append(f"\\u{ord(char):04X}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'
