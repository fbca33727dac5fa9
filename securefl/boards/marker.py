"""Marker of a store: a random word in the store, and the same in each party's folder.

A share that is not mounted is an empty folder, and would become a new store in which nobody else
is. The party that comes first marks the store, every party remembers the mark, and
:class:`~securefl.boards.board.CarriedBoard` reads and writes nothing where it is missing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from securefl.boards.board import MARKER, MARKER_BYTES, MARKER_FORM
from securefl.errors import StoreError, UnreadableError, file_error
from securefl.files import read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.boards.board import Board

#: The file in a party's folder that remembers the mark.
FILE: Final = "store.id"


def known_marker(folder: Path) -> str | None:
    """Read the mark of the store that the party of this folder uses.

    None where it has not used one, or forgot it.

    Raises:
        UnreadableError: the file is there and holds no mark.
    """
    path = folder / FILE
    try:
        text = read_file(path, MARKER_BYTES).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(error, path) from None
    if not MARKER_FORM.fullmatch(text):
        raise UnreadableError(
            f"{path} does not say which store was used before.",
            next_step="See that the store is the right one and is mounted, then remove this file.",
        )
    return text


def remember(folder: Path, board: Board) -> None:
    """Mark the board if nobody has, and keep its mark in the party's folder.

    Raises:
        StoreError: the board cannot be written, or what lies in the marker's place is none.
    """
    text = mark(board, f"securefl-store/1 {secrets.token_hex(16)}")
    replace_file(folder / FILE, f"{text}\n".encode())


def mark(board: Board, text: str) -> str:
    """Mark the board with ``text`` unless it is marked already; returns what marks it.

    Parties that come at the same moment keep the mark of the first, where the place can tell.

    Raises:
        StoreError: it cannot be written, or what lies in the marker's place is none.
    """
    found = _read_mark(board)
    if found is None:
        board.post_first(MARKER, text.encode())
        found = _read_mark(board)
    if found is None or not MARKER_FORM.fullmatch(found):
        raise StoreError(
            f"The store {board.url} has an object '{MARKER}' that marks no store.",
            next_step="Remove it, or name another store.",
        )
    return found


def _read_mark(board: Board) -> str | None:
    data = board.read(MARKER, MARKER_BYTES)
    if data is None:
        return None
    return data.decode("ascii", "replace").strip()
