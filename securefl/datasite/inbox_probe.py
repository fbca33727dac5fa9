"""Probe of a site's inbox in the store, without PySyft: it costs a few listings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.datasite.layout import datasite

if TYPE_CHECKING:
    from securefl.boards.board import Board


def waiting(board: Board, email: str) -> tuple[str, ...]:
    """Names of the messages in a datasite's inbox and of the parties that ask to be its peers.

    They are nobody's word yet.

    Raises:
        StoreError: the store is away.
    """
    inbox = datasite(email, "inbox")
    messages = (
        f"{sender}/{name}"
        for sender in board.names(inbox)
        for name in board.names(f"{inbox}/{sender}")
    )
    return (*board.names(datasite(email, "peers")), *messages)
