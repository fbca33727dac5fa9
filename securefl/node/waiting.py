"""Line on what a study waits for: written by the agent, shown by `securefl site status`.

It stays in the study's folder. A second line says until when, where the wait has an end: a running
study whose coordinator, aggregator or another hospital is away.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "waiting"
_LONGEST = 400


def keep_waiting(study: Path, line: str) -> None:
    """Keep what is waited for in the study's folder; an empty line when nothing is."""
    if _kept(study) != [line]:
        replace_file(study / _FILE, line.encode())


def keep_long_wait(
    study: Path,
    line: str,
    since: datetime,
    until: datetime,
) -> None:
    """Keep whom a running study waits for.

    Args:
        study: its folder.
        line: who is away.
        since: from when on.
        until: the study ends here then.
    """
    told = [line, until.astimezone(UTC).isoformat(timespec="minutes")]
    if _kept(study) != told:
        replace_file(study / _FILE, "\n".join(told).encode())
    os.utime(study / _FILE, (since.timestamp(), since.timestamp()))


def waiting_since(study: Path) -> datetime | None:
    """Time since when the same is waited for; None where nothing is."""
    if not waiting_for(study):
        return None
    return datetime.fromtimestamp((study / _FILE).stat().st_mtime, UTC)


def waiting_for(study: Path) -> str:
    """Read what is waited for; empty where nothing is, or nobody has said yet."""
    return _kept(study)[0]


def waiting_until(study: Path) -> datetime | None:
    """Time at which a running study ends here if the wait lasts; None where it has no end."""
    with suppress(ValueError, IndexError):
        return datetime.fromisoformat(_kept(study)[1]).astimezone(UTC)
    return None


def _kept(study: Path) -> list[str]:
    """Lines of the file, one or two."""
    try:
        text = (study / _FILE).read_bytes()[:_LONGEST].decode(errors="replace")
    except OSError:
        text = ""
    return text.split("\n")[:2]
