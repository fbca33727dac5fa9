"""Carrier whose objects travel over Flower: ``flower:///path/of/the/spool``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from securefl.boards.board import check_canonical
from securefl.boards.carrier import Carrier
from securefl.boards.flower.spool import STATE, Spool

if TYPE_CHECKING:
    from collections.abc import Callable


class FlowerCarrier(Carrier):
    """Objects of a spool. What is posted is here at once, and at the others some seconds later.

    Args:
        url: ``flower://`` and the spool's whole path, or that of a folder of objects below it.
    """

    many_at_a_time = True
    comes_and_goes = True

    def __init__(self, url: str) -> None:
        place = Path(url.partition("://")[2].rstrip("/"))
        found = [folder for folder in (place, *place.parents) if (folder / STATE).is_file()]
        if not found:
            raise FileNotFoundError(2, f"no spool is there; `securefl flower {place}` makes it")
        self._spool = Spool(found[0])
        self._below = place.relative_to(self._spool.folder).as_posix()
        if self._below != ".":
            check_canonical(self._below)

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`."""
        self._spool.post(self._full(path), fill)

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`."""
        return self._spool.objects.open(self._full(path), most)

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        return self._spool.objects.stamp(self._full(path))

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        return self._spool.objects.names(self._full(folder))

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        self._spool.erase(self._full(path))

    def _full(self, path: str) -> str:
        parts = [self._below if self._below != "." else "", path]
        return "/".join(part for part in parts if part)
