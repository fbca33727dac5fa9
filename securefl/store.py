"""The store: one fsspec location under both carriers (PySyft's and the rounds'). It is trusted with nothing.

Every object is written under a temporary name and moved, so that a reader never sees half of one; every read has a
length cap, so that a hostile operator cannot fill our memory (rule 5).
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import fsspec

from securefl.errors import MessageError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")


class Store:
    """Objects by path below one fsspec URL; a plain path means a folder.

    Args:
        url: ``/a/folder``, ``file:///a/folder``, ``memory://name``, ``s3://bucket/prefix`` and so on.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            fs, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise StoreError(f"The store {url} cannot be opened: {error}.", next_step="Check the URL and its fsspec package.") from None
        self._fs: Any = fs
        self._root: str = str(root).rstrip("/")
        self._local = type(fs).__name__ == "LocalFileSystem"

    def put(self, path: str, data: bytes) -> None:
        """Write an object; replaces an older one as a whole.

        Raises:
            StoreError: the store cannot be written.
        """
        target = self._full(path)
        part = f"{target.rsplit('/', 1)[0]}/.{secrets.token_hex(8)}.part"
        try:
            self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            self._fs.pipe_file(part, data)
            self._fs.mv(part, target)
        except OSError as error:
            raise StoreError(f"The store {self.url} cannot be written: {error.strerror or error}.", next_step="Check its permissions and free space.") from None

    def get(self, path: str, max_bytes: int) -> bytes | None:
        """The object's bytes, or None where there is none.

        Raises:
            MessageError: the object is longer than ``max_bytes``; nothing of it is kept.
            StoreError: the store cannot be read.
        """
        target = self._full(path)
        try:
            with self._fs.open(target, "rb") as file:
                data: bytes = file.read(max_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"The store {self.url} cannot be read: {error.strerror or error}.", next_step="Check that it is reachable.") from None
        if len(data) > max_bytes:
            raise MessageError(f"{path} is longer than the {max_bytes} bytes allowed; it was not read.", next_step="Ask its sender what it is.")
        return data

    def list(self, prefix: str = "") -> list[str]:
        """Names of the objects and folders directly below ``prefix``, sorted; temporary files are left out."""
        target = self._full(prefix) if prefix else self._root
        try:
            self._fs.invalidate_cache()
            found = self._fs.ls(target, detail=False)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"The store {self.url} cannot be read: {error.strerror or error}.", next_step="Check that it is reachable.") from None
        names = (str(p).rstrip("/").rsplit("/", 1)[-1] for p in found)
        return sorted(n for n in names if _SAFE.fullmatch(n))

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""
        try:
            self._fs.rm_file(self._full(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"The store {self.url} cannot be written: {error.strerror or error}.", next_step="Check its permissions.") from None

    def check_writable(self) -> None:
        """Write, read and remove a small object.

        Raises:
            StoreError: one of the three fails.
        """
        name, token = f"doctor-{secrets.token_hex(4)}", secrets.token_bytes(16)
        self.put(name, token)
        if self.get(name, 16) != token:
            raise StoreError(f"The store {self.url} does not return what was written.", next_step="Check its configuration.")
        self.delete(name)

    def _full(self, path: str) -> str:
        parts = path.split("/")
        if not all(_SAFE.fullmatch(p) and ".." not in p for p in parts):
            raise MessageError(f"{path!r} is not a canonical path in the store.")
        return "/".join((self._root, *parts))


def poll(found: Callable[[], Any], *, seconds: float, first: float = 0.005, longest: float = 0.1) -> Iterator[Any]:
    """Ask ``found`` until it returns something other than None or ``seconds`` have passed; yields that one result, or nothing."""
    end, pause = time.monotonic() + seconds, first
    while True:
        result = found()
        if result is not None:
            yield result
            return
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
