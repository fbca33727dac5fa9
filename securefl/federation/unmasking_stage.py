"""Hospital after its contribution, in a study that goes on after a loss.

One signature under the survivor set, then one answer. What may be said, in which order and how
often is :class:`securefl.secagg.holder.Holder`'s; here it meets the round's messages.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from securefl.errors import LeftOutError, MessageError, RoundError
from securefl.secagg.holder import Holder
from securefl.secagg.survivor_contribution import read_head
from securefl.secagg.survivors import count_agreements, read_proposal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.secagg.holder import Record
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import Survivors


class RecordKeeper(Protocol):
    """Keeper of a signature or an answer: it makes it durable before it is said.

    On disk, and an answer in the ledger.
    """

    def __call__(self, terms: SurvivorTerms, record: Record) -> None:
        """Keep ``record``; raises if this hospital said anything else of that kind in that round."""


class UnmaskingStage:
    """Stage of a round after a hospital's contribution: what it still says.

    Args:
        plan: the study.
        identity: this hospital's keys.
        terms: its own terms of the round.
        pair_seeds: its pair seed with every other hospital of the cohort.
        head: the head of its contribution, which is durable.
        keep: see :class:`RecordKeeper`.
    """

    def __init__(
        self,
        *,
        plan: RoundPlan,
        identity: Identity,
        terms: SurvivorTerms,
        pair_seeds: Mapping[str, bytes],
        head: bytes,
        keep: RecordKeeper,
    ) -> None:
        self.terms = terms
        self._plan = plan
        self._me = identity
        self._seeds = pair_seeds
        self._keep = keep
        self._holder = Holder(identity.card.name, sign=identity.sign, unseal=identity.unseal)
        own = self.read(identity.card.name, head)
        self._holder.confirm_durable(self._holder.contributed(terms, head, own.sha256))
        self._heads: dict[str, ContributionHead] = {own.sender: own}
        self._survivors: Survivors | None = None

    @property
    def survivors(self) -> Survivors | None:
        """The set that this hospital signed; None before."""
        return self._survivors

    @property
    def refused_dealer(self) -> str:
        """Hospital whose dealing this one cannot use, where that is why it did not sign.

        Empty otherwise.
        """
        return self._holder.refused_dealer

    @property
    def answered(self) -> bool:
        """True once the round's one answer is given: nothing is left to say."""
        return self._holder.answered

    def read(self, site: str, head: bytes | None) -> ContributionHead:
        """Read the head of a named hospital's frame out of the frame's first bytes.

        As many as :func:`~securefl.secagg.survivor_contribution.head_limit`.

        Raises:
            MessageError: it is not there, or is none of that hospital's.
        """
        if not head:
            raise MessageError(
                f"The contribution of {site} is in the survivor set, and is not in the store.",
                whose=f"{site} or the store's operator",
                next_step="The study ends here; ask who removed it.",
            )
        return read_head(io.BytesIO(head), self.terms, site, self._plan.hospital(site))

    def is_in(self, proposal: bytes) -> bool:
        """True if this hospital's very contribution is in the proposed survivor set.

        And so in the round's sum. Nothing is said.

        Raises:
            MessageError: the proposal is refused in the coordinator's name.
        """
        me = self._me.card.name
        return self._read_proposal(proposal).frames.get(me) == self._heads[me].sha256

    def agree(self, proposal: bytes, head_of: Callable[[str], ContributionHead]) -> bytes:
        """Sign the proposed survivor set; the statement to send, which is durable.

        Args:
            proposal: as it came.
            head_of: fetches and reads the head of a named hospital's frame (:meth:`read`).

        Raises:
            RoundError: this hospital is not in it, or too few are.
            MessageError: the proposal is refused in the coordinator's name, or a frame or dealing
                in its sender's.
        """
        survivors = self._read_proposal(proposal)
        if self._me.card.name not in survivors.frames:
            raise LeftOutError(
                "The others go on without this hospital: its contribution was not there in time, or"
                " was not whole, or the coordinator left it out.",
                whose="this hospital, the store, or the coordinator",
                next_step=(
                    "The study has ended here; its budget stays charged. If the contribution lay in"
                    " the store in time, ask the coordinator why it was left out."
                ),
                round=self.terms.facts.round,
            )
        for site in survivors.names:
            if site not in self._heads or self._heads[site].sha256 != survivors.frames[site]:
                self._heads[site] = head_of(site)
        record = self._holder.agree(
            self.terms,
            proposal,
            coordinator=self._plan.study.coordinator.name,
            verify=self._plan.coordinator,
            heads=self._heads,
            pair_seeds=self._seeds,
        )
        said = self._keep_and_say(record)
        self._survivors = survivors
        return said

    def answer(self, agreements: Mapping[str, bytes]) -> bytes | None:
        """The round's one answer, durable; None while too few survivors' signatures are there.

        Raises:
            RoundError: no set was signed here, or the answer was given.
        """
        if self._survivors is None:
            raise RoundError(
                "This hospital signed no survivor set in this round.", whose="this hospital"
            )
        if (
            count_agreements(agreements, self._survivors, self._plan.verify)
            < self.terms.min_contributors
        ):
            return None
        return self._keep_and_say(
            self._holder.answer(
                self._survivors, agreements, verify=self._plan.verify, heads=self._heads
            )
        )

    def _read_proposal(self, proposal: bytes) -> Survivors:
        coordinator = self._plan.coordinator
        return read_proposal(proposal, self.terms, coordinator.name, coordinator)

    def _keep_and_say(self, record: Record) -> bytes:
        try:
            self._keep(self.terms, record)
        except BaseException:
            # whatever became durable is the same bytes when it is made again: nothing in them is
            # drawn
            self._holder.discard()
            raise
        return self._holder.confirm_durable(record)
