"""Exchange over the store: signed objects, found by polling until a deadline."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from securefl.backoff import persist, poll
from securefl.errors import MessageError, RoundError, StoreError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.exchange import Waiting
from securefl.federation.group_lot import lot_on
from securefl.federation.hospital_return import returned
from securefl.federation.old_rounds import OldRounds
from securefl.federation.readiness import all_ready
from securefl.federation.round_board import RoundBoard
from securefl.federation.status_board import departures, ended, ending_departure, first_departure
from securefl.federation.study_board import StudyBoard
from securefl.federation.timeouts import timeout_error
from securefl.study.longest_wait import coordinator_waits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.federation.checked_round import Broadcast
    from securefl.federation.exchange import Arrivals, ClaimT
    from securefl.federation.messages import Call
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.survivor_round import SurvivorRound
    from securefl.federation.tempfiles import ClaimedSum
    from securefl.secagg.group_draw import Lot
    from securefl.secagg.round_context import RoundContext

T = TypeVar("T")

#: Seconds between two looks for the sum: what a round may lose by waiting.
_SHORTEST_PAUSE: Final = 0.001
_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.02
#: Seconds between two looks for whoever is away for longer than a round's deadline: at most, and as
#: a part of that deadline.
_AWAY_PAUSE: Final = 5.0
_AWAY_SHARE: Final = 0.05
#: Seconds between two looks whether somebody left.
_WORDS: Final = 0.2
#: Seconds between two words on whom a round waits for.
_TELL: Final = 0.5
#: What a study costs that ends after its first announcement.
_CHARGED: Final = "what was charged stays charged."


def _nothing(_text: str) -> None:
    pass


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _announced_before(facts: RoundContext) -> RoundError:
    return RoundError(
        f"Round {facts.round} of this study was announced before, in other words than this"
        " folder holds.",
        whose="the coordinator",
        next_step=(
            "Another copy of this folder ran the study, or this one was put back from a"
            " backup. The study ends here; make a new one with `securefl study new`."
        ),
    )


class StoreExchange:
    """The default: signed objects in the store, found by polling.

    A store that is away is asked again until the deadline of what is being done; what it says then
    is told once. In a study with a ``longest_wait`` whoever a round cannot do without is waited for
    so long, and the store too.

    Args:
        board: where the study's objects lie.
        plan: the study.
        warn: told what went wrong and ends nothing.
        waiting: told about twice a second whom a round waits for.
        now: the wall clock, for the study's closing.
    """

    def __init__(
        self,
        board: Board,
        plan: RoundPlan,
        warn: Callable[[str], None] = _nothing,
        waiting: Callable[[Waiting], None] | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._now = now
        self._board = board
        self._plan = plan
        self._warn = warn
        self._waiting = waiting
        self._to_leave: dict[int, bytes] = {}
        self._told: set[str] = set()
        #: Hospital → the last round that was announced to it and opened without it.
        self._lost: dict[str, int] = {}
        self._old = OldRounds(board, plan, "researcher", plan.study.coordinator.name)

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
        announced = self._persist(lambda: at.announcement.read_as(self._own))
        if announced is not None and announced != given.announcement:
            raise _announced_before(facts)
        for slot, data in ((at.key, given.key), (at.model(self._plan), given.model)):
            self._persist(partial(slot.post, data))
        if not self._persist(lambda: self._announce(at.announcement, given.announcement)):
            raise _announced_before(facts)
        self._old.announced(facts.round)

    def _announce(self, slot: Slot, announcement: bytes) -> bool:
        """Announce the round unless it is announced in other words; whether it is now.

        What somebody else put there is written over.
        """

        def another(there: bytes) -> bool:
            with suppress(MessageError):
                return self._own(there) != announcement
            return False

        return slot.post_once(io.BytesIO(announcement), another, slot.most)

    def _own(self, data: bytes) -> bytes:
        """An announcement as it is, where this coordinator signed it.

        Raises:
            MessageError: it did not.
        """
        AnnouncedRound.open(self._plan, data)
        return data

    def lot(self) -> Lot:
        """See :class:`Exchange`."""
        return self._persist(lambda: lot_on(self._board, self._plan))

    def collect(self, arrivals: Arrivals[ClaimT], seconds: float) -> ClaimT:
        """See :class:`Exchange`."""
        longest = self._longest(seconds)
        tell = self._timer(longest)
        heard = 0.0

        def look() -> ClaimT | None:
            nonlocal heard
            tell(arrivals.missing)
            # all that came, without a pause between two
            while arrivals.missing and arrivals.poll_frames(self._board):
                pass
            # no sum is looked for before: a store may show it before it shows, here, what the
            # aggregator added
            if not arrivals.missing:
                claimed = arrivals.poll_sum(self._board)
                if claimed is not None:
                    return claimed
            if time.monotonic() - heard >= _WORDS:
                heard = time.monotonic()
                self._check_nobody_left()
            return None

        found = self._wait(look, seconds, longest, _SHORTEST_PAUSE)
        if found is not None:
            return found
        while self._persist(
            lambda: arrivals.poll_frames(self._board), seconds=0
        ):  # who is named as missing is missing, however slow this machine is
            pass
        who = ", ".join(arrivals.missing) or "the aggregator"
        raise RoundError(
            f"Round {arrivals.facts.round} was not complete after {longest:.0f} seconds: nothing"
            f" came from {arrivals.missing_words() or who}.",
            whose=who,
            next_step=(
                "Ask whether their process runs (`securefl site status`); the study ends here,"
                " what was charged stays charged."
            ),
        )

    def gather(self, arrivals: SurvivorRound, seconds: float) -> None:
        """See :class:`Exchange`."""
        terms = arrivals.terms
        longest = self._longest(seconds)
        looked = 0.0
        tell = self._timer(longest)

        def look() -> bool | None:
            nonlocal looked
            tell(arrivals.missing)
            if arrivals.poll_frames(self._board):
                looked = 0.0
            if time.monotonic() - looked < _WORDS:
                return None
            # one that left after it contributed is in the sum all the same
            looked = time.monotonic()
            kept = frozenset(arrivals.state.heads)
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
            if gone.issuperset(arrivals.missing):
                return True
            return None

        def enough() -> bool | None:
            return look() or self._are_enough(arrivals) or None

        if self._wait(look, seconds, seconds) or longest <= seconds or self._are_enough(arrivals):
            return
        if self._wait_long(enough, longest - seconds):
            # whoever was away with them may be a little later than they
            self._wait(look, seconds, seconds)

    def _are_enough(self, arrivals: SurvivorRound) -> bool:
        """True if the round goes on with those who are there."""
        if arrivals.state.proposed:
            return not arrivals.missing
        return len(arrivals.state.heads) >= self._plan.study.secagg.min_contributors

    def conclude(
        self,
        arrivals: SurvivorRound,
        proposal: bytes,
        seconds: float,
    ) -> ClaimedSum:
        """See :class:`Exchange`."""
        slot = RoundBoard.of(self._board, arrivals.terms.facts).proposal(arrivals.terms)
        self._persist(lambda: slot.post(proposal))
        longest = self._longest(seconds)
        looked = 0.0
        tell = self._timer(longest)

        def look() -> ClaimedSum | None:
            nonlocal looked
            tell(arrivals.state.waiting_for)
            arrivals.poll_answers(self._board)
            if arrivals.state.unmasked and (found := arrivals.poll_sum(self._board)) is not None:
                return found
            if time.monotonic() - looked >= _WORDS:
                looked = time.monotonic()
                kept = frozenset(arrivals.state.answers)
                if (
                    said := ending_departure(
                        self._board, self._plan, arrivals.state.survivors.names, kept
                    )
                ) is not None:
                    raise ended(said, _CHARGED)
            return None

        found = self._wait(look, seconds, longest)
        if found is not None:
            return found
        raise timeout_error(arrivals, longest, arrivals.complaints(self._board))

    def gone(self) -> frozenset[str]:
        """See :class:`Exchange`."""
        return self._persist(lambda: frozenset(departures(self._board, self._plan))) - {
            self._plan.study.aggregator.name
        }

    def back(self, facts: RoundContext, contributors: Collection[str]) -> frozenset[str]:
        """See :class:`Exchange`. A word from before a hospital was lost again is none."""
        for site in set(facts.cohort) - set(contributors):
            self._lost[site] = facts.round
        for site in contributors:
            self._lost.pop(site, None)
        if not self._lost:
            return frozenset()
        said = self._persist(lambda: returned(self._board, self._plan))
        return frozenset(
            site
            for site, number in self._lost.items()
            if site in said and said[site].round >= number
        )

    def leave(self, number: int, transcript: bytes) -> None:
        """See :class:`Exchange`. One that the store does not take is left with the next."""
        self._to_leave[number] = transcript
        self.catch_up()

    def show(self, number: int, opening: bytes) -> None:
        """See :class:`Exchange`."""
        slot = RoundBoard.numbered(self._board, self._plan.digest, number).opening()
        self._persist(partial(slot.post, opening))

    def completed(self) -> None:
        """Remove what is left of old rounds, after the signed end of a completed study."""
        self._old.completed()

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
        """Do ``work``, for at most as long as the study waits where nothing else is said."""
        if seconds is None:
            seconds = self._longest(float(self._plan.study.schedule.round_deadline))
        return persist(work, seconds, self._away)

    def _longest(self, seconds: float) -> float:
        """Seconds for which one is waited for whom the study cannot do without.

        Args:
            seconds: the same in a study that does not say.
        """
        schedule = self._plan.study.schedule
        if schedule.longest_wait is None:
            return seconds
        return max(seconds, coordinator_waits(schedule, self._now()))

    def _wait(
        self,
        look: Callable[[], T | None],
        seconds: float,
        longest: float,
        shortest: float = _PAUSE,
    ) -> T | None:
        """Look until something is found, as often as the board's kind bears.

        Args:
            look: finds it.
            seconds: how long often.
            longest: how long in all.
            shortest: seconds between two looks, at least.

        Raises:
            StoreError: the time is over and the store is away.
        """
        pace = self._board.pace
        try:
            found = poll(
                look,
                seconds=seconds,
                shortest=max(shortest, pace),
                longest=max(_LONGEST_PAUSE, pace),
                told=self._away,
            )
        except StoreError:
            if longest <= seconds:
                raise
            found = None
        if found is not None or longest <= seconds:
            return found
        return self._wait_long(look, longest - seconds)

    def _wait_long(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """Look for somebody who is away for longer than a round's deadline: less and less often."""
        pace = self._board.pace
        deadline = float(self._plan.study.schedule.round_deadline)
        return poll(
            look,
            seconds=seconds,
            shortest=max(_PAUSE, pace),
            longest=max(_LONGEST_PAUSE, pace, min(_AWAY_PAUSE, _AWAY_SHARE * deadline)),
            told=self._away,
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
