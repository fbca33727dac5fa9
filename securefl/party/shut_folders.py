"""Folders of a store that a party must be able to write: a look before a study needs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from securefl.datasite.address import site_email

if TYPE_CHECKING:
    from securefl.boards.board import Board

#: A study's folders, down to those in which a round's answers lie.
_STUDIES = r"studies(/[^/]+(/(approvals|status|extracts|rounds(/[^/]+(/[^/]+)?)?))?)?"


def shut_folders(board: Board, name: str) -> list[str]:
    """Folders that are there, in which the party ``name`` writes, and in which this user cannot.

    Only a shared folder tells; elsewhere the list is empty.
    """
    me = re.escape(site_email(name))
    pattern = re.compile(
        rf"{_STUDIES}|(identities|datasets)(/{re.escape(name)}(/.*)?)?|datasites(/{me}(/.*)?|/[^/]+/(peers|inbox(/{me})?))?"
    )
    return board.shut(lambda path: pattern.fullmatch(path) is not None)
