"""One approved study at one hospital, step by step: wait for all approvals, start, answer each round once, settle.

The order in which a contribution leaves (rules 4, 6 and 7): it is made, then its bytes are on disk, then the ledger says
that they leave, then its public time comes, then the ledger is asked once more, and only then the store has it. An owner
who withdraws or pauses in between keeps it in the house.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from securefl.errors import MessageError, NotApprovedError, RoundError, StudyError
from securefl.federation import paths
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.participant import Participant, RoundInput
from securefl.federation.sealing import sealed_limit
from securefl.federation.words import end_of, final_word, last_word
from securefl.identity import replace_file
from securefl.node.approving import all_approvals
from securefl.node.launcher import Worker
from securefl.node.made import Made, keep_contribution
from securefl.node.policy import charges_of, review
from securefl.node.quality import keep_verdict
from securefl.node.saying import Saying
from securefl.report.quality import quality_words
from securefl.secagg.frame import public_key_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.messages import End
    from securefl.federation.rounds import Plan
    from securefl.node.site import Site
    from securefl.secagg.facts import RoundFacts
    from securefl.study.approval import Approval

#: How often a worker that died while the others decide is started again.
_LAUNCHES = 3
#: Seconds between looks whether another party has left a running study.
_LOOK_SECONDS = 1.0
#: Seconds that a reply may leave after its time before it counts as late.
_PUNCTUAL = 0.1
#: Seconds between two steps of a running study: at least, and while nothing comes, as a part of the time since the last reply left.
_OFTEN, _RARELY, _SHARE = 0.01, 0.2, 0.02
#: Seconds between two steps of a study that waits for others to begin, at least and at most.
_WAITING, _LONGEST_WAITING = 0.2, 2.0
#: The first announcement is looked for this long after the start, so that nobody sees how long the table took to prepare.
SETTLE_SECONDS = 3.0
#: What the owner's screen shows of a study's rows and replies; it stays in the study's folder.
COUNTS = "counts.json"


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
    agreed: Callable[[], bool] = lambda: True
    worker: Worker | None = None
    participant: Participant | None = None
    made: Made | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    sent: int = 0
    settle_seconds: float = SETTLE_SECONDS
    _ready: float = 0.0
    _heard: float | None = None
    _seen: float = 0.0
    _looked: float = 0.0
    _launches: int = 0
    _refused: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.saying = Saying(self.site, self.plan, self.say)
        self._since = self.clock()

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
            if approvals is None or not self.agreed():
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
        if self.made is not None:
            return min(max(self.made.leaves_at - now, _OFTEN), _RARELY)
        return min(max(_SHARE * (now - max(self._heard, self._ready)), _OFTEN), _RARELY)

    def interrupt(self) -> None:
        """Whatever the worker does, it ends now."""
        if self.worker is not None:
            self.worker.kill()

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.stop()

    # --- before the first round --------------------------------------------------------------------------------------

    def _still_possible(self) -> None:
        """A study that another party left, or whose time is over, is not waited for: its reservation is freed."""
        if self.now() > self.plan.study.schedule.closes:
            raise StudyError(f"The study was to run until {self.plan.study.schedule.closes}; it never started.", next_step="Ask for a study with other dates.")
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
        entry = self.site.dataset(self.plan.study.data.dataset)
        self.worker = self.start_worker(self.site.path / entry.path, max_bytes=8 * self.plan.longest, log=self.site.path / "worker.log")

    def _start(self, approvals: dict[str, Approval]) -> None:
        """Use the approval up, then touch the data. The request is reviewed once more: lists and software may have changed."""
        again = review(self.site, self.text, self.now())
        faults = [f for f in again.faults if f.code != "budget"]  # its budget is reserved already
        if again.digest != self.plan.digest or faults:
            raise faults[0] if faults else NotApprovedError("The study's text changed after it was approved.")
        self._table_as_it_is()
        if self.worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        # what can fail without the data is done first: after these lines the budget is spent
        participant = self._participant(approvals)
        began = self.clock()
        try:
            self.site.ledger.start(self.plan.digest)
        except NotApprovedError:
            if self.site.ledger.state.paused:  # while the checks above ran; it starts when the pause is over
                return
            raise
        population = self.plan.study.data.population
        self.counts = self.worker.prepare(self.text, self.site.name, self.site.split_secret(population))
        self._show_counts()
        self.participant = participant
        self._heard = self.clock()
        # preparing takes longer the more rows there are: nobody sees when it was done, for the first round is looked for later
        self._ready = began + self.settle_seconds
        if self._heard > self._ready:
            self._late(self._heard - self._ready)

    def _participant(self, approvals: dict[str, Approval]) -> Participant:
        from securefl.secagg.seal import CkksIntegers

        return Participant(
            plan=self.plan, identity=self.site.identity, study_key=self.site.study_key(self.plan.digest), approvals=approvals,
            trainer=self._train, keeper=self._keep, cipher=CkksIntegers(), records=self.saying.record,
        )

    def _table_as_it_is(self) -> None:
        """The study runs on the table as it is now, not as it was when it was approved: whoever was taken out since is out.
        What the ledger knows of the table is brought up to date before it is read.
        """
        entry = self.site.dataset(self.plan.study.data.dataset)
        path = self.site.path / entry.path
        if self.worker is not None and not self.worker.holds(path):
            self.worker.stop()
            self.worker = None
            self._launch()
            self.say("the table changed while the study waited; the worker reads it anew")
        if self.worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        self.worker.wait_ready()
        snapshot = self.site.snapshot(path)
        if snapshot != self.site.ledger.state.dataset(entry.name).snapshot:
            self.site.ledger.register_dataset(entry.name, population=entry.population, snapshot=snapshot)
            self.say(f"the table of '{entry.name}' is not the one that was registered; the ledger has its new hash")

    def _show_counts(self) -> None:
        """For the owner's own screen: the log, and `securefl site status`."""
        counts = self.counts
        self._keep_counts()
        self.say(f"{counts['kept']} of {counts['rows']} rows used, {counts['training']} to train, {counts['held_out']} held out")
        for reason, rows in sorted(counts["set_aside"].items()):
            self.say(f"set aside: {rows} rows, {reason}")

    def _keep_counts(self) -> None:
        replace_file(self.site.study_folder(self.plan.digest) / COUNTS, json.dumps({**self.counts, "late": self.late}).encode())

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
            raise StudyError(f"The study was to run until {self.plan.study.schedule.closes}; it is over.", next_step="Ask for a study with other dates.")
        if self.made is not None:
            self._leave(self.made)
            return None
        if self.saying.step(self.participant.later):
            self._heard = self.clock()
            self.sent += 1
            return None
        self._all_still_there()
        if self._waited():
            raise RoundError("Nothing came from the coordinator for two round deadlines.", whose="the coordinator", next_step="Ask the researcher; the study ends here.")
        if self.clock() < self._ready:
            return None
        number = self.participant.done + 1
        given = self._given(number) if number <= self.plan.last_round else None
        if given is not None:
            self.saying.check_in_time(given.announcement)
            self.participant.answer(given).close()
        return None

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
            seen = self.clock()
            key = store.get(at.key, public_key_bytes())
            model = store.get(at.model, sealed_limit(plan.parameters, len(plan.study.participants)))
            if key is None or model is None or not plan.comes_with(announcement, key, model):
                return None
        except MessageError:
            return None
        self._seen = seen
        return RoundInput(announcement, key, model)

    def _completed(self, participant: Participant, end: End) -> bool:
        """Whether the study ended with all that this hospital gave; False while that cannot be seen. After the end nothing more is said.

        Raises:
            RoundError: it ended otherwise.
        """
        if end.outcome == "completed" and participant.done == self.plan.last_round and self.made is None:
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

    def _train(self, kind: str, model: bytes, length: int, largest: int) -> NDArray[np.int64]:
        if self.worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        values = self.worker.release(kind, model, length, largest, float(self.plan.study.schedule.round_deadline))
        if self.worker.clamped:
            self.counts["clamped"] = self.counts.get("clamped", 0) + self.worker.clamped
            self.counts["clamped_rounds"] = self.counts.get("clamped_rounds", 0) + 1
            self._keep_counts()
        return values

    # --- a contribution leaves the house -----------------------------------------------------------------------------

    def _keep(self, facts: RoundFacts, write: Callable[[BinaryIO], None]) -> BinaryIO:
        """Durable before its mask is used; there is one for each round, ever."""
        self.made = keep_contribution(self.site.study_folder(self.plan.digest), facts, write, self._public_time)
        return self.made.file.open("rb")

    def _leave(self, made: Made) -> None:
        """Let it go when the ledger has it, its time has come (how long training took would tell how many rows there are,
        rule 1), and the owner has neither paused nor withdrawn.
        """
        if self._held(made):
            return
        if self.clock() < made.leaves_at:
            return
        if not made.noted:  # not before its time: when the ledger grows is seen by those who hold its checkpoints
            try:
                self._note(made)
            except NotApprovedError:
                if self._held(made):  # paused or withdrawn between the two lines above
                    return
                raise
            made.noted = True
        with self.site.deciding():
            if self._held(made):
                return
            with made.file.open("rb") as kept:
                self.site.store.put_file(paths.RoundPaths(self.plan.digest, made.facts.round, made.facts.attempt).contribution(self.site.name), kept)
        self.made, self._heard = None, self.clock()
        self.sent += 1
        behind = made.leaves_at - self._seen - float(self.plan.study.schedule.reply_after)
        if behind > _PUNCTUAL and not made.held:
            self._late(behind)
        self.say(f"round {made.facts.round} of {self.plan.last_round}: one contribution of {made.size} bytes left the house")

    def _public_time(self) -> float:
        """``reply_after`` from the announcement; what was not ready by then waits for the next whole multiple of it."""
        step = float(self.plan.study.schedule.reply_after)
        passed = self.clock() - self._seen
        return self._seen + step * max(1, math.ceil(passed / step)) if step > 0 else self._seen + passed

    def _late(self, behind: float) -> None:
        self.late += 1
        self._keep_counts()
        self.say(f"a reply is {behind:.2f} s late: its time says something about this hospital's size; ask for a longer reply_after")

    def _held(self, made: Made) -> bool:
        """Whether the owner keeps it in the house."""
        state = self.site.ledger.state
        held = state.paused or state.study(self.plan.digest).ended
        made.held |= held
        return held

    def _note(self, made: Made) -> None:
        charge = next(c for c in charges_of(self.plan.study) if c.purpose == made.facts.kind)
        steps = self.plan.study.training.local_steps if charge.purpose == "update" else 1
        self.site.ledger.sent(
            self.plan.digest, round_number=made.facts.round, purpose=charge.purpose, mechanism=charge.mechanism.with_count(steps),
            payload=made.sha256,
        )
