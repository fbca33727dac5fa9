"""Aggregator at work: finds studies that it was invited to, and adds each round as it completes.

Invited by a trusted coordinator. It holds nothing that it cannot read again: killed anywhere, the
next process adds the round that is going on from the store, to the same bytes. It runs for months
beside hundreds of old studies: one that is over, that is another aggregator's, or whose time has
passed is remembered by name and read no more; what cannot be served yet and what does not move is
looked at less and less often.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from securefl.backoff import Backoff
from securefl.errors import MessageError, SecureFLError, StoreError, UntrustedError
from securefl.federation.aggregator import Aggregator
from securefl.federation.aggregator_watch import NoWatch
from securefl.federation.messages import Invitation, Status
from securefl.federation.old_rounds import OldRounds
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import end_of, status_of
from securefl.federation.study_board import StudyBoard, studies_on
from securefl.study.sealed import SealedStudy
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.board import Board
    from securefl.federation.aggregator_watch import AggregatorWatch
    from securefl.federation.checked_round import AnnouncedRound
    from securefl.federation.messages import End
    from securefl.federation.round_strategy import Aggregation
    from securefl.identity import Identity
    from securefl.partners import AddressBook


def _utc_now() -> datetime:
    return datetime.now(UTC)


#: Seconds between two looks for new studies: at least, and when none came for long.
_LOOK, _LONGEST_LOOK = 0.5, 2.0
#: Seconds between two looks at a study that is served and does not move, at most (and a twentieth
#: of its round deadline).
_LONGEST_WAIT = 5.0
#: Seconds between two looks for what a served round waits for, at least.
_STEP = 0.01
#: Seconds between two looks at a study that cannot be served, at most, and as a part of the time
#: since it was first seen.
_LONGEST_LATER, _SHARE_LATER = 60.0, 0.2


@dataclass
class _Serving:
    aggregator: Aggregator
    board: Board
    pace: Backoff = field(default_factory=Backoff)
    next_round: int = 1
    announced: AnnouncedRound | None = None
    arrivals: Aggregation | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        plan = self.aggregator.plan
        self.inbox = RoundInbox(plan)
        self.old = OldRounds(self.board, plan, "aggregator", plan.study.aggregator.name)

    def skip_finished(self, board: Board) -> None:
        """Begin with the round that is going on, in a study that was served before.

        A round is over once the coordinator announced the one behind it.
        """
        while True:
            found = self.inbox.announced(board, self.next_round + 1)
            if found is None or found.said.round != self.next_round + 1:
                return
            self.next_round += 1

    def go_on(self) -> None:
        """To the next round; what this one held is let go."""
        if self.arrivals is not None:
            self.arrivals.close()
        self.next_round += 1
        self.announced = None
        self.arrivals = None

    @property
    def came(self) -> tuple[object, ...]:
        """Progress of the round: while it changes, something is going on."""
        progress = () if self.arrivals is None else self.arrivals.progress
        return (self.next_round, self.announced is not None, progress)


@dataclass
class AggregatorService:
    """Serves every study in the store that names this aggregator and whose coordinator it trusts.

    Args:
        board: where the studies are.
        identity: the aggregator's keys.
        book: the coordinators it serves.
        say: writes a line for the operator.
        now: the wall clock, for the schedule.
        clock: the monotonic clock, in seconds.
        watch: is told what happens.
    """

    board: Board
    identity: Identity
    book: AddressBook
    say: Callable[[str], None]
    now: Callable[[], datetime] = _utc_now
    clock: Callable[[], float] = time.monotonic
    watch: AggregatorWatch = field(default_factory=NoWatch)
    _serving: dict[str, _Serving] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _refused: dict[str, str] = field(default_factory=dict)
    _later: dict[str, Backoff] = field(default_factory=dict)
    _trusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._looking = Backoff(_LOOK, _LONGEST_LOOK, clock=self.clock)

    @property
    def busy(self) -> bool:
        """True while a study is being served."""
        return bool(self._serving)

    @property
    def remaining(self) -> float:
        """Seconds until :meth:`turn` has something to do."""
        return min([self._looking.remaining, *(s.pace.remaining for s in self._serving.values())])

    def turn(self) -> bool:
        """:meth:`look` and :meth:`step`, each as often as is worth it; whether anything was added."""
        if self._looking.ready:
            self.look(only_due=True)
        return self.step(only_due=True)

    def look(self, *, only_due: bool = False) -> None:
        """Take up new studies.

        One that is not for this aggregator, or not by a trusted coordinator, is left alone.
        """
        trusted = frozenset(card.signing_public for card in self.book.cards().values())
        if trusted != self._trusted:
            self._trusted = trusted
            self._later = {}
        served = len(self._serving)
        for digest in studies_on(self.board):
            if digest in self._serving or digest in self._done:
                continue
            later = self._later.setdefault(
                digest, Backoff(_LOOK, _LONGEST_LATER, _SHARE_LATER, self.clock)
            )
            if only_due and not later.ready:
                continue
            if self._is_settled(digest):
                del self._later[digest]
            else:
                later.failed()
        if len(self._serving) > served:
            self._looking.reset()
        self._looking.failed()

    def _is_settled(self, digest: str) -> bool:
        """Serve the study, or know for good that it is not to be served.

        False when that may change.
        """
        try:
            plan = self._take_up(digest)
        except StoreError:
            raise
        except SecureFLError as error:
            if self._refused.get(digest) != error.what:
                self._refused[digest] = error.what
                self.say(f"study {short_digest(digest)} is not served: {error}")
            return False
        if plan is None:
            return digest in self._done
        if self._is_past(plan) or end_of(self.board, plan) is not None or self._gave_up(digest):
            self._done.add(digest)  # over before this process began
        else:
            pace = Backoff(
                shortest=max(_STEP, self.board.pace),
                longest=min(_LONGEST_WAIT, plan.study.schedule.round_deadline / 20),
                clock=self.clock,
            )
            serving = _Serving(Aggregator(plan, self.identity), self.board, pace)
            serving.skip_finished(self.board)
            self._serving[digest] = serving
            self.say(
                f"serving study {plan.study.study.id} ({short_digest(digest)}),"
                f" {len(plan.study.participants)} hospitals"
            )
            self.watch.serving(plan)
        return True

    def _gave_up(self, digest: str) -> bool:
        """True if an earlier process of this aggregator said that it cannot add a round."""
        mine = self.identity.card
        return status_of(self.board, digest, mine.name, mine.signing_public) is not None

    def _is_past(self, plan: RoundPlan) -> bool:
        """True once the time of a study is over.

        What was sent in it is still added for one round's length.
        """
        schedule = plan.study.schedule
        return self.now() > schedule.closes + timedelta(seconds=schedule.round_deadline)

    def step(self, *, only_due: bool = False) -> bool:
        """Add what is complete; whether anything was.

        Raises:
            StoreError: the store was away for one of the studies, after all others were served;
                call again.
        """
        added = False
        away: StoreError | None = None
        for digest, serving in tuple(self._serving.items()):
            if only_due and not serving.pace.ready:
                continue
            try:
                added |= self._paced(digest, serving)
            except StoreError as error:  # one study's objects hold up nothing of the others
                away = error
        if away is not None:
            raise away
        return added

    def _paced(self, digest: str, serving: _Serving) -> bool:
        before = serving.came
        added = self._step(digest, serving)
        if serving.came != before:
            serving.pace.reset()
        serving.pace.failed()
        return added

    def _take_up(self, digest: str) -> RoundPlan | None:
        on_board = StudyBoard(self.board, digest)
        invitation = on_board.invitation.read()
        text = on_board.text.read()
        if invitation is None or text is None:
            return None
        # the coordinator's signature first: the invitation binds the digest, the digest binds the
        # text
        for card in self.book.cards().values():
            try:
                Invitation.open(invitation, study=digest, verify=card.verify)
                break
            except MessageError:
                continue
        else:
            raise UntrustedError(
                "Its invitation is by nobody in this aggregator's list.",
                whose="the aggregator's operator",
                next_step="`securefl aggregator trust CARD`, if its coordinator should be served.",
            )
        sealed = SealedStudy.read(text)
        study = sealed.study
        mine = self.identity.card
        if sealed.digest != digest or study.coordinator.signing_public != card.signing_public:
            raise MessageError(
                "The study in the store is not the one of the invitation.",
                whose=card.name,
                next_step="Ask for a new request.",
            )
        if (study.aggregator.name, study.aggregator.signing_public) != (
            mine.name,
            mine.signing_public,
        ):
            self._done.add(digest)  # its digest says whose it is, for good
            return None
        return RoundPlan(sealed)

    def _step(self, digest: str, serving: _Serving) -> bool:
        plan = serving.aggregator.plan
        end = end_of(self.board, plan)
        if end is not None and end.outcome == "completed":
            serving.old.completed()
        if serving.next_round > plan.last_round or end is not None or self._is_past(plan):
            self.say(f"study {short_digest(digest)} is over")
            self._leave(digest, _ending(end, serving))
            return False
        at = RoundBoard.numbered(self.board, digest, serving.next_round)
        try:
            arrivals = self._arrivals(serving)
            if arrivals is None:
                return False
            if not arrivals.poll(self.board):
                since = serving.since or self.now()
                self.watch.waiting(plan, serving.next_round, arrivals.waits_for, since)
                return False
            with serving.aggregator.add(arrivals) as total:
                at.sum().post_file(total)
            self.watch.summed(plan, serving.next_round, arrivals)
        except StoreError:
            raise  # it comes back; the round is added then
        except SecureFLError as error:
            self._give_up(digest, serving, error)
            return False
        except Exception:  # noqa: BLE001 - a fault of ours ends this study, not the service
            self.say(traceback.format_exc())
            self._give_up(
                digest,
                serving,
                SecureFLError(
                    "A fault in securefl.",
                    whose="securefl's authors",
                    next_step="Report the lines above.",
                ),
            )
            return False
        serving.go_on()
        return True

    def _arrivals(self, serving: _Serving) -> Aggregation | None:
        """Return the round that is served, as far as it came.

        None while its coordinator announced nothing.

        Raises:
            MessageError: what was announced contradicts the study.
        """
        if serving.announced is None:
            serving.announced = serving.inbox.announced(self.board, serving.next_round)
            if serving.announced is not None:
                serving.old.announced(serving.next_round)
        if serving.arrivals is None and serving.announced is not None:
            context = serving.announced.checked_context()
            serving.arrivals = round_strategy_of(serving.aggregator.plan).aggregation(context)
            serving.since = self.now()
        return serving.arrivals

    def _give_up(
        self,
        digest: str,
        serving: _Serving,
        error: SecureFLError,
    ) -> None:
        self.say(f"round {serving.next_round} of {short_digest(digest)} was not added: {error}")
        name = self.identity.card.name
        word = Status(digest, name, serving.next_round, error.code)
        StudyBoard(self.board, digest).status(name).post(word.dump(self.identity.sign))
        self._leave(digest, error.code)

    def _leave(self, digest: str, code: str) -> None:
        serving = self._serving.pop(digest)
        serving.go_on()
        self._done.add(digest)
        self.watch.ended(serving.aggregator.plan, code)


def _ending(end: End | None, serving: _Serving) -> str:
    """Code of a study's end, for whoever looks on."""
    if end is not None:
        return end.outcome
    if serving.next_round > serving.aggregator.plan.last_round:
        return "all-added"
    return "closed"
