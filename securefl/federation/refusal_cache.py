"""What anybody can write into a store is looked at until it is what it should be, and no oftener
than it changes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.board import Board
    from securefl.boards.capped import CappedReader

T = TypeVar("T")


class RefusalCache:
    """RefusalCache at objects of a store that remember what was refused."""

    def __init__(self) -> None:
        self._refused: dict[str, tuple[str | None, MessageError]] = {}

    def read(self, board: Board, path: str, look: Callable[[], T]) -> T:
        """What ``look`` makes of the object at ``path``. A refusal stands, and is not asked for
        again, until the object is another.

        Raises:
            MessageError: out of ``look``, now or before.
            StoreError: the store cannot be read.
        """
        stamp = board.stamp(path)  # before the look: what changes during it is another afterwards
        known = self._refused.get(path)
        if stamp is not None and known is not None and known[0] == stamp:
            raise known[1].with_traceback(None)
        try:
            return look()
        except MessageError as error:
            self._refused[path] = (stamp, error)
            raise

    def for_one(
        self, board: Board, path: str, max_bytes: int, read: Callable[[CappedReader], T]
    ) -> T | None:
        """What ``read`` makes of the object at ``path``; None while there is none, or one that it
        refuses: that is not there yet.

        Raises:
            StoreError: the store cannot be read.
        """

        def fetch() -> T | None:
            with board.open(path, max_bytes) as file:
                return None if file is None else read(file)

        with suppress(MessageError):
            return self.read(board, path, fetch)
        return None
