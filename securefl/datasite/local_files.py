"""A site's own files beside PySyft's tree: the lock, and small JSON files written as a whole,
readable by their owner only.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from securefl.errors import StoreError, UnreadableError
from securefl.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def folder_lock(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the site's lock: its owner's command and its agent are two processes and both open the
    datasite.

    The lock is flock(2) on ``folder/lock``; the kernel drops it when the process ends, however it
    ends.

    Raises:
        StoreError: another process held it for all of ``seconds``.
    """
    make_private(folder)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise StoreError(
                        f"Another process has been working with the datasite in {folder} for"
                        f" {seconds:g} seconds.",
                        whose="this site",
                        next_step="Wait for it to finish, or end it.",
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Create ``folder`` and close it to other users (0700)."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Replace ``path`` as a whole and durably (0600)."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``, or an empty one where there is no file.

    Raises:
        UnreadableError: the file is there and is not a JSON object.
    """
    try:
        value = json.loads(read_file(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise UnreadableError(
            f"{path} cannot be read.", whose="this site", next_step="Restore it from your backup."
        )
    return value
