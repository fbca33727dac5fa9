"""Public side of a hospital's data sets on the board itself, where it takes requests without PySyft.

The hospital's word that it does (:class:`securefl.federation.study_request.RequestWay`) names all
data sets that it shows, so that nobody can add one, or hide one of them without its absence being
seen. Each has the same signed statement and the same mock table that PySyft carries elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation.party_board import PartyBoard
from securefl.federation.study_request import RequestWay, request_way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.identity import Identity, IdentityCard


@dataclass(frozen=True)
class BoardDataset:
    """A data set's two files as they lie on the board, unchecked.

    Attributes:
        name: under which the hospital shows it.
        statement: the signed statement; None where it is not there, or too long to be one.
        mock: the mock table; empty where it is not there, or too long.
    """

    name: str
    statement: bytes | None
    mock: bytes


def show_on_board(board: Board, me: Identity, shown: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Post the public side of these data sets and no others, and then the hospital's word on them.

    What lies there already is left as it is.

    Args:
        board: where they go.
        me: the hospital.
        shown: name → signed statement and mock table.

    Raises:
        StoreError: the board is away.
    """
    mine = PartyBoard(board, me.card.name)
    before = request_way(board, me.card)
    for name, (statement, mock) in shown.items():
        _post_new(mine.dataset_mock(name), mock)
        _post_new(mine.dataset_statement(name), statement)
    said = RequestWay(me.card.name, tuple(sorted(shown)))
    if said != before:
        mine.request_way.post(said.dump(me.sign))
        mine.pysyft_keys.erase()  # of a time with PySyft
    if before is not None:
        _erase(mine, set(before.datasets) - set(shown))


def take_off_board(board: Board, me: Identity) -> None:
    """Take back the word that this hospital takes requests without PySyft, and what it showed.

    Raises:
        StoreError: the board is away.
    """
    mine = PartyBoard(board, me.card.name)
    before = request_way(board, me.card)
    if before is None:
        return
    mine.request_way.erase()
    _erase(mine, set(before.datasets))


def board_datasets(board: Board, card: IdentityCard) -> tuple[BoardDataset, ...]:
    """Read the data sets that a hospital without PySyft names as its own.

    Raises:
        StoreError: the board is away.
    """
    said = request_way(board, card)
    if said is None:
        return ()
    there = PartyBoard(board, card.name)
    found = []
    for name in said.datasets:
        statement = _read(there.dataset_statement(name))
        mock = _read(there.dataset_mock(name)) or b""
        found.append(BoardDataset(name, statement, mock))
    return tuple(found)


def _post_new(slot: Slot, data: bytes) -> None:
    if slot.read_head(len(data) + 1) != data:
        slot.post(data)


def _read(slot: Slot) -> bytes | None:
    """An object, or None where there is none or one that is too long."""
    try:
        return slot.read()
    except MessageError:
        return None


def _erase(mine: PartyBoard, names: set[str]) -> None:
    for name in sorted(names):
        mine.dataset_statement(name).erase()
        mine.dataset_mock(name).erase()
