"""Quarantine of refused messages: moved out of the inbox, counted, the reason written down.

One bad message blocks nobody.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.datasite.layout import MAX_NAMES, MAX_QUARANTINE
from securefl.datasite.models import Quarantined
from securefl.files import private_folder

if TYPE_CHECKING:
    from pathlib import Path


class Quarantine:
    """Folder ``quarantine/`` of one site: the messages as they came, and ``log.jsonl``.

    At most :data:`~securefl.datasite.layout.MAX_QUARANTINE` messages are kept; of later ones only
    the line in the log.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log.jsonl"

    def add(
        self,
        sender: str,
        message: str,
        reason: str,
        raw: bytes | None,
    ) -> Quarantined:
        """Write down a refusal and keep ``raw`` (0600) while there is room.

        ``raw`` is None where it was too long to read.
        """
        private_folder(self._folder)
        # The log is one of the files, so as many messages as the cap says are kept.
        kept = raw is not None and sum(1 for _ in self._folder.iterdir()) <= MAX_QUARANTINE
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = Quarantined(now, sender, message, reason, kept)
        if raw is not None and kept:
            _write(self._folder / f"{sender}_{message}", raw, os.O_TRUNC)
        if len(self.entries()) < MAX_NAMES:
            _write(self._log, json.dumps(entry.__dict__).encode() + b"\n", os.O_APPEND)
        return entry

    def entries(self) -> tuple[Quarantined, ...]:
        """Read all refusals, oldest first.

        A line that a killed process left half written, or that somebody spoiled, is passed over: the
        log decides nothing, and must keep nobody from the inbox.
        """
        if not self._log.exists():
            return ()
        lines = self._log.read_text("utf-8", "replace").splitlines()
        found = (_read_entry(line) for line in lines)
        return tuple(entry for entry in found if entry is not None)


def _read_entry(line: str) -> Quarantined | None:
    """A refusal as its line says it; None where the line is none."""
    try:
        return Quarantined(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        return None


def _write(path: Path, data: bytes, flag: int) -> None:
    """Write a file (0600), in the place of an old one or behind its end as ``flag`` says."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
