"""Line on what an approved study waits for: written by the agent, shown by `securefl site status`.

It stays in the study's folder.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "waiting"
_LONGEST = 400


def keep_waiting(study: Path, line: str) -> None:
    """Keep what is waited for in the study's folder; an empty line when nothing is."""
    if waiting_for(study) != line:
        replace_file(study / _FILE, line.encode())


def waiting_since(study: Path) -> datetime | None:
    """Time since when the same is waited for; None where nothing is."""
    if not waiting_for(study):
        return None
    return datetime.fromtimestamp((study / _FILE).stat().st_mtime, UTC)


def waiting_for(study: Path) -> str:
    """Read what is waited for; empty where nothing is, or nobody has said yet."""
    try:
        return (study / _FILE).read_bytes()[:_LONGEST].decode(errors="replace")
    except OSError:
        return ""
