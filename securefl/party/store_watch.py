"""The store as a long-running role finds it: since when it cannot be used, told in the role's state
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.boards.board import check_writable
from securefl.errors import StoreError
from securefl.party.failure_note import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.board import Board
    from securefl.party.pidfile import Presence

#: Seconds without trouble before the store is asked whether it is back: what is done every second
#: was done again.
_QUIET = 2.0


class StoreWatch:
    """Trouble with the store, from the first error until the store takes an object again.

    Args:
        presence: the role's state file, for its owner's eyes.
        now: the time as ledgers write it (UTC).
        clock: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        presence: Presence,
        now: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._presence = presence
        self._now = now
        self._clock = clock
        self._since = ""
        self._missed = 0.0
        self._told: dict[str, str] = {}

    def is_new(self, part: str, trouble: str) -> bool:
        """True unless ``part`` of the role told the same since the store is away.

        What is due seldom goes well in the turns between: its trouble comes again and is the same.
        """
        if not self._since:
            return True
        before = self._told.get(part)
        self._told[part] = trouble
        return before != trouble

    def missed(self, error: StoreError) -> None:
        """Take note of an error, whatever was tried."""
        self._since = self._since or self._now()
        self._missed = self._clock()
        self._presence.tell(store_away={"since": self._since, "reason": one_line(error.what)})

    def look(self, board: Board) -> None:
        """Ask a store that was away whether it is back, and clear the line where it is.

        Call it at every turn.
        """
        if not self._since or self._clock() - self._missed < _QUIET:
            return
        try:
            check_writable(board)
        except StoreError as error:
            self.missed(error)
        else:
            self._since = ""
            self._told.clear()
            self._presence.tell(store_away=None)
