"""Exchange in one process: simulation and tests. Same bytes, same checks; nobody is away or late."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.federation.timeouts import timeout_error
from securefl.secagg.survivor_contribution import head_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from securefl.federation.aggregator import Aggregator
    from securefl.federation.checked_round import Broadcast
    from securefl.federation.exchange import Arrivals, ClaimT
    from securefl.federation.messages import Call
    from securefl.federation.participant import Participant
    from securefl.federation.survivor_round import SurvivorRound
    from securefl.federation.tempfiles import ClaimedSum
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.secagg.group_draw import Lot
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivor_contribution import ContributionHead


def _everybody_is_there(site: str, number: int, stage: str) -> bool:  # noqa: ARG001 - the shape of what a simulation asks
    return True


class LocalExchange:
    """Exchange in one process: simulation and tests.

    Same bytes, same checks; only the carrier differs.

    Args:
        participants: the hospitals.
        aggregator: the aggregator.
        there: whether a hospital (name, round, "contribution" | "signature" | "answer") still is
            there; to simulate losses.
    """

    def __init__(
        self,
        participants: Sequence[Participant],
        aggregator: Aggregator,
        there: Callable[[str, int, str], bool] = _everybody_is_there,
    ) -> None:
        self._participants = participants
        self._aggregator = aggregator
        self._there = there
        self._given: Broadcast | None = None
        self.transcripts: dict[int, bytes] = {}
        self.openings: dict[int, bytes] = {}
        self._heads: dict[str, bytes] = {}

    def assemble(self, call: Call, signed: bytes, seconds: float) -> dict[str, str]:  # noqa: ARG002 - nobody is away in one process
        """See :class:`Exchange`."""
        return {p.name: p.instance for p in self._participants}

    def broadcast(self, facts: RoundContext, given: Broadcast) -> None:  # noqa: ARG002 - the interface
        """See :class:`Exchange`."""
        self._given = given

    def lot(self) -> Lot:
        """See :class:`Exchange`."""
        lot = self._participants[0].lot
        if lot is None:
            raise RoundError("The hospitals drew no lot.", whose="the hospitals")
        return lot

    def collect(self, arrivals: Arrivals[ClaimT], seconds: float) -> ClaimT:  # noqa: ARG002 - nobody is late in one process
        """See :class:`Exchange`."""
        if self._given is None:
            raise RoundError("No round was broadcast.", whose="the coordinator")
        for p in self._participants:
            with p.answer(self._given) as frame:
                arrivals.add_frame(p.name, frame)
        with self._aggregator.add(arrivals) as total:
            return arrivals.check_sum(total)

    def gather(self, arrivals: SurvivorRound, seconds: float) -> None:  # noqa: ARG002 - nobody is late in one process
        """See :class:`Exchange`."""
        if self._given is None:
            raise RoundError("No round was broadcast.", whose="the coordinator")
        facts = arrivals.terms.facts
        for p in self._participants:
            if p.name in facts.cohort and self._there(p.name, facts.round, "contribution"):
                with p.answer(self._given) as frame:
                    arrivals.add_frame(p.name, frame)
                    frame.seek(0)
                    self._heads[p.name] = frame.read(head_limit(arrivals.terms))

    def conclude(self, arrivals: SurvivorRound, proposal: bytes, seconds: float) -> ClaimedSum:  # noqa: ARG002 - nobody is late in one process
        """See :class:`Exchange`."""
        number = arrivals.terms.facts.round
        survivors = {
            p.name: p.later
            for p in self._participants
            if p.name in arrivals.state.survivors.frames and p.later is not None
        }
        for site, later in survivors.items():
            if self._there(site, number, "signature"):
                arrivals.state.add_agreement(
                    site, later.agree(proposal, partial(self._head, later))
                )
        for site, later in survivors.items():
            if (
                site in arrivals.state.agreements
                and self._there(site, number, "answer")
                and (data := later.answer(arrivals.state.agreements)) is not None
            ):
                arrivals.state.add_answer(site, data)
        if not arrivals.state.unmasked:
            raise timeout_error(arrivals, 0)
        with self._aggregator.add(arrivals) as total:
            return arrivals.check_sum(total)

    def _head(self, reader: UnmaskingStage, site: str) -> ContributionHead:
        return reader.read(site, self._heads[site])

    def gone(self) -> frozenset[str]:
        """See :class:`Exchange`."""
        return frozenset()

    def back(self, facts: RoundContext, contributors: Collection[str]) -> frozenset[str]:  # noqa: ARG002 - the interface
        """See :class:`Exchange`. In one process nobody is lost by chance."""
        return frozenset()

    def leave(self, number: int, transcript: bytes) -> None:
        """See :class:`Exchange`."""
        self.transcripts[number] = transcript

    def show(self, number: int, opening: bytes) -> None:
        """See :class:`Exchange`."""
        self.openings[number] = opening
