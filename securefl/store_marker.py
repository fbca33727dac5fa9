"""Marker of a store: a random word in the store, and the same in each party's folder.

A share that is not mounted is an empty folder, and would become a new store in which nobody else
is. The party that comes first marks the store, every party remembers the mark, and
:class:`~securefl.store.Store` reads and writes nothing where it is missing.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from securefl.errors import UnreadableError, file_error
from securefl.files import read_file, replace_file
from securefl.store import MARKER_FORM

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.store import Store

#: The file in a party's folder that remembers the mark.
FILE: Final = "store.id"


def known_marker(folder: Path) -> str | None:
    """The mark of the store that the party of this folder uses; None where it has not used one, or
    forgot it.

    Raises:
        UnreadableError: the file is there and holds no mark.
    """
    path = folder / FILE
    try:
        text = read_file(path, 200).decode("ascii", "replace").strip()
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


def remember(folder: Path, store: Store) -> None:
    """Mark the store if nobody has, and keep its mark in the party's folder.

    Raises:
        StoreError: the store cannot be written.
    """
    mark = store.mark(f"securefl-store/1 {secrets.token_hex(16)}")
    replace_file(folder / FILE, f"{mark}\n".encode())
