"""One approved study at one hospital, step by step: enter it (:mod:`securefl.node.entering`), reply
to each round once (:mod:`securefl.node.round_reply`), say what is said after it
(:mod:`securefl.node.unmasking_sender`), until it ends (:mod:`securefl.node.study_watch`).

Nothing that others can see waits for the worker (rule 1): every look at the store and every word
follows from the schedule and from what came, so that neither silence nor a reply's time tells how
many rows there are. What is encrypted and sent has a public size, and it begins at a public time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import LeftOutError, StoreError
from securefl.federation.hospital_return import Return, returned
from securefl.federation.old_rounds import OldRounds
from securefl.federation.round_absence import absent
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import departures
from securefl.federation.study_board import StudyBoard
from securefl.federation.verified_totals import VerifiedTotals
from securefl.node.leaving import Leaving
from securefl.node.models import remember_total
from securefl.node.own_study import WorkerDoor
from securefl.node.resuming import Resuming
from securefl.node.round_reply import SETTLE_SECONDS, RoundReply
from securefl.node.round_windows import RoundWindows
from securefl.node.study_watch import StudyWatch
from securefl.node.unmasking_sender import UnmaskingSender
from securefl.node.waiting import keep_long_wait, keep_waiting

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.federation.checked_round import CheckedRound
    from securefl.federation.participant import Participant
    from securefl.federation.round_plan import RoundPlan
    from securefl.node.entering import Entered
    from securefl.node.own_study import LedgerWitness, OwnStudy
    from securefl.node.resuming import Resumed

#: Seconds between two steps of a running study: at least, and while nothing comes, as a part of the
#: time since the last reply left.
_OFTEN: Final = 0.01
_RARELY: Final = 0.2
_SHARE: Final = 0.02
#: The same while somebody is away for longer than a round takes: at most, and as a part of a round's
#: deadline. The owner's screen is told anew at least so many seconds apart.
_LONGEST_PAUSE: Final = 30.0
_DEADLINE_SHARE: Final = 0.05
_TELL_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Running:
    """A study whose approval was used up.

    Args:
        participant: this hospital's part in its rounds.
        reply: replies to them.
        totals: verifies what came of them.
        watch: looks whether the study goes on.
    """

    participant: Participant
    reply: RoundReply
    totals: VerifiedTotals
    watch: StudyWatch


class StudyRun:
    """A study between its approval and its end. :meth:`step` never waits for others; the agent
    calls it again.

    Args:
        own: the study.
        witness: the others' word on this hospital's ledger.
        door: how the worker is reached.
        settle_seconds: see :data:`securefl.node.round_reply.SETTLE_SECONDS`.

    Attributes:
        entering: what comes before the first round, or before it is taken up again.
        running: what comes after it was announced; None before.
        sent: how many objects left the house.
    """

    def __init__(
        self,
        own: OwnStudy,
        witness: LedgerWitness,
        *,
        door: WorkerDoor | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self.own = own
        self.door = door or WorkerDoor()
        self.settle_seconds = settle_seconds
        self.unmasking = UnmaskingSender(own.site, own.plan, own.say)
        self.leaving = Leaving(own.site, own.plan, own.say)
        #: Whether an earlier process of this agent began it.
        self._resumed = own.site.ledger.state.study(own.plan.digest).started
        self.entering = Resuming(
            own,
            witness,
            self.door,
            records=self.unmasking.record,
            first_round=self._first,
        )
        self.windows = RoundWindows(
            own.plan.study.schedule,
            self.entering.rounds.accepted_at,
            self._now,
        )
        self.running: Running | None = None
        self.sent = 0
        self._inbox = RoundInbox(own.plan)
        #: When the owner's screen is told anew who is away; None while nobody is.
        self._tell_due: float | None = None
        self._old = OldRounds(own.site.board, own.plan, "hospital", own.site.name)

    def _now(self) -> datetime:
        return self.own.now()

    @property
    def plan(self) -> RoundPlan:
        """The approved study."""
        return self.own.plan

    @property
    def waiting(self) -> str:
        """What a study that has not begun waits for; empty once it has."""
        if self.started:
            return ""
        return self.entering.waiting

    @property
    def late(self) -> int:
        """Number of replies that missed their first public time."""
        return self.leaving.late

    @property
    def answering(self) -> bool:
        """True if a round was announced and its reply has not left: from the announcement to the
        reply, so a public thing.
        """
        return self.running is not None and self.running.reply.pending is not None

    @property
    def started(self) -> bool:
        """True if the approval was used."""
        return self.running is not None

    @property
    def resting(self) -> bool:
        """Whether somebody is away for longer than a round takes, so that it waits without a worker."""
        return self.running is not None and self._tell_due is not None

    def step(self) -> str | None:
        """Do what can be done now; ``completed`` when the study is over, else None.

        Raises:
            StoreError: the store is away; call again.
            SecureFLError: the study cannot go on here; the agent settles it.
        """
        if self.running is not None:
            return self._go_on(self.running)
        if self._resumed:
            resumed = self.entering.resume()
            if resumed is not None:
                self._resume(resumed)
            keep_waiting(self.own.folder, self.waiting)
            return None
        entered = self.entering.step()
        keep_waiting(self.own.folder, "" if entered else self.entering.waiting)
        if entered is not None:
            self._start(entered)
        return None

    def pause(self) -> float:
        """Seconds until :meth:`step` is worth calling again. They follow from the schedule and from
        when replies left, which everybody sees, and from nothing that happens in this house.
        """
        if self.running is None:
            return self.entering.pause()
        now = self.own.clock()
        pending = self.running.reply.pending
        if pending is not None:
            return min(max(pending.times.due - now, _OFTEN), _RARELY)
        often = max(_OFTEN, self.own.site.board.pace)
        rarely = _RARELY
        if self.resting:
            deadline = float(self.plan.study.schedule.round_deadline)
            rarely = max(_RARELY, min(_LONGEST_PAUSE, _DEADLINE_SHARE * deadline))
        return min(max(_SHARE * (now - self.running.watch.silence.heard), often), rarely)

    def stop_listening(self) -> None:
        """Take what follows for no silence of the others': the owner has paused this hospital."""
        if self.running is not None:
            self.running.watch.silence.stop_listening()

    def interrupt(self) -> None:
        """Kill the worker, whatever it does."""
        if self.entering.worker is not None:
            self.entering.worker.kill()

    def stop(self) -> None:
        """End the worker."""
        if self.running is not None:
            self.running.reply.stop()
        self.entering.stop()

    def _start(self, entered: Entered) -> None:
        """Go on with the first round: from here on the budget is spent."""
        running = self._run(entered.participant, entered.seen)
        self.own.tell("begun")
        running.reply.begin(entered.accepted, entered.model, entered.seen)

    def _resume(self, resumed: Resumed) -> None:
        """Go on where an earlier process of this agent stood."""
        now = self.own.clock()
        running = self._run(resumed.participant, now)
        self.own.tell("resumed", round=resumed.participant.done)
        if resumed.unsent is not None:
            running.reply.resume(resumed.unsent, now)

    def _run(
        self,
        participant: Participant,
        heard: float,
    ) -> Running:
        own = self.own
        entering = self.entering
        reply = RoundReply(own, entering.at_work, self.door.ask, self.leaving, self.settle_seconds)
        watch = StudyWatch(own, self.unmasking, entering.instances, self.windows, heard)
        me = entering.instances.reader(own.site.identity)
        totals = VerifiedTotals(own.plan, me, own.clock, entering.rounds.totals.keep)
        self.running = Running(participant, reply, totals, watch)
        return self.running

    def _go_on(self, running: Running) -> str | None:
        try:
            return self._follow(running)
        except StoreError:
            running.watch.silence.stop_listening()  # decision 82
            raise
        except LeftOutError as error:
            if error.round == self.plan.last_round:
                raise
            self._come_back(running, error.round)
            return None

    def _come_back(self, running: Running, number: int) -> None:
        """Say that this hospital goes on after a round that the others opened without it.

        Its charge stays: the round's step was paid, and whatever left for it stays masked.
        """
        own = self.own
        word = Return(self.plan.digest, own.site.name, running.participant.instance, number)
        with own.site.deciding():
            if own.site.ledger.state.paused:
                return
            slot = StudyBoard(own.site.board, self.plan.digest).returns(own.site.name)
            slot.post(word.dump(own.site.identity.sign))
        running.participant.miss(number)
        self._hear(running)
        own.say(
            f"round {number} of {self.plan.last_round}: the others go on without this hospital; it"
            " said that it comes back"
        )

    def _follow(self, running: Running) -> str | None:
        participant = running.participant
        reply = running.reply
        watch = running.watch
        completed = watch.is_completed(participant, answering=self.answering)
        if completed is not None:
            if completed:
                self._check_last(running)
                self._old.completed()
                return "completed"
            return None
        watch.silence.listen()
        watch.check_open()
        watch.check_others(participant.cohort)
        if reply.pending is not None:
            # what is looked at meanwhile is the same, however far the answer is
            if reply.step(participant):
                self._note_sent(running)
                self.own.tell("answered", round=participant.done)
            return None
        if self.unmasking.step(participant.later):
            self._note_sent(running)
            return None
        missing = ""
        if self._verify(running) and running.totals.catch_up(self.own.site.board, participant):
            # first what came, then how long nothing did
            if self._take_next(running):
                return None
        else:
            missing = running.totals.missing
        watch.check_heard(missing)
        self._wait(running)
        return None

    def _wait(self, running: Running) -> None:
        """Wait for whoever is away: for longer than a round takes without a worker, and with a word
        for the owner's screen.
        """
        silence = running.watch.silence
        silence.keep()
        if not silence.is_long:
            return
        now = self.own.clock()
        if self._tell_due is None:
            self.entering.set_aside()
            self.own.say(
                "nothing came for two round deadlines; the study waits without its worker until"
                f" {silence.until:%Y-%m-%d %H:%M} UTC at the latest"
            )
        elif now < self._tell_due:
            return
        self._tell_due = now + _TELL_SECONDS
        keep_long_wait(self.own.folder, self._who(running), silence.since, silence.until)

    def _who(self, running: Running) -> str:
        """Names of those who are away, as far as the store shows."""
        last = running.participant.last
        later = running.participant.later
        if last is None:
            return self.plan.study.coordinator.name
        survivors = () if later is None or later.survivors is None else later.survivors.names
        names = absent(self.own.site.board, self.plan, last.facts, survivors)
        return f"{', '.join(names)}, in round {last.facts.round}"

    def _hear(self, running: Running) -> None:
        """Note that something came, or left: nobody is away."""
        running.watch.silence.hear()
        running.totals.look_soon()
        if self._tell_due is not None:
            self._tell_due = None
            keep_waiting(self.own.folder, "")

    def _check_last(self, running: Running) -> None:
        """Verify the last total of a study that was completed. Nothing is answered after it, so one
        that cannot be verified costs no more than that.
        """
        self.unmasking.recall(running.participant.later)
        if not self._verify(running):
            self.own.say(f"the last total could not be verified: {running.totals.missing}")

    def _verify(self, running: Running) -> bool:
        """Verify the total of the round that was answered last, if it can be."""
        following = running.participant.following
        before = following.verified if following else 0
        verified = running.totals.verify(self.own.site.board, running.participant)
        if following is not None and following.verified > before:
            plan = self.own.plan
            number = following.verified
            remember_total(self.own.site, plan, number, following.last_total)
            self._hear(running)
            self.own.tell("verified", round=number)
            self.own.say(f"round {number} of {plan.last_round}: its total was verified")
        return verified

    def _take_next(self, running: Running) -> bool:
        """Accept the next round; whether it is announced."""
        participant = running.participant
        number = running.participant.done + 1
        if number > self.own.plan.last_round or not self.windows.open():
            return False
        checked = self._inbox.fetch(self.own.site.board, number)
        if checked is None:
            return False
        seen = self.own.clock()
        strategy = round_strategy_of(self.own.plan)
        strategy.check_in_time(self.own.site.board, checked.announced)
        board = self.own.site.board
        plan = self.own.plan
        gone = frozenset(departures(board, plan))
        back = {site: said.instance for site, said in returned(board, plan).items()}
        accepted, model = participant.accept(checked, gone, back)
        self.entering.rounds.accept(checked)
        self._hear(running)
        running.reply.begin(accepted, model, seen)
        # at a time that follows from the announcement alone, while the worker is at work
        self._old.announced(number)
        return True

    def _first(self) -> CheckedRound | None:
        """What was announced as the first round, while nothing is charged yet."""
        if not self.windows.open():
            return None
        checked = self._inbox.fetch(self.own.site.board, 1)
        if checked is not None:
            round_strategy_of(self.own.plan).check_in_time(self.own.site.board, checked.announced)
        return checked

    def _note_sent(self, running: Running) -> None:
        self._hear(running)
        self.sent += 1
