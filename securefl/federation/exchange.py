"""Exchange of a round: broadcast it, collect the replies by a deadline.

One interface, two homes here: one process, and the store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from securefl.backoff import persist, poll
from securefl.errors import RoundError, StoreError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.readiness import all_ready
from securefl.federation.round_board import RoundBoard
from securefl.federation.status_board import departures, ended, ending_departure, first_departure
from securefl.federation.study_board import StudyBoard
from securefl.federation.timeouts import timeout_error
from securefl.secagg.survivor_contribution import head_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.boards.board import Board
    from securefl.federation.aggregator import Aggregator
    from securefl.federation.checked_round import Broadcast
    from securefl.federation.full_round import FullRound
    from securefl.federation.messages import Call
    from securefl.federation.participant import Participant
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.survivor_round import SurvivorRound
    from securefl.federation.tempfiles import ClaimedSum
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivor_contribution import ContributionHead

T = TypeVar("T")

#: Seconds between two looks for the sum: what a round may lose by waiting.
_LONGEST_PAUSE: Final = 0.02
#: Seconds between two looks whether somebody left.
_WORDS: Final = 0.2
#: Seconds between two words on whom a round waits for.
_TELL: Final = 0.5


@dataclass(frozen=True)
class Waiting:
    """Whom a round waits for.

    Attributes:
        names: hospitals, or the aggregator.
        seconds: how long already.
        deadline: how long at most.
    """

    names: tuple[str, ...]
    seconds: float
    deadline: float

    def __str__(self) -> str:
        return f"waiting for {', '.join(self.names)} ({self.seconds:.0f} s of {self.deadline:.0f})"


#: What a study costs that ends after its first announcement.
_CHARGED: Final = "every budget stays charged."


class Exchange(Protocol):
    """The coordinator's door to the others."""

    def assemble(
        self,
        call: Call,
        signed: bytes,
        seconds: float,
    ) -> Mapping[str, str]:
        """Ask every hospital whether it is ready, and wait until all say so.

        Returns hospital → nonce of the run of its agent. Nobody is charged before.

        Args:
            call: the coordinator's call, with a fresh nonce.
            signed: the same as it travels.
            seconds: how long they are waited for.

        Raises:
            EndedError: a hospital or the aggregator ended its part.
            RoundError: not all were ready in time; the text names who is awaited.
        """

    def broadcast(self, facts: RoundContext, given: Broadcast) -> None:
        """Make the round known to every hospital and the aggregator."""

    def collect(self, arrivals: FullRound, seconds: float) -> ClaimedSum:
        """Take in every hospital's contribution, and wait for the aggregator's sum.

        Returns it, read and checked.

        Raises:
            RoundError: it did not come in time; the text names who is missing or what a hospital
                said.
        """

    def gather(self, arrivals: SurvivorRound, seconds: float) -> None:
        """Take in contributions, in a study that goes on after a loss.

        Until all that can come are there, or the time is over.

        Raises:
            RoundError: too few can come.
        """

    def conclude(
        self,
        arrivals: SurvivorRound,
        proposal: bytes,
        seconds: float,
    ) -> ClaimedSum:
        """Make the survivor set known, collect signatures, answers and the aggregator's sum.

        Returns the sum, read and checked.

        Raises:
            RoundError: something did not come in time; the text names who is silent.
        """

    def gone(self) -> frozenset[str]:
        """Hospitals that said that they ended their part."""

    def leave(self, number: int, transcript: bytes) -> None:
        """Leave the signed transcript of a round that is over where every participant finds it.

        Nothing that fails here ends a study: the round's sum is opened.
        """


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
        self._participants, self._aggregator, self._there = participants, aggregator, there
        self._given: Broadcast | None = None
        self.transcripts: dict[int, bytes] = {}
        self._heads: dict[str, bytes] = {}

    def assemble(self, call: Call, signed: bytes, seconds: float) -> dict[str, str]:  # noqa: ARG002 - nobody is away in one process
        """See :class:`Exchange`."""
        return {p.name: p.instance for p in self._participants}

    def broadcast(self, facts: RoundContext, given: Broadcast) -> None:  # noqa: ARG002 - the interface
        """See :class:`Exchange`."""
        self._given = given

    def collect(self, arrivals: FullRound, seconds: float) -> ClaimedSum:  # noqa: ARG002 - nobody is late in one process
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

    def leave(self, number: int, transcript: bytes) -> None:
        """See :class:`Exchange`."""
        self.transcripts[number] = transcript


def _nothing(_text: str) -> None:
    pass


class StoreExchange:
    """The default: signed objects in the store, found by polling.

    A store that is away is asked again until the deadline of what is being done; what it says then
    is told once.

    Args:
        board: where the study's objects lie.
        plan: the study.
        warn: told what went wrong and ends nothing.
        waiting: told about twice a second whom a round waits for.
    """

    def __init__(
        self,
        board: Board,
        plan: RoundPlan,
        warn: Callable[[str], None] = _nothing,
        waiting: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._board, self._plan, self._warn, self._waiting = board, plan, warn, waiting
        self._to_leave: dict[int, bytes] = {}
        self._told: set[str] = set()

    def assemble(
        self,
        call: Call,
        signed: bytes,
        seconds: float,
    ) -> dict[str, str]:
        """See :class:`Exchange`."""
        slot = StudyBoard(self._board, self._plan.digest).call
        self._persist(lambda: slot.post(signed))
        cohort = self._plan.study.cohort
        missing: tuple[str, ...] = ()
        tell = self._timer(seconds)

        def look() -> dict[str, str] | None:
            nonlocal missing
            said = first_departure(self._board, self._plan)
            if said is not None:
                raise ended(said, "nothing was charged for it.")
            found = all_ready(self._board, self._plan, call.nonce)
            missing = tuple(site for site in cohort if site not in found)
            if missing:
                tell(missing)
            if missing:
                return None
            return found

        found = poll(look, seconds=seconds, longest=_WORDS, told=self._away)
        if found is not None:
            return found
        who = ", ".join(missing)
        raise RoundError(
            f"{who} did not say within {seconds:.0f} seconds that it is ready.",
            whose=who,
            next_step=(
                "Nothing was charged and nothing has begun. Ask whether its agent runs (`securefl"
                " site status`), then `securefl study run` again."
            ),
        )

    def broadcast(self, facts: RoundContext, given: Broadcast) -> None:
        """See :class:`Exchange`. The announcement goes last: who sees it finds the rest."""
        at = RoundBoard.of(self._board, facts)
        if self._persist(lambda: self._announced(at)):
            raise RoundError(
                f"Round {facts.round} of this study was announced before; its key is gone.",
                whose="the coordinator",
                next_step=(
                    "A study that was interrupted ends; make a new one with `securefl study new`."
                ),
            )
        for slot, data in (
            (at.key, given.key),
            (at.model(self._plan), given.model),
            (at.announcement, given.announcement),
        ):
            self._persist(partial(slot.post, data))

    def _announced(self, at: RoundBoard) -> bool:
        """True if this coordinator announced the round before.

        What somebody else put there is written over.
        """
        return at.announcement.read_as(partial(AnnouncedRound.open, self._plan)) is not None

    def collect(self, arrivals: FullRound, seconds: float) -> ClaimedSum:
        """See :class:`Exchange`."""
        tell = self._timer(seconds)

        def look() -> ClaimedSum | None:
            tell(arrivals.missing)
            found = arrivals.poll_sum(self._board)
            if found is None:
                self._check_nobody_left()
                arrivals.poll_frame(self._board)
            return found

        found = poll(look, seconds=seconds, longest=_LONGEST_PAUSE, told=self._away)
        if found is not None:
            while self._persist(lambda: arrivals.poll_frame(self._board)):
                pass
            return found
        while self._persist(
            lambda: arrivals.poll_frame(self._board), seconds=0
        ):  # who is named as missing is missing, however slow this machine is
            pass
        who = ", ".join(arrivals.missing) or "the aggregator"
        raise RoundError(
            f"Round {arrivals.facts.round} was not complete after {seconds:.0f} seconds: nothing"
            f" came from {arrivals.missing_words() or who}.",
            whose=who,
            next_step=(
                "Ask whether their process runs (`securefl site status`); the study ends here,"
                " every budget stays charged."
            ),
        )

    def gather(self, arrivals: SurvivorRound, seconds: float) -> None:
        """See :class:`Exchange`."""
        terms = arrivals.terms
        looked, tell = 0.0, self._timer(seconds)

        def look() -> bool | None:
            nonlocal looked
            tell(tuple(site for site in terms.cohort if site not in arrivals.state.heads))
            if arrivals.poll_frames(self._board):
                looked = 0.0
            if time.monotonic() - looked < _WORDS:
                return None
            # one that left after it contributed is in the sum all the same
            looked, kept = time.monotonic(), frozenset(arrivals.state.heads)
            if (
                said := ending_departure(
                    self._board,
                    self._plan,
                    terms.cohort,
                    kept,
                )
            ) is not None:
                raise ended(said, _CHARGED)
            gone = frozenset(departures(self._board, self._plan))
            if set(terms.cohort) <= kept | gone:
                return True
            return None

        poll(look, seconds=seconds, longest=_LONGEST_PAUSE, told=self._away)

    def conclude(
        self,
        arrivals: SurvivorRound,
        proposal: bytes,
        seconds: float,
    ) -> ClaimedSum:
        """See :class:`Exchange`."""
        slot = RoundBoard.of(self._board, arrivals.terms.facts).proposal(arrivals.terms)
        self._persist(lambda: slot.post(proposal))
        looked, tell = 0.0, self._timer(seconds)

        def look() -> ClaimedSum | None:
            nonlocal looked
            tell(arrivals.state.waiting_for)
            arrivals.poll_answers(self._board)
            if arrivals.state.unmasked and (found := arrivals.poll_sum(self._board)) is not None:
                return found
            if time.monotonic() - looked >= _WORDS:
                looked, kept = time.monotonic(), frozenset(arrivals.state.answers)
                if (
                    said := ending_departure(
                        self._board, self._plan, arrivals.state.survivors.names, kept
                    )
                ) is not None:
                    raise ended(said, _CHARGED)
            return None

        found = poll(look, seconds=seconds, longest=_LONGEST_PAUSE, told=self._away)
        if found is not None:
            return found
        raise timeout_error(arrivals, seconds, arrivals.complaints(self._board))

    def gone(self) -> frozenset[str]:
        """See :class:`Exchange`."""
        return self._persist(lambda: frozenset(departures(self._board, self._plan))) - {
            self._plan.study.aggregator.name
        }

    def leave(self, number: int, transcript: bytes) -> None:
        """See :class:`Exchange`. One that the store does not take is left with the next."""
        self._to_leave[number] = transcript
        self.catch_up()

    def catch_up(self, seconds: float = 0.0) -> None:
        """Leave the transcripts that the store did not take before.

        Warns of each that it does not take again.

        Args:
            seconds: how long each is tried.
        """
        for number, transcript in list(self._to_leave.items()):
            slot = RoundBoard.numbered(self._board, self._plan.digest, number).transcript
            try:
                persist(partial(slot.post, transcript), seconds)
            except StoreError as error:
                self._warn(
                    f"The transcript of round {number} is not in the store yet, and nobody can"
                    f" verify that round before it is: {error.what}"
                )
            else:
                del self._to_leave[number]

    def _persist(self, work: Callable[[], T], seconds: float | None = None) -> T:
        """Do ``work``, for at most one round deadline where nothing else is said.

        The hospitals wait for two.
        """
        return persist(
            work,
            float(self._plan.study.schedule.round_deadline) if seconds is None else seconds,
            self._away,
        )

    def _timer(self, seconds: float) -> Callable[[tuple[str, ...]], None]:
        """Make a function that tells whom the round waits for.

        Every :data:`_TELL` seconds of a wait of ``seconds``.
        """
        began = told = time.monotonic()

        def tell(names: tuple[str, ...]) -> None:
            nonlocal told
            now = time.monotonic()
            if self._waiting is not None and now - told >= _TELL:
                told = now
                self._waiting(
                    Waiting(names or (self._plan.study.aggregator.name,), now - began, seconds)
                )

        return tell

    def _away(self, error: StoreError) -> None:
        if error.what not in self._told:
            self._told.add(error.what)
            self._warn(f"{error.what} It is tried again until the round's deadline.")

    def _check_nobody_left(self) -> None:
        """Refuse to go on when a hospital or the aggregator ended its part.

        Only codes are said, never details.

        Raises:
            EndedError: one did.
        """
        said = first_departure(self._board, self._plan)
        if said is not None:
            raise ended(said, _CHARGED)
