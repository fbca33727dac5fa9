"""Fetches an announced round from the store, and opens its announcement once.

Anybody can write into the store: what the coordinator did not sign, or what is not the key and
model that it announced, is not there yet; a hospital's own deadline ends a round that stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.round_board import RoundBoard

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.checked_round import CheckedRound
    from securefl.federation.round_plan import RoundPlan


@dataclass
class RoundInbox:
    """The rounds of one study as they are announced.

    Args:
        plan: the study.
    """

    plan: RoundPlan
    _data: bytes = field(default=b"", init=False)
    _opened: AnnouncedRound | None = field(default=None, init=False)

    def announced(self, board: Board, number: int) -> AnnouncedRound | None:
        """The announcement of a round; None while the coordinator's is not there.

        Raises:
            StoreError: the store is away.
        """
        slot = RoundBoard.numbered(board, self.plan.digest, number).announcement
        try:
            data = slot.read()
            if data is None:
                return None
            if self._opened is None or data != self._data:
                self._opened = AnnouncedRound.open(self.plan, data)
                self._data = data
        except MessageError:
            return None
        return self._opened

    def fetch(self, board: Board, number: int) -> CheckedRound | None:
        """The round with its key and its sealed model; None while one of the three is not there.

        Raises:
            StoreError: the store is away.
        """
        announced = self.announced(board, number)
        if announced is None:
            return None
        at = RoundBoard.numbered(board, self.plan.digest, number)
        try:
            key = at.key.read()
            model = at.model(self.plan).read()
            if key is None or model is None:
                return None
            return announced.with_payload(key, model)
        except MessageError:
            return None
