"""One approved study at one hospital, step by step: wait for all approvals, start, answer each round once, settle.

The order in which a contribution leaves (rules 4, 6 and 7): the worker is asked, and the agent goes on; at the reply's
public time its answer is looked at, encrypted and on disk, then the ledger says that it leaves, then the ledger is asked
once more, and only then the store has it. An owner who withdraws or pauses in between keeps it in the house.

Nothing that others can see waits for the worker (rule 1): every look at the store and every word follows from the schedule and
from what came, so that neither silence nor a reply's time tells how many rows there are. What is encrypted and sent has a
public size, and it begins at a public time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError, NotApprovedError, RoundError, StudyError
from securefl.federation import paths
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.participant import Participant, RoundInput
from securefl.federation.sealing import sealed_limit
from securefl.federation.words import end_of, final_word, last_word
from securefl.node.approving import all_approvals
from securefl.node.asked import Asked
from securefl.node.launcher import Worker
from securefl.node.leaving import Leaving
from securefl.node.models import remember_round
from securefl.node.policy import review
from securefl.node.public_times import PublicTimes
from securefl.node.quality import keep_verdict
from securefl.node.saying import Saying
from securefl.report.quality import quality_words
from securefl.secagg.frame import public_key_bytes
from securefl.study.dates import time_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.messages import End
    from securefl.federation.participant import Accepted
    from securefl.federation.rounds import Plan
    from securefl.node.made import Made
    from securefl.node.site import Site
    from securefl.study.approval import Approval

#: How often a worker that died while the others decide is started again.
_LAUNCHES = 3
#: Seconds between looks whether another party has left a running study.
_LOOK_SECONDS = 1.0
#: Seconds between two steps of a running study: at least, and while nothing comes, as a part of the time since the last reply left.
_OFTEN, _RARELY, _SHARE = 0.01, 0.2, 0.02
#: Seconds between two steps of a study that waits for others to begin, at least and at most.
_WAITING, _LONGEST_WAITING = 0.2, 2.0
#: The first reply leaves this much later than the others, and at most a fourth of the round's deadline: the table is prepared too.
SETTLE_SECONDS, _SETTLE_SHARE = 3.0, 0.25


@dataclass
class InHand:
    """A round that was announced and has not been answered yet. ``released``: what the worker was asked for."""

    accepted: Accepted
    released: Asked[Released]
    times: PublicTimes


@dataclass(frozen=True)
class Released:
    """The worker's answer: noised int64[length], how many values met the bound, and the first time what it read of the table."""

    values: NDArray[np.int64]
    clamped: int
    counts: dict[str, Any] | None = None


@dataclass
class StudyRun:
    """A study between its approval and its end. :meth:`step` never waits for others; the agent calls it again.

    Args:
        site: the hospital.
        plan: the approved study.
        text: its text as it was approved.
        say: writes a line to the owner's own log.
        now: the wall clock, for the schedule.
        clock: the monotonic clock, in seconds.
        start_worker: starts the process that trains; the launcher's in every real run.
        ask: asks the worker without waiting for it; a thread in every real run.
        settle_seconds: see :data:`SETTLE_SECONDS`.
        agreed: whether the other hospitals have said that this one's ledger forgot nothing; the agent's question in every real run.
    """

    site: Site
    plan: Plan
    text: bytes
    say: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic
    start_worker: Callable[..., Worker] = Worker
    ask: Callable[[Callable[[], Any]], Asked[Any]] = Asked
    agreed: Callable[[], bool] = lambda: True
    worker: Worker | None = None
    participant: Participant | None = None
    in_hand: InHand | None = None
    sent: int = 0
    settle_seconds: float = SETTLE_SECONDS
    _standing: Asked[None] | None = None
    _heard: float | None = None
    _looked: float = 0.0
    _launches: int = 0
    _refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.saying = Saying(self.site, self.plan, self.say)
        self.leaving = Leaving(self.site, self.plan, self.say)
        self._since = self.clock()

    @property
    def made(self) -> Made | None:
        """The contribution that is on disk and has not left."""
        return self.leaving.made

    @property
    def late(self) -> int:
        """How many replies missed their first public time."""
        return self.leaving.late

    @property
    def answering(self) -> bool:
        """Whether a round was announced and its reply has not left: from the announcement to the reply, so a public thing."""
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
        if self.participant is None:
            self._still_possible()
            self._launch()
            approvals = all_approvals(self.site, self.plan, self._not_there)
            if approvals is None or not self.agreed() or not self._stands():
                return None
            self._start(approvals)
        return self._rounds()

    def pause(self) -> float:
        """Seconds until :meth:`step` is worth calling again. They follow from the schedule and from when replies left, which
        everybody sees, and from nothing that happens in this house.
        """
        now = self.clock()
        if self.participant is None or self._heard is None:
            return min(max(_SHARE * (now - self._since), _WAITING), _LONGEST_WAITING)
        if self.in_hand is not None:
            return min(max(self.in_hand.times.due - now, _OFTEN), _RARELY)
        return min(max(_SHARE * (now - self._heard), _OFTEN), _RARELY)

    def interrupt(self) -> None:
        """Whatever the worker does, it ends now."""
        if self.worker is not None:
            self.worker.kill()

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None:
            for asked in (self._standing, self.in_hand.released if self.in_hand else None):
                if asked is not None and not asked.done:
                    self.worker.kill()
                    asked.join()
            self.worker.stop()

    # --- before the first round --------------------------------------------------------------------------------------

    def _still_possible(self) -> None:
        """A study that another party left, or whose time is over, is not waited for: its reservation is freed."""
        if self.now() > self.plan.study.schedule.closes:
            raise StudyError(
                f"The study was to run until {self.plan.study.schedule.closes:%Y-%m-%d %H:%M} UTC; it never started, and {time_here(self.now())}.",
                next_step="If this machine's clock is wrong, set it; if not, ask for a study with other dates.",
            )
        if end_of(self.site.store, self.plan) is not None:
            raise RoundError("The coordinator ended the study before it began here.", whose="the coordinator", next_step="Ask the researcher for the reason.")
        said = last_word(self.site.store, self.plan)
        if said is not None and said.site != self.site.name:
            raise RoundError(f"{said.site} does not take part ('{said.code}').", whose=said.site, next_step="The study cannot run; it costs nothing here.")

    def _launch(self) -> None:
        """Start the worker's process early: it imports its libraries while the others decide. It reads no data yet."""
        if self.worker is not None and self.worker.alive:
            return
        if self.worker is not None:
            self.worker.stop()
            self.say("the worker process ended while it waited; see worker.log")
        if self._launches == _LAUNCHES:
            raise RoundError("The worker process does not stay alive.", whose="this hospital's operator", next_step="See worker.log; `securefl doctor` checks the machine.")
        self._launches += 1
        self.worker = self.start_worker(self._table, max_bytes=8 * self.plan.longest, log=self.site.path / "worker.log")
        self._standing = self.ask(self.worker.wait_ready)

    def _stands(self) -> bool:
        """Whether the worker stands behind its walls, and holds the table as it is now; it has read nothing yet.

        The study runs on the table as it is when it starts, not as it was when it was approved: whoever was taken out since is out.
        """
        if self.worker is not None and not self.worker.holds(self._table):
            self.stop()
            self.worker = None
            self._launches -= 1  # the owner's own doing is no fault of the machine
            self._launch()
            self.say("the table changed while the study waited; the worker reads it anew")
        if self._standing is None or not self._standing.done:
            return False
        self._standing.answer()
        return True

    @property
    def _table(self) -> Path:
        return self.site.path / self.site.dataset(self.plan.study.data.dataset).path

    def _start(self, approvals: dict[str, Approval]) -> None:
        """Use the approval up, then touch the data. The request is reviewed once more: lists and software may have changed."""
        again = review(self.site, self.text, self.now())
        faults = [f for f in again.faults if f.code != "budget"]  # its budget is reserved already
        if again.digest != self.plan.digest or faults:
            raise faults[0] if faults else NotApprovedError("The study's text changed after it was approved.")
        # what can fail without the data is done first: after these lines the budget is spent
        participant = self._participant(approvals)
        try:
            self.site.ledger.start(self.plan.digest)
        except NotApprovedError:
            if self.site.ledger.state.paused:  # while the checks above ran; it starts when the pause is over
                return
            raise
        self.participant = participant
        self._heard = self.clock()

    def _participant(self, approvals: dict[str, Approval]) -> Participant:
        from securefl.secagg.seal import CkksIntegers

        return Participant(
            plan=self.plan, identity=self.site.identity, study_key=self.site.study_key(self.plan.digest), approvals=approvals,
            keeper=self.leaving.keep, cipher=CkksIntegers(), records=self.saying.record,
        )

    def _not_there(self, site: str, error: MessageError) -> None:
        """Tell the owner once what lies in the place of an approval."""
        if self._refused.get(site) != error.what:
            self._refused[site] = error.what
            self.say(f"waiting for {site}: {error.what}")

    # --- rounds ------------------------------------------------------------------------------------------------------

    def _rounds(self) -> str | None:
        if self.participant is None:
            return None
        end = end_of(self.site.store, self.plan)
        if end is not None:
            return "completed" if self._completed(self.participant, end) else None
        if self.now() > self.plan.study.schedule.closes:
            raise StudyError(
                f"The study was to run until {self.plan.study.schedule.closes:%Y-%m-%d %H:%M} UTC; it is over: {time_here(self.now())}.",
                next_step="If this machine's clock is wrong, set it; if not, ask for a study with other dates.",
            )
        self._all_still_there()
        if self.in_hand is not None:  # what is looked at meanwhile is the same, however far the answer is
            self._answer(self.participant, self.in_hand)
            return None
        if self.saying.step(self.participant.later):
            self._heard = self.clock()
            self.sent += 1
            return None
        if self._waited():
            raise RoundError("Nothing came from the coordinator for two round deadlines.", whose="the coordinator", next_step="Ask the researcher; the study ends here.")
        number = self.participant.done + 1
        given = self._given(number) if number <= self.plan.last_round else None
        if given is not None:
            seen = self.clock()
            self.saying.check_in_time(given.announcement)
            accepted, model = self.participant.accept(given)
            remember_round(self.site, self.plan, accepted.facts, model)
            self.in_hand = self._ask(accepted, model, seen)
            self.say(f"round {number} of {self.plan.last_round}: announced; the reply leaves {self.in_hand.times.first - seen:g} s later")
        return None

    def _ask(self, accepted: Accepted, model: bytes, seen: float) -> InHand:
        """Ask the worker for what is due, and for the first round to prepare the table before; nobody waits for it here."""
        worker, facts, schedule = self.worker, accepted.facts, self.plan.study.schedule
        if worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        text, name, secret = self.text, self.site.name, self.site.split_secret(self.plan.study.data.population)
        reading = self.site.dataset(self.plan.study.data.dataset).reading
        kind, length, largest, deadline = facts.kind, facts.length, facts.layout.max_value, float(schedule.round_deadline)
        first = not self.leaving.counts

        def release() -> Released:
            counts = worker.prepare(text, name, secret, reading) if first else None
            values = worker.release(kind, model, length, largest, deadline)
            return Released(values, worker.clamped, counts)

        settle = min(self.settle_seconds, _SETTLE_SHARE * deadline) if first else 0.0
        return InHand(accepted, self.ask(release), PublicTimes(seen, float(schedule.reply_after), settle))

    def _answer(self, participant: Participant, in_hand: InHand) -> None:
        """At a public time and at no other: take what the worker answered, or let the next one be the time."""
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

    def _given(self, number: int) -> RoundInput | None:
        """The next round's objects. Anybody can write into the store: what the coordinator did not sign, or what is not the
        key and model that it announced, is not there yet; its own deadline ends a round that stays so.
        """
        store, plan = self.site.store, self.plan
        at = paths.RoundPaths(plan.digest, number, 1)
        try:
            announcement = store.get(at.announcement, MAX_ANNOUNCEMENT)
            if announcement is None or not plan.by_coordinator(announcement):
                return None
            key = store.get(at.key, public_key_bytes())
            model = store.get(at.model, sealed_limit(plan.parameters, len(plan.study.participants)))
            if key is None or model is None or not plan.comes_with(announcement, key, model):
                return None
        except MessageError:
            return None
        return RoundInput(announcement, key, model)

    def _completed(self, participant: Participant, end: End) -> bool:
        """Whether the study ended with all that this hospital gave; False while that cannot be seen. After the end nothing more is said.

        Raises:
            RoundError: it ended otherwise.
        """
        if end.outcome == "completed" and participant.done == self.plan.last_round and self.in_hand is None:
            if participant.later is None or self.saying.was_counted(participant.later):
                self._judged(end)
                return True
            if self._waited():
                raise RoundError(
                    "The study was completed, and the store does not show whether this hospital's last contribution is in it: the list of who was left is gone.",
                    whose="the coordinator or the store's operator", next_step="Ask the researcher who was in the last round; the study has ended here, its budget stays charged.",
                )
            return False
        if end.outcome == "completed" and self.plan.goes_on:
            raise RoundError("The study was completed without this hospital: it was not there in time.", whose="this hospital", next_step="The study has ended here; its budget stays charged.")
        raise RoundError(f"The coordinator ended the study: {end.outcome}.", whose="the coordinator", next_step="Ask the researcher for the reason.")

    def _judged(self, end: End) -> None:
        """Tell the owner how the coordinator judged the quality rule; it is kept for `site status`."""
        if end.quality:
            keep_verdict(self.site.study_folder(self.plan.digest), end.quality)
            self.say(f"the AUC that the study asks for: {quality_words(end.quality, self.plan.study.quality.minimum)} (signed by the coordinator)")

    def _all_still_there(self) -> None:
        """What another party left cannot be completed: it is not waited for, even when the coordinator is silent."""
        if self.clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self.clock()
        cohort = self.participant.cohort if self.participant else self.plan.study.cohort
        said = final_word(self.site.store, self.plan, cohort)
        if said is not None and said.site != self.site.name:
            raise RoundError(f"{said.site} ended its part in the study ('{said.code}').", whose=said.site, next_step="The study ends here; its budget stays charged.")

    def _waited(self) -> bool:
        """Whether the coordinator has been silent for two round deadlines."""
        return self._heard is not None and self.clock() - self._heard > 2 * self.plan.study.schedule.round_deadline
