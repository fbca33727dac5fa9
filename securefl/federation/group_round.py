"""Contributions to a round whose hospitals are summed by groups: a full round for each group.

What a party without data sees. The aggregator's object holds the signed sum of each group behind
its length (8 bytes, big-endian), in the order of the groups, and nothing else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError
from securefl.federation.full_round import FullRound
from securefl.federation.refusal_cache import RefusalCache
from securefl.federation.round_board import RoundBoard
from securefl.secagg.envelope import Hashed
from securefl.secagg.frame import sum_bytes
from securefl.secagg.group_contexts import group_contexts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.tempfiles import ClaimedSum
    from securefl.secagg.envelope import Readable
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign

#: Bytes of a frame's length in front of it.
_LENGTH_BYTES: Final = 8


@dataclass(frozen=True, eq=False)
class ClaimedGroups:
    """Aggregator's sums of all groups as they were read and checked.

    Whether they are those of the contributions is for whoever opens them to see.

    Args:
        sha256: of the whole object.
        sums: of each group, in order.
    """

    sha256: str
    sums: tuple[ClaimedSum, ...]


class GroupRound:
    """Contributions of one round as far as they came, each in its group.

    Close it when the round is over.

    Attributes:
        groups: a full round for each group, in order.
    """

    def __init__(self, plan: RoundPlan, facts: RoundContext) -> None:
        self.plan = plan
        self.facts = facts
        self.groups = tuple(FullRound(plan, group) for group in group_contexts(facts))
        self._refusals = RefusalCache()

    def close(self) -> None:
        """Let go of what was added; harmless when repeated."""
        for group in self.groups:
            group.close()

    def add_frame(self, site: str, frame: Readable) -> None:
        """Check one frame and add it to its group; what is refused is as if it had not come.

        Raises:
            StoreError: the store is away, or this machine's disk is full.
        """
        for group in self.groups:
            if site in group.facts.cohort:
                group.add_frame(site, frame)

    def poll_frames(self, board: Board) -> bool:
        """Add those of a group that are new; whether there was one.

        Raises:
            StoreError: as :meth:`add_frame`.
        """
        waiting = (group for group in self.groups if group.missing)
        return any(group.poll_frames(board) for group in waiting)

    def poll(self, board: Board) -> bool:
        """Add all that is new; whether every group is complete."""
        while self.poll_frames(board):
            pass
        return not self.missing

    @property
    def progress(self) -> tuple[int, ...]:
        """Progress of the round: it grows while something is going on."""
        return (len(self.parts),)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Hospitals that the round waits for."""
        return self.missing

    @property
    def contributors(self) -> tuple[str, ...]:
        """Hospitals whose frame was added."""
        return tuple(sorted(self.parts))

    @property
    def parts(self) -> Mapping[str, str]:
        """Hospital → SHA-256 of its frame, of those that were added."""
        found: dict[str, str] = {}
        for group in self.groups:
            found |= group.parts
        return found

    @property
    def frame_bytes(self) -> int:
        """The size of the largest frame."""
        return max(group.frame_bytes for group in self.groups)

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals whose contribution is not there yet."""
        return tuple(sorted(site for group in self.groups for site in group.missing))

    def missing_words(self) -> str:
        """The missing hospitals by name, each with what was found in its place."""
        return "; ".join(group.missing_words() for group in self.groups if group.missing)

    def write_sum(
        self,
        total: BinaryIO,
        sender: str,
        sign: Sign,
    ) -> None:
        """Write the signed sum of every group into an empty file.

        Raises:
            RoundError: naming the hospitals that are missing.
        """
        for group in self.groups:
            start = total.tell()
            total.write(bytes(_LENGTH_BYTES))
            group.write_sum(total, sender, sign)
            end = total.seek(0, os.SEEK_END)
            total.seek(start)
            total.write((end - start - _LENGTH_BYTES).to_bytes(_LENGTH_BYTES))
            total.seek(end)

    @property
    def sum_limit(self) -> int:
        """The most bytes that the aggregator's object can have."""
        return sum(_LENGTH_BYTES + sum_bytes(group.facts) for group in self.groups)

    def poll_sum(self, board: Board) -> ClaimedGroups | None:
        """The aggregator's sums; what it did not sign for this round is not there yet."""
        slot = RoundBoard.of(board, self.facts).sum(self.sum_limit)
        return self._refusals.read_open(slot, self.check_sum)

    def check_sum(self, file: Readable) -> ClaimedGroups:
        """Read and check the aggregator's sums.

        Raises:
            MessageError: naming the aggregator and the first check that failed.
        """
        whole = Hashed(file)
        found = tuple(self._claimed(whole, group) for group in self.groups)
        if whole.read(1):
            raise self._refused("something follows its last sum")
        return ClaimedGroups(whole.sha256, found)

    def _claimed(self, whole: Hashed, group: FullRound) -> ClaimedSum:
        prefix = whole.read(_LENGTH_BYTES)
        length = int.from_bytes(prefix)
        if len(prefix) != _LENGTH_BYTES or not 0 < length <= sum_bytes(group.facts):
            raise self._refused("a group's sum has another length")
        return group.check_sum(_Part(whole, length))

    def _refused(self, why: str) -> MessageError:
        name = self.plan.study.aggregator.name
        return MessageError(
            f"The sum of {name} is refused: {why}.",
            whose=name,
            next_step=f"Ask the operator of {name} why.",
        )


class _Part:
    """Part of an object that is being read: its next ``size`` bytes, and then no more."""

    def __init__(self, whole: Readable, size: int) -> None:
        self._whole = whole
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; none at the part's end."""
        data = self._whole.read(min(size, self._left))
        self._left -= len(data)
        return data
