"""Contributions to a round that needs every hospital: checked and added as they come.

While the others are still at work. Anybody can write into the store, so what does not pass its
checks under a hospital's name is not there yet: it is looked at again when it changed, and at the
deadline the hospital is named as missing, with what was found in its place.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import MessageError, RoundError
from securefl.federation import tempfiles
from securefl.federation.refusal_cache import RefusalCache
from securefl.federation.round_board import RoundBoard
from securefl.federation.tempfiles import ClaimedSum, TempFiles, disk_errors, open_tempfile
from securefl.secagg.envelope import Hashed
from securefl.secagg.frame import contribution_bytes, read_sum, sum_bytes, write_sum
from securefl.secagg.sum import RunningSum

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.envelope import Readable
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign


class FullRound:
    """Contributions of one round as far as they came, as a party without data sees them.

    Close it when the round is over.

    Attributes:
        refused: hospital → why what lies under its name is no contribution of this round.
    """

    def __init__(self, plan: RoundPlan, facts: RoundContext) -> None:
        self.plan = plan
        self.facts = facts
        self.refused: dict[str, str] = {}
        self._sum = RunningSum(facts, open_tempfile, tempfiles.IN_MEMORY)
        self._refusals = RefusalCache()
        self._tempfiles = TempFiles(tempfiles.IN_MEMORY)

    def close(self) -> None:
        """Let go of what was added; harmless when repeated."""
        self._sum.close()
        self._tempfiles.close()

    def add_frame(self, site: str, frame: Readable) -> None:
        """Check one frame and add it; what is refused is as if it had not come.

        Raises:
            StoreError: the store is away, or this machine's disk is full.
        """
        with suppress(MessageError):
            self._add(site, frame)

    def _add(self, site: str, frame: Readable) -> None:
        try:
            with disk_errors():
                self._sum.add(frame, site, self.plan.hospital(site))
            self.refused.pop(site, None)
        except MessageError as error:
            self.refused[site] = error.what
            raise

    def poll_frames(self, board: Board) -> bool:
        """Add those that are new; whether there was one.

        Raises:
            StoreError: as :meth:`add_frame`.
        """
        at = RoundBoard.of(board, self.facts)
        before = len(self.missing)
        for site in at.contributors():
            if site in self.missing:
                slot = at.contribution(site, contribution_bytes(self.facts))
                with suppress(MessageError):
                    self._refusals.read(slot, partial(self._fetch, slot, site))
        return len(self.missing) < before

    def _fetch(self, slot: Slot, site: str) -> None:
        try:
            with slot.open() as frame:
                if frame is not None:
                    self._add(site, frame)
        except MessageError as error:
            self.refused[site] = error.what
            raise

    def poll(self, board: Board) -> bool:
        """Add all that is new; whether the sum is complete."""
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
        return self._sum.parts

    @property
    def frame_bytes(self) -> int:
        """The size of the largest frame."""
        return self._sum.frame_bytes

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals whose contribution is not there yet."""
        return self._sum.missing

    def missing_words(self) -> str:
        """The missing hospitals by name, each with what was found in its place."""
        return "; ".join(
            f"{s} ({self.refused[s]})" if s in self.refused else s for s in self.missing
        )

    def sum_blocks(self) -> Iterator[NDArray[np.uint64]]:
        """The sum of the whole cohort, a block of items at a time.

        Raises:
            RoundError: naming the hospitals that are missing.
        """
        if self.missing:
            raise RoundError(
                f"No contribution of {self.missing_words()}: nothing was added, and nothing can be"
                " opened.",
                whose=", ".join(self.missing),
                next_step="Ask whether their process runs; start a new study when they are back.",
            )
        return self._sum.blocks()

    def write_sum(
        self,
        total: BinaryIO,
        sender: str,
        sign: Sign,
    ) -> None:
        """Write the signed sum of the whole cohort into an empty file.

        Raises:
            RoundError: naming the hospitals that are missing.
        """
        write_sum(
            self.facts,
            sender,
            self.sum_blocks(),
            total,
            parts=self.parts,
            sign=sign,
        )

    @property
    def sum_limit(self) -> int:
        """The most bytes that the aggregator's sum can have."""
        return sum_bytes(self.facts)

    def poll_sum(self, board: Board) -> ClaimedSum | None:
        """The aggregator's sum; what it did not sign for this round is not there yet."""
        slot = RoundBoard.of(board, self.facts).sum(self.sum_limit)
        return self._refusals.read_open(slot, self.check_sum)

    def check_sum(self, file: Readable) -> ClaimedSum:
        """Read and check the aggregator's sum.

        Whether it is that of the contributions is for whoever opens it to see.

        Raises:
            MessageError: naming the aggregator and the first check that failed.
        """
        aggregator = self.plan.aggregator
        frame = Hashed(file)
        read = read_sum(frame, self.facts, aggregator.name, aggregator)
        body = self._tempfiles.store(read.blocks, self.facts.sections)
        return ClaimedSum(frame.sha256, read.parts, body)
