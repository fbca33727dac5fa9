"""Spool: a party's own copy of the board, and what it posted that is still to be sent.

``objects/`` is the copy; the party reads there. Each post is first an entry of ``out/``, made
durable, and then an object. A process that is killed between the two leaves an entry named
``.new``; whoever takes the lock next makes the object of it. An entry goes when the store has
said that it keeps it, so what was posted is never lost on the way and counted once.

A spool trusts the store with nothing: parties check every byte that they read, as on any board.
"""

from __future__ import annotations

import json
import secrets
import shutil
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from securefl.boards.flower.parcel import FULL, MAX_OBJECT, MOST, Change, Delivery, Report
from securefl.boards.folder import FolderCarrier
from securefl.errors import StoreError, UnreadableError, UsageError
from securefl.files import private_folder, read_file, replace_file, sync_folder, write_file
from securefl.locks import holding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: The file that makes a folder a spool: its state.
STATE: Final = "spool.json"
#: The secret that SuperNode and runner share, so that nobody else on this machine takes messages.
SECRET: Final = "supernode.secret"  # noqa: S105 - a file's name
_STATE_BYTES: Final = 2000
#: A header of an entry is one line of at most so many bytes.
_LINE: Final = 4000
_NEW: Final = ".new"
_OUT: Final = ".out"


class _State(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    form: Literal["securefl-flower-spool/1"] = "securefl-flower-spool/1"
    spool: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    store: str = ""
    cursor: int = 0
    accepted: int = 0


class Spool:
    """The spool in a folder.

    Args:
        folder: made by :meth:`create`.

    Raises:
        StoreError: there is no spool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / STATE).is_file():
            raise StoreError(
                f"{folder} is no spool.",
                whose="the user of this command",
                next_step=f"Make it: securefl flower {folder}",
            )
        self._out = folder / "out"
        self.objects = FolderCarrier(str(folder / "objects"))

    @classmethod
    def create(cls, folder: Path) -> Spool:
        """Make a spool where there is none, and open it.

        Raises:
            UsageError: the folder has something else in it.
        """
        if (folder / STATE).exists():
            return cls(folder)
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(
                f"{folder} is not empty, and no spool.", next_step="Name a new folder."
            )
        private_folder(folder)
        for name in ("objects", "out"):
            private_folder(folder / name)
        replace_file(folder / SECRET, secrets.token_hex(32).encode())
        _write_state(folder, _State(spool=secrets.token_hex(16)))
        return cls(folder)

    @property
    def secret(self) -> bytes:
        """Note of this party's SuperNode and runner."""
        return read_file(self.folder / SECRET, 1000)

    def post(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """Make the object of what ``fill`` writes, and an entry of it."""
        head = {"path": path, "erased": False}
        self._enter(head, fill)

    def erase(self, path: str) -> None:
        """Remove the object, here and at the others.

        Raises:
            FileNotFoundError: there is none; nothing is sent.
            IsADirectoryError: it is a folder.
        """
        if self.objects.stamp(path) is None:
            raise IsADirectoryError(path)
        head = {"path": path, "erased": True}
        self._enter(head, lambda _: None)

    def report(self) -> tuple[Report, list[Change]]:
        """Collect what is to be sent, in the order of its posts, as much as one parcel bears."""
        with self._locked() as state:
            waiting = [(n, *_read_head(f)) for n, f in self._entries(_OUT) if n > state.accepted]
            changes: list[Change] = []
            size = 0
            for number, head, body in waiting:
                if len(changes) == MOST or (changes and size + body.size > FULL):
                    break
                data = None if head["erased"] else body.read()
                changes.append(Change(head["path"], number, data))
                size += body.size
            report = Report(
                spool=state.spool,
                store=state.store,
                cursor=state.cursor,
                entries=tuple(change.entry for change in changes),
            )
        return report, changes

    def take(self, delivery: Delivery, changes: list[Change]) -> int:
        """Do what a delivery says; return how many objects of others are new here.

        What this party posted itself and has still to send is newer, and stays.

        Raises:
            StoreError: it comes from another store than the deliveries before.
        """
        with self._locked() as state:
            if state.store not in {"", delivery.store}:
                raise StoreError(
                    f"The SuperLink's app keeps another store than the one that {self.folder}"
                    " belongs to. Nothing of it was taken.",
                    next_step=(
                        "Ask whoever runs it. Where the old store is lost, make a new spool and"
                        " name it in the settings; studies that were running are over."
                    ),
                )
            accepted = state.accepted
            if delivery.spool == state.spool:
                accepted = self._forget(state.accepted, delivery.accepted)
            cursor = state.cursor
            taken = 0
            if delivery.since <= cursor <= delivery.upto:
                waiting = {_read_head(file)[0]["path"] for _, file in self._entries(_OUT)}
                for change in changes:
                    if change.number > cursor and change.path not in waiting:
                        self._apply(change)
                        taken += 1
                cursor = delivery.upto
            changed = {"store": delivery.store, "cursor": cursor, "accepted": accepted}
            if state.model_copy(update=changed) != state:
                _write_state(self.folder, state.model_copy(update=changed))
        return taken

    @property
    def store(self) -> str:
        """The store that this spool belongs to; empty until the first delivery came."""
        return _read_state(self.folder).store

    @property
    def waiting(self) -> int:
        """Entries that the store has not said it keeps."""
        return len(self._entries(_OUT)) + len(self._entries(_NEW))

    def _forget(self, before: int, accepted: int) -> int:
        """Remove the entries that the store keeps; it can keep none that was never made."""
        entries = self._entries(_OUT)
        highest = max([before, *(number for number, _ in entries)])
        for number, file in entries:
            if number <= accepted:
                file.unlink()
        return max(before, min(accepted, highest))

    def _enter(self, head: dict[str, Any], fill: Callable[[IO[bytes]], object]) -> None:
        line = json.dumps(head).encode() + b"\n"
        part = self._out / f".{secrets.token_hex(8)}.part"

        def whole(file: IO[bytes]) -> None:
            file.write(line)
            fill(file)
            if file.tell() - len(line) > MAX_OBJECT:
                raise OSError(27, f"longer than the {MAX_OBJECT} bytes that one message carries")

        write_file(part, whole)
        try:
            with self._locked() as state:
                made = [number for number, _ in self._entries(_OUT)]
                name = f"{max([state.accepted, *made]) + 1:016d}"
                entry = part.replace(self._out / f"{name}{_NEW}")
                sync_folder(self._out)
                self._make(entry)
        finally:
            part.unlink(missing_ok=True)

    def _make(self, entry: Path) -> None:
        """Make the object of an entry, and call it made."""
        head, body = _read_head(entry)
        if head["erased"]:
            self._remove(head["path"])
        else:
            self.objects.write(head["path"], body.copy_to)
        entry.replace(entry.with_suffix(_OUT))

    def _apply(self, change: Change) -> None:
        data = change.data
        if data is None:
            self._remove(change.path)
        else:
            self.objects.write(change.path, lambda file: file.write(data))

    def _remove(self, path: str) -> None:
        try:
            self.objects.erase(path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return

    @contextmanager
    def _locked(self) -> Iterator[_State]:
        """Hold the lock; what a killed process left is finished first."""
        with holding(self.folder / "lock"):
            for _, entry in self._entries(_NEW):
                self._make(entry)
            yield _read_state(self.folder)

    def _entries(self, suffix: str) -> list[tuple[int, Path]]:
        found = [file for file in self._out.iterdir() if file.suffix == suffix]
        return sorted((int(file.stem), file) for file in found if file.stem.isdecimal())


class _Body:
    """The bytes of an entry after its head."""

    def __init__(self, entry: Path, start: int) -> None:
        self._entry = entry
        self._start = start
        self.size = entry.stat().st_size - start

    def read(self) -> bytes:
        with self._entry.open("rb") as file:
            file.seek(self._start)
            return file.read()

    def copy_to(self, target: IO[bytes]) -> None:
        with self._entry.open("rb") as file:
            file.seek(self._start)
            shutil.copyfileobj(file, target, 1 << 20)


def _read_head(entry: Path) -> tuple[dict[str, Any], _Body]:
    with entry.open("rb") as file:
        line = file.readline(_LINE)
    head: dict[str, Any] = json.loads(line)
    return head, _Body(entry, len(line))


def _read_state(folder: Path) -> _State:
    try:
        return _State.model_validate_json(read_file(folder / STATE, _STATE_BYTES))
    except (OSError, ValidationError):
        raise UnreadableError(
            f"{folder / STATE} says nothing of a spool.",
            next_step="Make a new spool and name it in the settings; others' objects come again.",
        ) from None


def _write_state(folder: Path, state: _State) -> None:
    replace_file(folder / STATE, state.model_dump_json().encode())
