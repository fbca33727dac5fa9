"""What came to a round that survives losses, as a party sees it that holds no share: coordinator,
aggregator, whoever verifies.

Frames are checked as they come, a block at a time, and their ciphertexts kept in private files:
nothing that changes in the store afterwards changes the sum. One that fails its checks is not there
yet, for anybody can write into the store: it is looked at again when it changed, and at the
deadline its hospital is lost in this round. The survivor set names the frames that count.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import MessageError, RoundError, StoreError
from securefl.federation.messages import MAX_SMALL, open_complaint
from securefl.federation.refusal_cache import RefusalCache
from securefl.federation.tempfiles import ClaimedSum, TempFiles
from securefl.identity import verify
from securefl.secagg.envelope import Hashed
from securefl.secagg.residues import kept_residues
from securefl.secagg.streaming import add_checked, read_survivors_sum, sum_limit
from securefl.secagg.survivor_contribution import ciphertext_blocks, contribution_limit, read_head
from securefl.secagg.survivors import MAX_AGREEMENT_BYTES, count_agreements, read_proposal
from securefl.secagg.unmasking import answer_limit, missing_shares, read_answer, unmask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.federation.paths import RoundPaths
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.envelope import Readable
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import Survivors
    from securefl.secagg.unmasking import Answer


class SurvivorRound:
    """One round as far as it came. Close it when the round is over: it holds files as large as the
    frames.

    Attributes:
        heads: hospital → the checked head of its frame, of those whose frames passed their checks.
        frame_hashes: hospital → SHA-256 of that whole frame, head and ciphertexts.
        refused: hospital → why its frame does not count.
        agreements: survivor → its statement as it came.
        answers: survivor → its checked answer.
    """

    def __init__(self, plan: RoundPlan, terms: SurvivorTerms) -> None:
        self.plan, self.terms = plan, terms
        self.heads: dict[str, ContributionHead] = {}
        self.frame_hashes: dict[str, str] = {}
        self.refused: dict[str, MessageError] = {}
        self.agreements: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self._survivors: Survivors | None = None
        self._kept: dict[str, BinaryIO] = {}
        self._refusals = RefusalCache()
        self._tempfiles = TempFiles()

    def close(self) -> None:
        """Let go of the ciphertexts; harmless when repeated."""
        self._tempfiles.close()

    # --- contributions
    # -----------------------------------------------------------------------------------------------

    def take(self, site: str, frame: Readable) -> None:
        """Check one frame and keep its ciphertexts; the first that passes counts, until a survivor
        set names another.

        Raises:
            StoreError: the store is away, or this machine's disk is full.
        """
        if self._has(site):
            return
        try:
            self._take(site, frame)
        except MessageError as error:
            self.refused[site] = error.with_traceback(None)  # which would hold what was read

    def _take(self, site: str, frame: Readable) -> None:
        read = Hashed(frame)
        head = read_head(read, self.terms, site, lambda s, m: self.plan.verify(site, s, m))
        if (
            self._survivors is not None
            and self._survivors.frames.get(site, head.sha256) != head.sha256
        ):
            raise _exchanged(site)
        kept = self._tempfiles.store(ciphertext_blocks(read, self.terms, head))
        self.heads[site], self._kept[site], self.frame_hashes[site] = head, kept, read.sha256
        self.refused.pop(site, None)

    def look(self, board: Board, at: RoundPaths) -> bool:
        """Take in what is new in the store; whether there was anything.

        Raises :class:`StoreError` as :meth:`take`.
        """
        before = len(self.heads)
        for site in [
            s for s in board.names(at.contributions) if s in self.terms.cohort and not self._has(s)
        ]:
            try:
                self._refusals.read(
                    board, at.contribution(site), partial(self._fetch, board, at, site)
                )
            except MessageError as error:
                self.refused[site] = error.with_traceback(None)  # as above
        return len(self.heads) > before

    def _fetch(self, board: Board, at: RoundPaths, site: str) -> None:
        with board.open(at.contribution(site), contribution_limit(self.terms)) as frame:
            if frame is not None:
                self._take(site, frame)

    def _has(self, site: str) -> bool:
        """Whether the frame that counts is here."""
        if site not in self.heads:
            return False
        return (
            self._survivors is None
            or self._survivors.frames.get(site, self.heads[site].sha256) == self.heads[site].sha256
        )

    # --- survivors
    # ---------------------------------------------------------------------------------------------------

    @property
    def survivors(self) -> Survivors:
        """The proposed set.

        Raises:
            RoundError: none was read yet.
        """
        if self._survivors is None:
            raise RoundError(
                "No survivor set was proposed.", whose="the coordinator", next_step="Wait for it."
            )
        return self._survivors

    @property
    def proposed(self) -> bool:
        """Whether a survivor set was read."""
        return self._survivors is not None

    def propose(self, proposal: bytes) -> None:
        """Read the coordinator's proposal.

        Raises:
            MessageError: it is not the coordinator's, or not of this round.
            RoundError: too few survivors.
        """
        coordinator = self.plan.study.coordinator
        self._survivors = read_proposal(
            proposal,
            self.terms,
            coordinator.name,
            lambda s, m: verify(coordinator.signing_public, s, m),
        )

    def adopt(self, survivors: Survivors) -> None:
        """The survivors that this party proposed itself."""
        self._survivors = survivors

    def check_frames(self) -> None:
        """That the frames here are those that the survivors signed.

        Raises:
            MessageError: naming the hospital whose frame is not.
        """
        for site, digest in self.survivors.frames.items():
            if site not in self.heads or self.heads[site].sha256 != digest:
                raise _exchanged(site)

    # --- what survivors say
    # -------------------------------------------------------------------------------------------

    def listen(self, board: Board, at: RoundPaths) -> None:
        """Take in signatures and answers that are in the store; what does not pass its checks is as
        if it were not there.
        """
        for site in board.names(at.agreements):
            if site in self.survivors.frames and site not in self.agreements:
                self._agreement(board, at, site)
        for site in board.names(at.answers):
            if site in self.survivors.frames and site not in self.answers:
                with suppress(MessageError):
                    data = board.read(at.answer(site), answer_limit(self.survivors, site))
                    if data is not None:
                        self.hear(site, data)

    def _agreement(self, board: Board, at: RoundPaths, site: str) -> None:
        with suppress(MessageError):
            data = board.read(at.agreement(site), MAX_AGREEMENT_BYTES)
            if data is not None:
                self.agree(site, data)

    def agree(self, site: str, data: bytes) -> None:
        """A survivor's signature; one that is not under this set does not count."""
        if count_agreements({site: data}, self.survivors, self.plan.verify):
            self.agreements[site] = data

    def hear(self, site: str, data: bytes) -> None:
        """A survivor's answer.

        Raises:
            MessageError: naming the holder and the first check that failed.
        """
        dealings = {dealer: head.dealing for dealer, head in self.heads.items()}
        self.answers[site] = read_answer(
            data, self.survivors, site, dealings, lambda s, m: self.plan.verify(site, s, m)
        )

    @property
    def agreed(self) -> bool:
        """Whether enough survivors signed the set."""
        return len(self.agreements) >= self.terms.min_contributors

    @property
    def unmasked(self) -> bool:
        """Whether the answers are enough to take the masks off."""
        return not missing_shares(self.survivors, self.answers.values())

    @property
    def silent(self) -> tuple[str, ...]:
        """The survivors from whom something is missing yet."""
        if self.unmasked:
            return ()
        came = self.answers if self.agreed else self.agreements
        return tuple(name for name in self.survivors.names if name not in came)

    def complaints(self, board: Board, at: RoundPaths) -> dict[str, str]:
        """Survivor without a signature → the survivor whose dealing it says it cannot use.

        Looked for when the round has failed: they decide nothing.
        """
        found: dict[str, str] = {}
        if self.agreed:
            return found
        for site in self.silent:
            with suppress(MessageError, StoreError):  # they only choose the words of another error
                data = board.read(at.complaint(site), MAX_SMALL)
                if data is not None:
                    about = open_complaint(
                        data, terms=self.terms, site=site, verify=partial(self.plan.verify, site)
                    ).about
                    found |= {site: about} if about in self.survivors.frames else {}
        return found

    def sum_blocks(self) -> Iterator[NDArray[np.uint64]]:
        """The survivors' sum, what does not cancel taken off, a block of items at a time.

        Raises:
            RoundError: too few answers.
            MessageError: naming whose frame or shares do not hold.
        """
        self.check_frames()
        dealings = {dealer: head.dealing for dealer, head in self.heads.items()}
        unmasking = unmask(self.survivors, self.answers, dealings)
        return add_checked(
            unmasking,
            [kept_residues(self._kept[s], self.terms.facts.sections) for s in self.survivors.names],
        )

    # --- the sum
    # ------------------------------------------------------------------------------------------------------

    def look_for_sum(self, board: Board, at: RoundPaths) -> ClaimedSum | None:
        """The aggregator's sum over the survivors; what it did not sign for them is not there yet."""
        return self._refusals.for_one(board, at.sum, sum_limit(self.survivors), self.check_sum)

    def check_sum(self, file: Readable) -> ClaimedSum:
        """Read and check the aggregator's sum; whether it is that of the frames is for whoever
        opens it to see.

        Raises:
            MessageError: naming the aggregator and the first check that failed.
        """
        who, frame = self.plan.study.aggregator, Hashed(file)
        blocks = read_survivors_sum(
            frame, self.survivors, who.name, lambda s, m: verify(who.signing_public, s, m)
        )
        held = self._tempfiles.store(blocks)
        return ClaimedSum(frame.sha256, self.survivors.frames, held, self.terms.facts.sections)


def _exchanged(site: str) -> MessageError:
    return MessageError(
        f"The frame of {site} that is here is not the one in the survivor set.",
        whose=f"{site} or the store's operator",
        next_step="Ask the store's operator who wrote it; the round cannot be added.",
    )
