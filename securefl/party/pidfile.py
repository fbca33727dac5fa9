"""Lock and state file of a long-running role in its folder, and the note that it leaves at its end.

All three are for the owner's eyes (mode 0600) and never leave the folder. The lock tells that a
process runs; the state file which one, and whether it works: since when its store is away, whether
a whole turn went well. The end note tells why the last process ended. A process that was killed
leaves its state file and no note of its own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from securefl.backoff import poll
from securefl.errors import RoundError
from securefl.files import read_file, replace_file
from securefl.locks import Lock, is_held
from securefl.party.failure_note import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


#: Seconds between two marks of the state file's time.
_BEAT: Final = 1.0


class Presence:
    """Claim of one process to a role in a folder.

    The kernel lets go of it when the process ends, however it ends.

    Args:
        folder: the party's folder.
        role: ``agent`` or ``aggregator``; names the files.
    """

    def __init__(self, folder: Path, role: str) -> None:
        self._lock = Lock(folder / f"{role}.lock")
        self._state = _state_file(folder, role)
        self._end = _end_file(folder, role)
        self._said: dict[str, Any] = {}
        self._marked = 0.0

    def take(self) -> bool:
        """Claim the role; whether it was free."""
        return self._lock.take(seconds=1.0)

    def announce(self, since: str) -> None:
        """Write which process this is, and since when (UTC).

        The note of an earlier process is taken away.
        """
        self._said = {"pid": os.getpid(), "since": since}
        replace_file(self._state, json.dumps(self._said).encode())
        self._end.unlink(missing_ok=True)

    def tell(self, **facts: Any) -> None:  # noqa: ANN401 - what JSON takes
        """Add facts to the state file; None takes one away.

        Nothing is written where nothing changed, or before :meth:`announce`; the file's time alone
        says that the process goes on (:func:`last_turn`). A disk that takes nothing more ends
        nothing: it is tried again at the next call.
        """
        said = {name: fact for name, fact in (self._said | facts).items() if fact is not None}
        if not self._said:
            return
        if said == self._said:
            self._mark()
            return
        with suppress(OSError):
            replace_file(self._state, json.dumps(said).encode())
            self._said = said

    def _mark(self) -> None:
        """Set the state file's time to now, once a second at most."""
        now = time.monotonic()
        if now - self._marked >= _BEAT:
            self._marked = now
            with suppress(OSError):
                os.utime(self._state)

    def note_end(self, at: str, reason: str) -> None:
        """Keep when (UTC) and why this process ends."""
        note = {"pid": os.getpid(), "at": at, "reason": one_line(reason, "see its log")}
        with suppress(OSError):
            replace_file(self._end, json.dumps(note).encode())

    def leave(self) -> None:
        """Give the role up."""
        self._state.unlink(missing_ok=True)
        self._lock.release()


@contextmanager
def exclude_role(folder: Path, role: str) -> Iterator[bool]:
    """Hold the role's place for a block, so that none of its processes starts; False when one runs."""
    place = Lock(folder / f"{role}.lock")
    try:
        yield place.take(seconds=1.0)
    finally:
        place.release()


def running_process(folder: Path, role: str) -> dict[str, object] | None:
    """Note of the role's running process about itself (``pid``, ``since``); None when none runs."""
    if not is_held(folder / f"{role}.lock"):
        return None
    return _read(_state_file(folder, role))  # None: it is just starting


def last_turn(folder: Path, role: str) -> datetime | None:
    """When the role's running process last went through its work (UTC); None where none runs."""
    if running_process(folder, role) is None:
        return None
    try:
        turned = _state_file(folder, role).stat().st_mtime
    except FileNotFoundError:  # it has just ended
        return None
    return datetime.fromtimestamp(int(turned), UTC)


class StoreAway(NamedTuple):
    """A store that a running role cannot use: since when (UTC), and the reason in a line."""

    since: str
    reason: str


def store_away(state: dict[str, object] | None) -> StoreAway | None:
    """The store's trouble out of :func:`present`; None where it is reached, or nothing runs."""
    away = None
    if state is not None:
        away = state.get("store_away")
    if not isinstance(away, dict):
        return None
    return StoreAway(one_line(str(away.get("since", ""))), one_line(str(away.get("reason", ""))))


class Ended(NamedTuple):
    """End of a role's last process: when (UTC; empty where nobody knows), why, and which it was."""

    at: str
    reason: str
    pid: int


def last_end(folder: Path, role: str) -> Ended | None:
    """End of the role's last process; None while one runs, or where none ever did."""
    if is_held(folder / f"{role}.lock"):
        return None
    note = _read(_end_file(folder, role))
    left = _read(_state_file(folder, role))
    if left is not None and (note is None or note["pid"] != left["pid"]):
        since = one_line(str(left.get("since", "")))
        why = f"it was killed, or the machine stopped: it had run since {since} and left no word"
        return Ended("", why, int(str(left["pid"])))
    if note is None:
        return None
    at = str(note.get("at", ""))
    reason = str(note.get("reason", ""))
    return Ended(one_line(at), one_line(reason), int(str(note["pid"])))


def _state_file(folder: Path, role: str) -> Path:
    return folder / f"{role}.json"


def _end_file(folder: Path, role: str) -> Path:
    return folder / f"{role}.end.json"


def _read(file: Path) -> dict[str, object] | None:
    """A file of :class:`Presence`; None where there is none, or it is something else."""
    try:
        state: dict[str, object] = json.loads(read_file(file, 1 << 16))
        int(str(state["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state


def stop_role(folder: Path, role: str, seconds: float = 15.0) -> bool:
    """Ask the role's process to stop and wait for it; False when none runs.

    Raises:
        RoundError: it does not stop in time.
    """
    state = running_process(folder, role)
    if state is None:
        return False
    pid = int(str(state["pid"]))
    os.kill(pid, signal.SIGTERM)
    if poll(lambda: _is_gone(folder, role), seconds=seconds) is None:
        raise RoundError(
            f"The {role} (process {pid}) does not stop.",
            whose="its operator",
            next_step=f"kill {pid}",
        )
    return True


def _is_gone(folder: Path, role: str) -> bool | None:
    """True once no process of the role runs, None before."""
    if running_process(folder, role) is None:
        return True
    return None
