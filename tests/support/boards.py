"""Boards for tests: a folder whose calls a test changes, and a look whether something is there."""

from securefl.boards.board import CarriedBoard
from securefl.boards.folder import FolderCarrier
from securefl.boards.fsspec import at_url


class FolderBoard(CarriedBoard):
    """The board of a folder; tests write over its methods."""

    def __init__(self, url: str) -> None:
        super().__init__(url, FolderCarrier(url))


def is_there(board, path: str) -> bool:
    """Whether there is an object or a folder with something in it."""
    return board.read_head(path, 0) is not None or bool(board.names(path))


def following_links(folder) -> CarriedBoard:
    """Control: the board of a folder by its whole paths, as a file system takes them."""
    return CarriedBoard(str(folder), at_url(f"file://{folder}"))
