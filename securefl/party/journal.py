"""Log of a long-running role, for its owner's eyes alone: a file of bounded size, and older ones.

A role runs for months, so its log turns over: when ``agent.log`` is full it becomes
``agent.log.1``, and so on; together they take at most :data:`MAX_BYTES` times one more than
:data:`OLDER` (16 MiB).
"""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from securefl.party.clock import utc_now
from securefl.report.characters import shown

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

#: Bytes of one file of a log.
MAX_BYTES = 4 * 1024 * 1024
#: Number of older files that are kept beside it.
OLDER = 3


class Journal(RotatingFileHandler):
    """Log file of lines with the time, UTC, made 0600.

    A disk that takes nothing more loses lines and ends nothing.

    Args:
        path: where the newest lines are.
        max_bytes: after so many a new file begins.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, maxBytes=max_bytes, backupCount=OLDER, encoding="utf-8")

    def say(self, line: str) -> None:
        """Write a text.

        Only its first line carries a time of its own; what a screen may not show is spelled out.
        """
        first, *more = (shown(part) for part in line.splitlines() or [""])
        # Further lines are marked, so that no text of others passes for an entry of its own.
        lines = [f"{utc_now()} {first}", *(f"    | {part}" for part in more)]
        self.handle(logging.makeLogRecord({"msg": "\n".join(lines)}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose the line, and let the role go on."""

    def _open(self) -> TextIOWrapper:
        """Open the file for its owner alone; logging's own way would follow the umask."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")


def turn_over(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Begin a file anew that is written by others and is longer than ``max_bytes``.

    What it held is kept beside it, once.
    """
    try:
        if path.stat().st_size > max_bytes:
            path.replace(path.with_name(f"{path.name}.1"))
    except FileNotFoundError:
        return
