"""That a long-running role runs in a folder: a lock held for its life, and a file that says which process it is."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.files import read_file
from securefl.identity import replace_file
from securefl.node.locks import Lock, is_held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Presence:
    """One process's claim to a role in a folder. The kernel lets go of it when the process ends, however it ends.

    Args:
        folder: the party's folder.
        role: ``agent`` or ``aggregator``; names the files.
    """

    def __init__(self, folder: Path, role: str) -> None:
        self._lock = Lock(folder / f"{role}.lock")
        self._state = folder / f"{role}.json"

    def take(self) -> bool:
        """Claim the role; whether it was free."""
        return self._lock.take(seconds=1.0)

    def announce(self, since: str) -> None:
        """Write which process this is, and since when (UTC)."""
        replace_file(self._state, json.dumps({"pid": os.getpid(), "since": since}).encode())

    def leave(self) -> None:
        """Give the role up."""
        self._state.unlink(missing_ok=True)
        self._lock.release()


@contextmanager
def kept_away(folder: Path, role: str) -> Iterator[bool]:
    """Hold the role's place for a block, so that none of its processes starts; False when one runs."""
    place = Lock(folder / f"{role}.lock")
    try:
        yield place.take(seconds=1.0)
    finally:
        place.release()


def present(folder: Path, role: str) -> dict[str, object] | None:
    """What the role's running process wrote about itself (``pid``, ``since``); None when none runs."""
    if not is_held(folder / f"{role}.lock"):
        return None
    try:
        state: dict[str, object] = json.loads(read_file(folder / f"{role}.json"))
        int(str(state["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is just starting
    return state


def stop_role(folder: Path, role: str, seconds: float = 15.0) -> bool:
    """Ask the role's process to stop and wait for it; False when none runs.

    Raises:
        RoundError: it does not stop in time.
    """
    state = present(folder, role)
    if state is None:
        return False
    pid = int(str(state["pid"]))
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if present(folder, role) is None:
            return True
        time.sleep(0.05)
    raise RoundError(f"The {role} (process {pid}) does not stop.", whose="its operator", next_step=f"kill {pid}")
