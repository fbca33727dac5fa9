"""Files of a site beside PySyft's tree: the lock, and small JSON files written as a whole.

Readable by their owner only.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from securefl.errors import StoreError, UnreadableError
from securefl.files import private_folder, read_file, replace_file
from securefl.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def folder_lock(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the site's lock.

    Its owner's command and its agent are two processes, and both open the datasite.

    Raises:
        StoreError: another process held it for all of ``seconds``.
        UnreadableError: the file system has no locks, or refuses the folder or the file.
    """
    lock = Lock(private_folder(folder) / "lock")
    if not lock.take(seconds):
        raise StoreError(
            f"Another process has been working with the datasite in {folder} for {seconds:g}"
            " seconds.",
            whose="this site",
            next_step="Wait for it to finish, or end it.",
        )
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Replace ``path`` as a whole and durably (0600)."""
    replace_file(path, json.dumps(value, indent=1, sort_keys=True).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in ``path``, or an empty one where there is no file.

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
