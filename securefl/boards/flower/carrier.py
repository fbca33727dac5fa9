"""Carrier whose objects travel over Flower: ``flower:///path/of/the/spool``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from securefl.boards.carrier import Carrier
from securefl.boards.flower.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable


class FlowerCarrier(Carrier):
    """Objects of a spool. What is posted is here at once, and at the others some seconds later.

    Args:
        url: ``flower://`` and the spool's whole path.
    """

    many_at_a_time = True
    comes_and_goes = True

    def __init__(self, url: str) -> None:
        self._spool = Spool(Path(url.partition("://")[2]))

    def write(self, path: str, fill: Callable[[IO[bytes]], object]) -> None:
        """See :class:`Carrier`."""
        self._spool.post(path, fill)

    def open(self, path: str, most: int) -> IO[bytes]:
        """See :class:`Carrier`."""
        return self._spool.objects.open(path, most)

    def stamp(self, path: str) -> str | None:
        """See :class:`Carrier`."""
        return self._spool.objects.stamp(path)

    def names(self, folder: str) -> list[str]:
        """See :class:`Carrier`."""
        return self._spool.objects.names(folder)

    def erase(self, path: str) -> None:
        """See :class:`Carrier`."""
        self._spool.erase(path)
