"""How a round travels: broadcast it, collect the replies by a deadline. One interface, two homes here: one process, and the store."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from securefl.errors import MessageError, RoundError, SecureFLError
from securefl.federation import paths
from securefl.federation.arrivals import Arrivals
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.words import last_word
from securefl.identity import verify
from securefl.secagg.frame import read_sum, sum_bytes
from securefl.store import poll

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.federation.aggregator import Aggregator
    from securefl.federation.participant import Participant, RoundInput
    from securefl.federation.rounds import Plan
    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.frame import Contribution
    from securefl.store import Store

#: Seconds between two looks for the sum: what a round may lose by waiting.
_LONGEST_PAUSE: Final = 0.02


@dataclass(frozen=True)
class Replies:
    """What came back in a round: the aggregator's sum, and the contributions it was made of (site → frame).

    ``checked`` holds those that :meth:`Plan.read_contributions` has read already, while the round was waited for.
    """

    sum: bytes
    contributions: Mapping[str, bytes]
    checked: Mapping[str, Contribution] = field(default_factory=dict)


class Exchange(Protocol):
    """The coordinator's door to the others."""

    def broadcast(self, facts: RoundFacts, given: RoundInput) -> None:
        """Make the round known to every hospital and the aggregator."""

    def collect(self, facts: RoundFacts, seconds: float) -> Replies:
        """Wait for the sum.

        Raises:
            RoundError: it did not come in time; the text names who is missing or what a hospital said.
        """


class LocalExchange:
    """Everybody in one process: simulation and tests. Same bytes, same checks; only the carrier differs."""

    def __init__(self, participants: Sequence[Participant], aggregator: Aggregator) -> None:
        self._participants, self._aggregator = participants, aggregator
        self._given: RoundInput | None = None

    def broadcast(self, facts: RoundFacts, given: RoundInput) -> None:  # noqa: ARG002 - the interface
        """See :class:`Exchange`."""
        self._given = given

    def collect(self, facts: RoundFacts, seconds: float) -> Replies:  # noqa: ARG002 - nobody is late in one process
        """See :class:`Exchange`."""
        if self._given is None:
            raise RoundError("No round was broadcast.", whose="the coordinator")
        given = self._given
        frames = {p.name: p.answer(given) for p in self._participants}
        return Replies(self._aggregator.add(given.announcement, frames), frames)


class StoreExchange:
    """The default: signed objects in the store, found by polling."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self._store, self._plan = store, plan

    def broadcast(self, facts: RoundFacts, given: RoundInput) -> None:
        """See :class:`Exchange`. The announcement goes last: who sees it finds the rest."""
        at = paths.RoundPaths(self._plan.digest, facts.round, facts.attempt)
        if self._announced(at):
            raise RoundError(
                f"Round {facts.round} of this study was announced before; its key is gone.", whose="the coordinator",
                next_step="A study that was interrupted ends; make a new one with `securefl study new`.",
            )
        self._store.put(at.key, given.key)
        self._store.put(at.model, given.model)
        self._store.put(at.announcement, given.announcement)

    def _announced(self, at: paths.RoundPaths) -> bool:
        """Whether this coordinator announced the round before; what somebody else put there is written over."""
        try:
            found = self._store.get(at.announcement, MAX_ANNOUNCEMENT)
        except MessageError:
            return False
        return found is not None and self._plan.by_coordinator(found)

    def _sum(self, at: paths.RoundPaths, facts: RoundFacts) -> bytes | None:
        """The aggregator's sum; what it did not sign for this round is not there yet."""
        who = self._plan.study.aggregator
        try:
            found = self._store.get(at.sum, sum_bytes(facts))
            if found is not None:
                read_sum(found, facts, who.name, lambda s, m: verify(who.signing_public, s, m))
        except MessageError:
            return None
        return found

    def collect(self, facts: RoundFacts, seconds: float) -> Replies:
        """See :class:`Exchange`."""
        at = paths.RoundPaths(self._plan.digest, facts.round, facts.attempt)
        end = time.monotonic() + seconds
        arrivals = Arrivals(self._store, self._plan, facts)

        def look() -> bytes | SecureFLError | None:
            found = self._sum(at, facts) or self._bad_news()
            if found is None:
                arrivals.look()
            return found

        for found in poll(look, seconds=end - time.monotonic(), longest=_LONGEST_PAUSE):
            if isinstance(found, SecureFLError):
                raise found
            while arrivals.look():
                pass
            return Replies(found, arrivals.frames, arrivals.checked)
        who = ", ".join(arrivals.missing) or "the aggregator"
        raise RoundError(
            f"Round {facts.round} was not complete after {seconds:.0f} seconds: nothing came from {arrivals.missing_words() or who}.", whose=who,
            next_step="Ask whether their process runs (`securefl site status`); the study ends here, every budget stays charged.",
        )

    def _bad_news(self) -> SecureFLError | None:
        """What a hospital said about itself, or the aggregator's refusal; only codes, never details."""
        said = last_word(self._store, self._plan)
        if said is None:
            return None
        return RoundError(
            f"{said.site} ended its part in the study with the code '{said.code}'. More is known only there.", whose=said.site,
            next_step=f"Ask {said.site}; the study ends here, every budget stays charged.",
        )
