"""Cache of refused objects: an unchanged one is not checked again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.capped import CappedReader
    from securefl.boards.slot import Slot

T = TypeVar("T")


class RefusalCache:
    """Refusals of objects of a board, by path and stamp."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[str | None, MessageError]] = {}

    def read(self, slot: Slot, look: Callable[[], T]) -> T:
        """Return what ``look`` makes of the object in a slot.

        A refusal stands, and is not asked for again, until the object is another.

        Raises:
            MessageError: out of ``look``, now or before.
            StoreError: the store cannot be read.
        """
        stamp = slot.stamp()  # before the look: what changes during it is another afterwards
        known = self._refused.get(slot.path)
        if stamp is not None and known is not None and known[0] == stamp:
            raise known[1].with_traceback(None)
        try:
            return look()
        except MessageError as error:
            self._refused[slot.path] = (stamp, error)
            raise

    def read_open(self, slot: Slot, read: Callable[[CappedReader], T]) -> T | None:
        """Return what ``read`` makes of the object, piece by piece.

        None while there is none, or one that it refuses: that is not there yet.

        Raises:
            StoreError: the store cannot be read.
        """

        def fetch() -> T | None:
            with slot.open() as file:
                if file is None:
                    return None
                return read(file)

        with suppress(MessageError):
            return self.read(slot, fetch)
        return None
