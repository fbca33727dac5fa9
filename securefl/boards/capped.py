"""Reader of a board's object, piece by piece, and never of more than is allowed (rule 5)."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class CappedReader:
    """Object of a board that is being read: at most so many bytes.

    A network's failure is the board's.

    Args:
        file: open at its beginning.
        path: the object's, for errors.
        max_bytes: more is refused.
        reading: what stands around each read: the store's turn, and its errors.
    """

    def __init__(
        self,
        file: IO[bytes],
        path: str,
        max_bytes: int,
        reading: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._file = file
        self._path = path
        self._cap = max_bytes
        self._left = max_bytes
        self._reading = reading

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end.

        Raises:
            MessageError: the object is longer than the cap.
            StoreError: the store cannot be read.
        """
        with self._reading():
            data = self._file.read(min(size, self._left + 1))
        if len(data) > self._left:
            raise too_long(self._path, self._cap)
        self._left -= len(data)
        return data


def too_long(path: str, max_bytes: int) -> MessageError:
    """The refusal of an object that is longer than its reader allows."""
    return MessageError(
        f"{path} is longer than the {max_bytes} bytes allowed; it was not read.",
        next_step="Ask its sender what it is.",
    )
