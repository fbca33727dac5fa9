"""Carrier in this process's memory, for tests and simulation."""

from __future__ import annotations

import io
import itertools
import threading
from typing import IO, TYPE_CHECKING, Final

from securefl.boards.carrier import Carrier

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCK: Final = threading.Lock()
#: URL → path → (number of the write, bytes). Boards of one URL are one place, as long as the
#: process runs.
_PLACES: Final[dict[str, dict[str, tuple[int, bytes]]]] = {}
_WRITES: Final = itertools.count()


class MemoryCarrier(Carrier):
    """Objects of ``memory://name``."""

    many_at_a_time = True

    def __init__(self, url: str) -> None:
        with _LOCK:
            self._objects = _PLACES.setdefault(url.rstrip("/"), {})

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`.

        Raises:
            IsADirectoryError: there is a folder of that name.
            NotADirectoryError: an object stands where a folder of the path belongs.
        """
        file = io.BytesIO()
        fill(file)
        above = path.split("/")[:-1]
        with _LOCK:
            if any(name.startswith(f"{path}/") for name in self._objects):
                raise IsADirectoryError(path)
            if any("/".join(above[: n + 1]) in self._objects for n in range(len(above))):
                raise NotADirectoryError(path)
            self._objects[path] = (next(_WRITES), file.getvalue())

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`."""
        return io.BytesIO(self._object(path)[1][:most])

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        return str(self._object(path)[0])

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        below = ""
        if folder:
            below = f"{folder}/"
        with _LOCK:
            inside = [name for name in self._objects if name.startswith(below)]
        return sorted({name.removeprefix(below).partition("/")[0] for name in inside})

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        with _LOCK:
            self._objects.pop(path, None)

    def _object(self, path: str) -> tuple[int, bytes]:
        try:
            return self._objects[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def create(self, path: str, fill: Callable[[IO[bytes]], object]) -> bool:
        """See :class:`Carrier`."""
        file = io.BytesIO()
        fill(file)
        with _LOCK:
            if path in self._objects:
                return False
            self._objects[path] = (next(_WRITES), file.getvalue())
        return True
