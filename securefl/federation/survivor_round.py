"""Survivor round at a party that holds no share: what came of it into the store.

Coordinator, aggregator, whoever verifies. Frames are checked as they come, a block at a time, and
their ciphertexts kept in private files: nothing that changes in the store afterwards changes the
sum. One that fails its checks is not there yet, for anybody can write into the store: it is looked
at again when it changed, and at the deadline its hospital is lost in this round. The survivor set
names the frames that count.

Which frame, signature and answer count is decided by :class:`securefl.secagg.proposer.Proposer`,
which reads and writes nothing; here it meets store and disk.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import MessageError, StoreError
from securefl.federation.messages import Complaint
from securefl.federation.refusal_cache import RefusalCache
from securefl.federation.round_board import RoundBoard
from securefl.federation.tempfiles import IN_MEMORY, ClaimedSum, TempFiles
from securefl.secagg.envelope import Hashed, write_frame
from securefl.secagg.proposer import Proposer
from securefl.secagg.streaming import (
    add_checked,
    read_survivors_sum,
    sum_head_bytes,
    sum_limit,
    write_survivors_sum,
)
from securefl.secagg.survivor_contribution import ciphertext_blocks, contribution_limit, read_head
from securefl.secagg.survivors import read_proposal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.envelope import Readable
    from securefl.secagg.residues import Kept
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.types import Sign


class SurvivorRound:
    """Survivor round as far as it came.

    Close it when the round is over: it holds files as large as the frames.

    Attributes:
        state: heads, survivor set, signatures and answers that passed their checks.
        frame_hashes: hospital → SHA-256 of that whole frame, head and ciphertexts.
        refused: hospital → why its frame does not count.
    """

    def __init__(self, plan: RoundPlan, terms: SurvivorTerms) -> None:
        self.plan = plan
        self.terms = terms
        self.state = Proposer(terms, plan.verify)
        self.frame_hashes: dict[str, str] = {}
        self.refused: dict[str, MessageError] = {}
        self._kept: dict[str, Kept] = {}
        self._refusals = RefusalCache()
        # One for each hospital: together they take no more memory than one of a full round.
        self._tempfiles = TempFiles(IN_MEMORY // len(terms.cohort))

    def _on(self, board: Board) -> RoundBoard:
        return RoundBoard.of(board, self.terms.facts)

    def close(self) -> None:
        """Let go of the ciphertexts; harmless when repeated."""
        self._tempfiles.close()

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals whose frame is awaited: of the cohort, or of the survivor set once there is one."""
        names = self.terms.cohort
        if self.state.proposed:
            names = self.state.survivors.names
        return tuple(name for name in names if self.state.waits_for_frame_of(name))

    # --- contributions
    # -----------------------------------------------------------------------------------------------

    def add_frame(self, site: str, frame: Readable) -> None:
        """Check one frame and keep its ciphertexts.

        The first that passes counts, until a survivor set names another.

        Raises:
            StoreError: the store is away, or this machine's disk is full.
        """
        if not self.state.waits_for_frame_of(site):
            return
        try:
            self._add(site, frame)
        except MessageError as error:
            self.refused[site] = error.with_traceback(None)  # which would hold what was read

    def _add(self, site: str, frame: Readable) -> None:
        read = Hashed(frame)
        head = read_head(read, self.terms, site, self.plan.hospital(site))
        if self.state.proposed:
            self.state.check_named(head)
        blocks = ciphertext_blocks(read, self.terms, head)
        kept = self._tempfiles.store(blocks, self.terms.facts.sections)
        if self.state.proposed:
            self.state.add_named(head)
        else:
            self.state.add_contribution(head)
        self._kept[site] = kept
        self.frame_hashes[site] = read.sha256
        self.refused.pop(site, None)

    def poll_frames(self, board: Board) -> bool:
        """Add the frames that are new in the store; whether there was one.

        Raises:
            StoreError: as :meth:`add_frame`.
        """
        before = len(self.state.heads)
        at = self._on(board)
        for site in at.contributors():
            if site not in self.terms.cohort or not self.state.waits_for_frame_of(site):
                continue
            slot = at.contribution(site, contribution_limit(self.terms))
            try:
                self._refusals.read(slot, partial(self._fetch, slot, site))
            except MessageError as error:
                self.refused[site] = error.with_traceback(None)  # as above
        return len(self.state.heads) > before

    def _fetch(self, slot: Slot, site: str) -> None:
        with slot.open() as frame:
            if frame is not None:
                self._add(site, frame)

    # --- survivors and what they say
    # -------------------------------------------------------------------------------------------

    def read_proposal(self, proposal: bytes) -> None:
        """Take the coordinator's survivor set as this party's own.

        Raises:
            MessageError: it is not the coordinator's, or not of this round.
            RoundError: too few survivors.
        """
        coordinator = self.plan.coordinator
        self.state.adopt(
            read_proposal(
                proposal,
                self.terms,
                coordinator.name,
                coordinator,
            )
        )

    def poll_answers(self, board: Board) -> None:
        """Add the signatures and answers that are new in the store.

        What does not pass its checks is as if it were not there.
        """
        at = self._on(board)
        survivors = self.state.survivors
        for site in at.with_agreement():
            if site in survivors.frames and site not in self.state.agreements:
                at.agreement(site).read_as(partial(self.state.add_agreement, site))
        for site in at.with_answer():
            if site in survivors.frames and site not in self.state.answers:
                at.answer(site, survivors).read_as(partial(self.state.add_answer, site))

    def complaints(self, board: Board) -> dict[str, str]:
        """Survivor without a signature → the survivor whose dealing it says it cannot use.

        Looked for when the round has failed: they decide nothing.
        """
        found: dict[str, str] = {}
        if self.state.agreed:
            return found
        for site in self.state.waiting_for:
            read = partial(
                Complaint.open_in,
                terms=self.terms,
                site=site,
                verify=self.plan.hospital(site),
            )
            with suppress(StoreError):  # they only choose the words of another error
                complaint = self._on(board).complaint(site).read_as(read)
                if complaint is not None and complaint.about in self.state.survivors.frames:
                    found[site] = complaint.about
        return found

    # --- the sum
    # ------------------------------------------------------------------------------------------------------

    def poll(self, board: Board) -> bool:
        """Add all that is new in the store; whether the sum over the survivors is complete.

        What is not signed by whom it should be is not there yet.

        Raises:
            StoreError: as :meth:`add_frame`.
            RoundError: the coordinator proposed too few survivors.
        """
        self.poll_frames(board)
        try:
            if not self.state.proposed:
                proposal = self._on(board).proposal(self.terms).read()
                self.read_proposal(proposal or b"")
                self.poll_frames(board)
            self.state.check_frames()
        except MessageError:
            return False
        self.poll_answers(board)
        return self.state.unmasked

    @property
    def progress(self) -> tuple[int, ...]:
        """Progress of the round: it grows while something is going on."""
        state = self.state
        said = (len(state.agreements), len(state.answers))
        return (len(state.heads), int(state.proposed), *said)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Hospitals whose frame, signature or answer has not come, in the present stage."""
        return self.state.waiting_for

    @property
    def contributors(self) -> tuple[str, ...]:
        """The survivors once they are known, before that those whose frame came."""
        if self.state.proposed:
            return self.state.survivors.names
        return tuple(sorted(self.state.heads))

    @property
    def frame_bytes(self) -> int:
        """The size of the largest contribution."""
        heads = self.state.heads
        return max((heads[s].head.frame_bytes for s in self.contributors if s in heads), default=0)

    def sum_blocks(self) -> Iterator[NDArray[np.uint64]]:
        """The survivors' sum, what does not cancel taken off, a block of items at a time.

        Raises:
            RoundError: too few answers.
            MessageError: naming whose frame or shares do not hold.
        """
        self.state.check_frames()
        unmasking = self.state.unmasking()
        frames = [self._kept[s].blocks() for s in self.state.survivors.names]
        return add_checked(unmasking, frames)

    def write_sum(
        self,
        total: BinaryIO,
        sender: str,
        sign: Sign,
    ) -> None:
        """Write the signed sum over the survivors, their masks taken off, into an empty file.

        Raises:
            RoundError: too few answers.
            MessageError: naming a dealer whose shares do not give its seeds, or the hospital whose
                frame is refused.
        """
        survivors = self.state.survivors
        write_frame(
            total,
            sum_head_bytes(survivors, sender),
            lambda file: write_survivors_sum(
                survivors,
                self.sum_blocks(),
                file,
                sender,
                sign,
            ),
        )

    def poll_sum(self, board: Board) -> ClaimedSum | None:
        """The aggregator's sum over the survivors; what it did not sign for them is not there yet."""
        slot = self._on(board).sum(sum_limit(self.state.survivors))
        return self._refusals.read_open(slot, self.check_sum)

    def check_sum(self, file: Readable) -> ClaimedSum:
        """Read and check the aggregator's sum.

        Whether it is that of the frames is for whoever opens it to see.

        Raises:
            MessageError: naming the aggregator and the first check that failed.
        """
        aggregator = self.plan.aggregator
        survivors = self.state.survivors
        frame = Hashed(file)
        blocks = read_survivors_sum(frame, survivors, aggregator.name, aggregator)
        body = self._tempfiles.store(blocks, self.terms.facts.sections)
        return ClaimedSum(
            frame.sha256,
            survivors.frames,
            body,
        )
