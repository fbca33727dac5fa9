"""Slot: one object's place on a board, with the most bytes that a reader takes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, TypeVar

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from securefl.boards.board import Board
    from securefl.boards.capped import CappedReader

T = TypeVar("T")


def objects_below(
    board: Board,
    path: str,
    left_out: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Paths of the objects at and below a path; nobody's word yet.

    A path with nothing below it is given as it is: whether an object lies there, its slot tells.

    Args:
        board: where they lie.
        path: an object or a folder.
        left_out: names of objects and folders below it that are passed over.
    """
    names = board.names(path)
    if not names:
        yield path
    for name in names:
        if name not in left_out:
            yield from objects_below(board, f"{path}/{name}", left_out)


@dataclass(frozen=True)
class Slot:
    """One object's place on a board.

    Every method raises :class:`StoreError` where the board is away.

    Args:
        board: where it lies.
        path: its path there.
        most: the most bytes that it can have.
    """

    board: Board
    path: str
    most: int

    def post(self, data: bytes | bytearray) -> None:
        """Write the object; replaces an older one as a whole."""
        self.board.post(self.path, data)

    def post_file(self, source: IO[bytes]) -> None:
        """Write the object from a file, from where it stands to its end."""
        self.board.post_file(self.path, source)

    def post_once(
        self,
        source: IO[bytes],
        another: Callable[[bytes], bool],
        head: int,
    ) -> bool:
        """Write the object unless another of the same writer lies there; whether it was written.

        Of two writers at once the place itself refuses the second, where it can. Own bytes from
        before are written again, and what is nobody's of both is written over.

        Args:
            source: the object, from where it stands to its end.
            another: true for the first bytes of an object that must stay.
            head: how many bytes that takes.
        """
        begin = source.tell()
        if self.board.post_file_first(self.path, source):
            return True
        there = self.read_head(head)
        if there is not None and another(there):
            return False
        source.seek(begin)
        self.post_file(source)
        return True

    def read(self) -> bytes | None:
        """The object's bytes, or None where there is none.

        Raises:
            MessageError: it is longer than it can be.
        """
        return self.board.read(self.path, self.most)

    def read_as(self, parse: Callable[[bytes], T]) -> T | None:
        """Return what ``parse`` makes of the object.

        None where there is none, or one that it refuses. Anybody can post: what is not by whom it
        should be is as if it were not there.

        Args:
            parse: checks and reads bytes, and raises :class:`MessageError` at what it refuses.
        """
        try:
            data = self.read()
            if data is None:
                return None
            return parse(data)
        except MessageError:
            return None

    def read_head(self, size: int) -> bytes | None:
        """The object's first ``size`` bytes, or None where there is none."""
        return self.board.read_head(self.path, size)

    def open(self) -> AbstractContextManager[CappedReader | None]:
        """The object to be read piece by piece, or None where there is none."""
        return self.board.open(self.path, self.most)

    def erase(self) -> None:
        """Remove the object; one that is not there is no error."""
        self.board.erase(self.path)

    def stamp(self) -> str | None:
        """Something cheap that is another when the object changed; see :meth:`Board.stamp`."""
        return self.board.stamp(self.path)
