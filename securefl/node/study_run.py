"""One approved study at one hospital, step by step: enter it (:mod:`securefl.node.entering`),
answer each round once, settle.

The order in which a contribution leaves (rules 4, 6 and 7): the worker is asked, and the agent goes
on; at the reply's public time its answer is looked at, encrypted and on disk, then the ledger says
that it leaves, then the ledger is asked once more, and only then the store has it. An owner who
withdraws or pauses in between keeps it in the house.

Nothing that others can see waits for the worker (rule 1): every look at the store and every word
follows from the schedule and from what came, so that neither silence nor a reply's time tells how
many rows there are. What is encrypted and sent has a public size, and it begins at a public time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import RoundError, StudyError
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import end_of, ended, ending_departure, over
from securefl.node.entering import Entering
from securefl.node.instances import check_alone
from securefl.node.launcher import Worker
from securefl.node.leaving import Leaving
from securefl.node.models import remember_round
from securefl.node.patients import TableComparison
from securefl.node.public_times import PublicTimes
from securefl.node.quality import keep_verdict
from securefl.node.unmasking_sender import UnmaskingSender
from securefl.node.waiting import keep_waiting
from securefl.node.worker_question import Asked
from securefl.report.quality import quality_words
from securefl.study.dates import time_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.checked_round import CheckedRound
    from securefl.federation.messages import End
    from securefl.federation.participant import Accepted, Participant
    from securefl.federation.round_plan import RoundPlan
    from securefl.node.durable_contribution import DurableContribution
    from securefl.node.site import Site

#: Seconds between looks whether another party has left a running study.
_LOOK_SECONDS = 1.0
#: Seconds between two steps of a running study: at least, and while nothing comes, as a part of the
#: time since the last reply left.
_OFTEN, _RARELY, _SHARE = 0.01, 0.2, 0.02
_CHARGED = "its budget stays charged."
#: The first reply leaves this much later than the others, and at most a fourth of the round's
#: deadline: the table is prepared too.
SETTLE_SECONDS, _SETTLE_SHARE = 3.0, 0.25


@dataclass
class InHand:
    """A round that was announced and has not been answered yet.

    ``released``: what the worker was asked for.
    """

    accepted: Accepted
    released: Asked[Released]
    times: PublicTimes


@dataclass(frozen=True)
class Released:
    """The worker's answer: noised int64[length], how many values met the bound, and the first time
    what it read of the table.
    """

    values: NDArray[np.int64]
    clamped: int
    counts: dict[str, Any] | None = None


@dataclass
class StudyRun:
    """A study between its approval and its end. :meth:`step` never waits for others; the agent
    calls it again.

    Args:
        site: the hospital.
        plan: the approved study.
        say: writes a line to the owner's own log.
        now: the wall clock, for the schedule.
        clock: the monotonic clock, in seconds.
        start_worker: starts the process that trains; the launcher's in every real run.
        ask: asks the worker without waiting for it; a thread in every real run.
        settle_seconds: see :data:`SETTLE_SECONDS`.
        agreed: whether the other hospitals have said that this one's ledger forgot nothing; the
            agent's question in every real run.
        unheard: whose word on that is missing, for the owner's screen; the agent's question too.
    """

    site: Site
    plan: RoundPlan
    say: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic
    start_worker: Callable[..., Worker] = Worker
    ask: Callable[[Callable[[], Any]], Asked[Any]] = Asked
    agreed: Callable[[], bool] = lambda: True
    unheard: Callable[[], str] = str
    participant: Participant | None = None
    worker: Worker | None = None
    in_hand: InHand | None = None
    sent: int = 0
    settle_seconds: float = SETTLE_SECONDS
    _heard: float | None = None
    _looked: float = 0.0

    def __post_init__(self) -> None:
        self.inbox = RoundInbox(self.plan)
        self.saying = UnmaskingSender(self.site, self.plan, self.say)
        self.leaving = Leaving(self.site, self.plan, self.say)
        self.entering = Entering(
            self.site,
            self.plan,
            self.say,
            self.now,
            self.clock,
            self.agreed,
            self.start_worker,
            self.ask,
            keeper=self.leaving.keep,
            records=self.saying.record,
            first_round=self._first,
            unheard=self.unheard,
        )

    @property
    def waiting(self) -> str:
        """What a study that has not begun waits for; empty once it has."""
        return "" if self.started else self.entering.waiting

    @property
    def made(self) -> DurableContribution | None:
        """The contribution that is on disk and has not left."""
        return self.leaving.made

    @property
    def late(self) -> int:
        """How many replies missed their first public time."""
        return self.leaving.late

    @property
    def answering(self) -> bool:
        """Whether a round was announced and its reply has not left: from the announcement to the
        reply, so a public thing.
        """
        return self.in_hand is not None

    @property
    def started(self) -> bool:
        """Whether the approval was used."""
        return self.participant is not None

    def step(self) -> str | None:
        """Do what can be done now; ``completed`` when the study is over, else None.

        Raises:
            StoreError: the store is away; call again.
            SecureFLError: the study cannot go on here; the agent settles it.
        """
        if self.participant is not None:
            return self._rounds(self.participant)
        entered = self.entering.step()
        keep_waiting(
            self.site.study_folder(self.plan.digest), "" if entered else self.entering.waiting
        )
        if entered is not None:
            self.participant, self.worker = entered.participant, self.entering.worker
            self._in_hand(entered.accepted, entered.model, entered.seen)
        return None

    def pause(self) -> float:
        """Seconds until :meth:`step` is worth calling again. They follow from the schedule and from
        when replies left, which everybody sees, and from nothing that happens in this house.
        """
        now = self.clock()
        if not self.started or self._heard is None:
            return self.entering.pause()
        if self.in_hand is not None:
            return min(max(self.in_hand.times.due - now, _OFTEN), _RARELY)
        return min(max(_SHARE * (now - self._heard), _OFTEN), _RARELY)

    def interrupt(self) -> None:
        """Whatever the worker does, it ends now."""
        if self.entering.worker is not None:
            self.entering.worker.kill()

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None and self.in_hand is not None and not self.in_hand.released.done:
            self.worker.kill()
            self.in_hand.released.join()
        self.entering.stop()

    # --- rounds
    # ------------------------------------------------------------------------------------------------------

    def _rounds(self, participant: Participant) -> str | None:
        end = end_of(self.site.board, self.plan)
        if end is not None:
            return "completed" if self._completed(participant, end) else None
        if self.now() > self.plan.study.schedule.closes:
            raise StudyError(
                f"The study was to run until {self.plan.study.schedule.closes:%Y-%m-%d %H:%M} UTC;"
                f" it is over: {time_here(self.now())}.",
                next_step=(
                    "If this machine's clock is wrong, set it; if not, ask for a study with other"
                    " dates."
                ),
            )
        self._all_still_there()
        if (
            self.in_hand is not None
        ):  # what is looked at meanwhile is the same, however far the answer is
            self._answer(participant, self.in_hand)
            return None
        if self.saying.step(participant.later):
            self._heard = self.clock()
            self.sent += 1
            return None
        if self._waited():
            raise RoundError(
                "Nothing came from the coordinator for two round deadlines.",
                whose="the coordinator",
                next_step="Ask the researcher; the study ends here.",
            )
        number = participant.done + 1
        if number > self.plan.last_round:
            return None
        checked = self.inbox.fetch(self.site.board, number)
        if checked is not None:
            seen = self.clock()
            round_strategy_of(self.plan).check_in_time(self.site.board, checked.announced)
            accepted, model = participant.accept(checked)
            self._in_hand(accepted, model, seen)
        return None

    def _in_hand(self, accepted: Accepted, model: bytes, seen: float) -> None:
        self._heard = seen
        remember_round(self.site, self.plan, accepted.facts, model)
        self.in_hand = self._ask(accepted, model, seen)
        seconds = self.in_hand.times.first - seen
        self.say(
            f"round {accepted.facts.round} of {self.plan.last_round}: announced; the reply leaves"
            f" {seconds:g} s later"
        )

    def _first(self) -> CheckedRound | None:
        """What was announced as the first round, while nothing is charged yet."""
        checked = self.inbox.fetch(self.site.board, 1)
        if checked is not None:
            round_strategy_of(self.plan).check_in_time(self.site.board, checked.announced)
        return checked

    def _ask(self, accepted: Accepted, model: bytes, seen: float) -> InHand:
        """Ask the worker for what is due, and for the first round to prepare the table before;
        nobody waits for it here.
        """
        worker, facts, schedule = self.worker, accepted.facts, self.plan.study.schedule
        if worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        text, name, secret = (
            self.plan.sealed.text,
            self.site.name,
            self.site.split_secret(self.plan.study.data.population),
        )
        number, length, largest, deadline = (
            facts.round,
            facts.length,
            facts.layout.max_value,
            float(schedule.round_deadline),
        )
        first = not self.leaving.counts
        compare = TableComparison.of(self.site, self.plan.study.data.dataset)

        def release() -> Released:
            counts = None
            if first:
                counts = worker.prepare(text, name, secret, compare.key)
                compare(counts)
            values = worker.release(number, model, length, largest, deadline)
            return Released(values, worker.clamped, counts)

        settle = min(self.settle_seconds, _SETTLE_SHARE * deadline) if first else 0.0
        return InHand(
            accepted, self.ask(release), PublicTimes(seen, float(schedule.reply_after), settle)
        )

    def _answer(self, participant: Participant, in_hand: InHand) -> None:
        """At a public time and at no other: take what the worker answered, or let the next one be
        the time.
        """
        if self.made is not None:
            if self.leaving.leave(in_hand.times):
                self.in_hand, self._heard = None, self.clock()
                self.sent += 1
            return
        if self.clock() < in_hand.times.due:
            return
        if not in_hand.released.done:
            in_hand.times.miss(self.clock())
            return
        released = in_hand.released.answer()
        self.leaving.read(released.counts, released.clamped)
        participant.contribute(in_hand.accepted, released.values).close()

    def _completed(self, participant: Participant, end: End) -> bool:
        """Whether the study ended with all that this hospital gave; False while that cannot be
        seen. After the end nothing more is said.

        Raises:
            RoundError: it ended otherwise.
        """
        if (
            end.outcome == "completed"
            and participant.done == self.plan.last_round
            and self.in_hand is None
        ):
            if participant.later is None or self.saying.was_counted(participant.later):
                self._judged(end)
                return True
            if self._waited():
                raise RoundError(
                    "The study was completed, and the store does not show whether this hospital's"
                    " last contribution is in it: the list of who was left is gone.",
                    whose="the coordinator or the store's operator",
                    next_step=(
                        "Ask the researcher who was in the last round; the study has ended here,"
                        " its budget stays charged."
                    ),
                )
            return False
        left_behind = round_strategy_of(self.plan).left_behind()
        if end.outcome == "completed" and left_behind is not None:
            raise left_behind
        raise over(self.site.board, self.plan, end, "The coordinator ended the study", _CHARGED)

    def _judged(self, end: End) -> None:
        """Tell the owner how the coordinator judged the quality rule; it is kept for `site status`."""
        if end.quality:
            keep_verdict(self.site.study_folder(self.plan.digest), end.quality)
            self.say(
                "the AUC that the study asks for:"
                f" {quality_words(end.quality, self.plan.study.quality.minimum)} (signed by the"
                " coordinator)"
            )

    def _all_still_there(self) -> None:
        """What another party left cannot be completed: it is not waited for, even when the
        coordinator is silent.

        Raises:
            TwoCopiesError: this hospital's own places hold words that this folder did not say.
            EndedError: another party ended its part.
        """
        if self.clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self.clock()
        check_alone(self.site, self.plan, self.entering.instances)
        cohort = self.participant.cohort if self.participant else self.plan.study.cohort
        said = ending_departure(self.site.board, self.plan, cohort)
        if said is not None and said.site != self.site.name:
            raise ended(said, _CHARGED)

    def _waited(self) -> bool:
        """Whether the coordinator has been silent for two round deadlines."""
        return (
            self._heard is not None
            and self.clock() - self._heard > 2 * self.plan.study.schedule.round_deadline
        )
