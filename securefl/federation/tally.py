"""What came to a round that survives losses, as a party sees it that holds no share: coordinator, aggregator, whoever verifies.

Frames are checked as they come. One that fails its checks is not there yet, for anybody can write into the store: it is looked
at again, and at the deadline its hospital is lost in this round. The survivor set names the frames that count, so nothing that changes in the store afterwards changes the sum.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.errors import MessageError, RoundError
from securefl.identity import verify
from securefl.secagg.spooling import check_contribution, contribution_limit
from securefl.secagg.streaming import add_survivors
from securefl.secagg.survivors import MAX_AGREEMENT_BYTES, count_agreements, read_proposal
from securefl.secagg.unmasking import answer_limit, missing_shares, read_answer, unmask

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.paths import RoundPaths
    from securefl.federation.rounds import Plan
    from securefl.secagg.spooling import ContributionHead
    from securefl.secagg.survivors import Survivors
    from securefl.secagg.terms import Terms
    from securefl.secagg.unmasking import Answer
    from securefl.store import Store


class Tally:
    """One round as far as it came.

    Attributes:
        frames: hospital → its frame, of those that passed their checks.
        heads: hospital → the checked head of it.
        refused: hospital → why its frame does not count.
        agreements: survivor → its statement as it came.
        answers: survivor → its checked answer.
    """

    def __init__(self, plan: Plan, terms: Terms) -> None:
        self.plan, self.terms = plan, terms
        self.frames: dict[str, bytes] = {}
        self.heads: dict[str, ContributionHead] = {}
        self.refused: dict[str, MessageError] = {}
        self.agreements: dict[str, bytes] = {}
        self.answers: dict[str, Answer] = {}
        self._survivors: Survivors | None = None

    # --- contributions -----------------------------------------------------------------------------------------------

    def take(self, site: str, frame: bytes) -> None:
        """Check one frame and keep it; the first that passes counts, until a survivor set names another."""
        if self._has(site):
            return
        try:
            self.heads[site] = check_contribution(io.BytesIO(frame), self.terms, site, lambda s, m: self.plan.verify(site, s, m))
            self.frames[site] = frame
            self.refused.pop(site, None)
        except MessageError as error:
            self.refused[site] = error

    def look(self, store: Store, at: RoundPaths) -> bool:
        """Take in what is new in the store; whether there was anything. Raises :class:`StoreError` when it is away."""
        before = len(self.frames)
        for site in [s for s in store.list(at.contributions) if s in self.terms.cohort and not self._has(s)]:
            try:
                frame = store.get(at.contribution(site), contribution_limit(self.terms))
            except MessageError as error:  # longer than any contribution
                self.refused[site] = error
                continue
            if frame is not None:
                self.take(site, frame)
        return len(self.frames) > before

    def _has(self, site: str) -> bool:
        """Whether the frame that counts is here."""
        if site not in self.frames:
            return False
        return self._survivors is None or self._survivors.frames.get(site, self.heads[site].sha256) == self.heads[site].sha256

    # --- survivors ---------------------------------------------------------------------------------------------------

    @property
    def survivors(self) -> Survivors:
        """The proposed set.

        Raises:
            RoundError: none was read yet.
        """
        if self._survivors is None:
            raise RoundError("No survivor set was proposed.", whose="the coordinator", next_step="Wait for it.")
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
        self._survivors = read_proposal(proposal, self.terms, coordinator.name, lambda s, m: verify(coordinator.signing_public, s, m))

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
                raise MessageError(
                    f"The frame of {site} that is here is not the one in the survivor set.", whose=f"{site} or the store's operator",
                    next_step="Ask the store's operator who wrote it; the round cannot be added.",
                )

    # --- what survivors say -------------------------------------------------------------------------------------------

    def listen(self, store: Store, at: RoundPaths) -> None:
        """Take in signatures and answers that are in the store; what does not pass its checks is as if it were not there."""
        for site in store.list(at.agreements):
            if site in self.survivors.frames and site not in self.agreements:
                self._agreement(store, at, site)
        for site in store.list(at.answers):
            if site in self.survivors.frames and site not in self.answers:
                with suppress(MessageError):
                    data = store.get(at.answer(site), answer_limit(self.survivors, site))
                    if data is not None:
                        self.hear(site, data)

    def _agreement(self, store: Store, at: RoundPaths, site: str) -> None:
        with suppress(MessageError):
            data = store.get(at.agreement(site), MAX_AGREEMENT_BYTES)
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
        self.answers[site] = read_answer(data, self.survivors, site, dealings, lambda s, m: self.plan.verify(site, s, m))

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

    def sum_blocks(self) -> Iterator[NDArray[np.uint64]]:
        """The survivors' sum, what does not cancel taken off: uint64[n, 2, 4096] at a time.

        Raises:
            RoundError: too few answers.
            MessageError: naming whose frame or shares do not hold.
        """
        self.check_frames()
        dealings = {dealer: head.dealing for dealer, head in self.heads.items()}
        unmasking = unmask(self.survivors, self.answers, dealings)
        return add_survivors(unmasking, {s: io.BytesIO(self.frames[s]) for s in self.survivors.names}, self.plan.verify)
