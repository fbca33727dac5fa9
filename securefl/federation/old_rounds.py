"""Removal of old rounds' bytes from the store, where the study says so (``old_rounds = "remove"``).

A round leaves two kinds of objects. Signed words of a few kilobytes stay: announcement, transcript,
survivor set, signatures under it, complaints, unmasking answers. The rest is long and serves one
purpose, that a sum can be opened or added again: key, sealed model, shown opening, contributions,
sum. Each party removes its own of these and nothing of anybody else. Of its contribution a hospital
leaves the signed manifest, which pins every chunk by its hash: its place stays taken, so that a
second process of that hospital is noticed as before (rule 13).

When, follows from signed objects alone (:class:`OldRounds`): round r may go once r + 2 is announced
and every hospital that is still in the study contributed to a round after r. A hospital contributes
to a round only when it has verified the totals of all before it (rule 11), so that nobody who goes on
needs those bytes. For one that is away they stay until it comes back, ends its part, or the study is
completed. The newest two rounds stay for good; a study that failed keeps all that it had.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot
from securefl.errors import StoreError
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.status_board import departures
from securefl.federation.transcript import Transcript
from securefl.secagg.envelope import PREFIX_BYTES
from securefl.secagg.own_place import MOST_HEAD, head_bytes

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Role

#: The newest rounds whose bytes stay.
KEPT: Final = 2


def removes_old_rounds(plan: RoundPlan) -> bool:
    """True if the study's rule is that old rounds' bytes are removed."""
    return plan.study.schedule.old_rounds == "remove"


def remove_own(at: RoundBoard, role: Role, name: str) -> None:
    """Remove what a party wrote in a round but its signed words.

    Args:
        at: the round's objects.
        role: of the party.
        name: of the party.

    Raises:
        StoreError: the store is away.
    """
    if role == "hospital":
        _cut(at.contribution(name))
        return
    own: tuple[Slot, ...] = (at.sum(),)
    if role == "researcher":
        own = (at.key, Slot(at.board, at.at.model, 0), at.opening())
    for slot in own:
        slot.erase()


def is_cut(contribution: Slot) -> bool:
    """True where a contribution was cut to its signed manifest."""
    size = head_bytes(contribution.read_head(PREFIX_BYTES) or b"")
    there = contribution.read_head(size + 1)
    return 0 < size <= MOST_HEAD and there is not None and len(there) == size


def _cut(contribution: Slot) -> None:
    """Write a hospital's own signed manifest in the place of its contribution."""
    size = head_bytes(contribution.read_head(PREFIX_BYTES) or b"")
    if not 0 < size <= MOST_HEAD:
        return  # it contributed nothing, or somebody else wrote there: no place of its own bytes
    there = contribution.read_head(size + 1) or b""
    if len(there) > size:
        contribution.post(there[:size])


class OldRounds:
    """Removal of one party's own bytes of a study's old rounds.

    Args:
        board: where the rounds lie.
        plan: the study.
        role: of the party.
        name: of the party.
    """

    def __init__(
        self,
        board: Board,
        plan: RoundPlan,
        role: Role,
        name: str,
    ) -> None:
        self._board = board
        self._plan = plan
        self._role = role
        self._name = name
        #: The last round whose bytes this process removed, and whose transcript it read.
        self._removed = self._read = 0
        #: Hospital → the last round to which it contributed.
        self._contributed = dict.fromkeys(plan.study.cohort, 0)

    def announced(self, number: int) -> None:
        """Remove what nobody needs any more, after a round was announced.

        A store that is away, or shows a transcript late, costs nothing: the next round removes more.

        Args:
            number: of the announced round, as this party verified it.
        """
        if not removes_old_rounds(self._plan) or number <= KEPT:
            return
        with suppress(StoreError):
            self._read_transcripts(number - 1)
            self._remove(min(number - KEPT, self._passed_by_all()))

    def completed(self) -> None:
        """Remove what is left after the coordinator's signed end of a completed study."""
        if removes_old_rounds(self._plan):
            with suppress(StoreError):
                self._remove(self._plan.last_round - KEPT)

    def _read_transcripts(self, last: int) -> None:
        """Note who contributed to the rounds up to ``last`` whose transcripts are there."""
        while self._read < last:
            number = self._read + 1
            read = partial(
                Transcript.open,
                study=self._plan.digest,
                round=number,
                verify=self._plan.coordinator,
            )
            slot = RoundBoard.numbered(self._board, self._plan.digest, number).transcript
            transcript = slot.read_as(read)
            if transcript is None:
                return
            for site in transcript.contributions:
                self._contributed[site] = number
            self._read = number

    def _passed_by_all(self) -> int:
        """The last round whose total every hospital has verified that is still in the study."""
        last = self._contributed
        behind = min(last.values())
        if behind < self._read:
            # only now is it asked who ended their part: nobody is behind in most rounds
            gone = departures(self._board, self._plan)
            there = [number for site, number in last.items() if site not in gone]
            behind = min(there, default=self._read)
        return behind - 1

    def _remove(self, last: int) -> None:
        while self._removed < last:
            number = self._removed + 1
            at = RoundBoard.numbered(self._board, self._plan.digest, number)
            remove_own(at, self._role, self._name)
            self._removed = number


def may_be_removed(board: Board, plan: RoundPlan, number: int) -> bool:
    """True if the study's rule lets a round's bytes be gone: the round two further on was announced.

    Raises:
        StoreError: the store is away.
    """
    if not removes_old_rounds(plan) or number + KEPT > plan.last_round:
        return False
    announced = RoundInbox(plan).announced(board, number + KEPT)
    return announced is not None and announced.said.round == number + KEPT
