"""One approved study at one hospital before its first round: nobody pays for a person who is away,
or for another's crash.

In this order, and nothing is charged before the last: all approvals are there and the others agree
on this ledger's past; the worker stands and has seen that the table's header still fits; the
researcher calls; the request is reviewed again, the disk has room, and the hospital says that it is
ready; the first round is announced to exactly those runs of the agents that said so. Then the
approval is used up, and the worker is asked. A hospital that cannot says its code before, and the
study ends uncharged. When it says so is public: whole steps from what all could see (rule 1).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError, NotApprovedError, RoundError, StudyError
from securefl.federation.following import Following
from securefl.federation.messages import Ready
from securefl.federation.participant import Participant
from securefl.federation.readiness import call_of, ready_of
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import end_of, ended, first_departure, over
from securefl.federation.study_board import StudyBoard
from securefl.node.group_lot import GroupLot
from securefl.node.instances import Instances, check_alone
from securefl.node.kept_rounds import KeptRounds
from securefl.node.own_policy import kept_policy
from securefl.node.policy import review_again
from securefl.node.public_times import PublicTimes
from securefl.node.published_approvals import all_approvals
from securefl.node.worker_rules import worker_rules
from securefl.secagg.frame import contribution_bytes
from securefl.study.dates import time_here
from securefl.study.study_id import short_digest
from securefl.study.worker_walls import held_walls

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.checked_round import CheckedRound
    from securefl.federation.participant import Accepted
    from securefl.federation.unmasking_stage import RecordKeeper
    from securefl.node.launcher import Worker
    from securefl.node.own_study import LedgerWitness, OwnStudy, WorkerDoor
    from securefl.node.worker_question import Asked
    from securefl.sources.source import Source
    from securefl.study.approval import Approval

#: How often a worker that died while the others decide is started again.
_LAUNCHES: Final = 3
#: Seconds after a public event at which a check's outcome is looked at, and the ready statement
#: leaves; whole multiples of it.
READY_SECONDS: Final = 1.0
#: Bytes that must be free on the disk beside two contributions: ledger, logs, signatures.
_ROOM: Final = 16 * 1024 * 1024
#: Seconds between two steps while nothing comes, at least and at most, and as a part of the time
#: since the study was taken up; and at least, once the coordinator has called.
_WAITING, _LONGEST_WAITING, _SHARE, _OFTEN = 0.2, 2.0, 0.02, 0.01
_COSTS_NOTHING: Final = "it costs nothing here."


def free_bytes(folder: Path) -> int:
    """Bytes that may be written to the disk of ``folder``."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Entered:
    """The first round, accepted, its approval used up: what the run goes on with."""

    participant: Participant
    accepted: Accepted
    model: bytes
    seen: float


@dataclass
class Entering:
    """One hospital on its way into a study. :meth:`step` never waits; it is called again and again.

    Args:
        own: the study.
        witness: the others' word on this hospital's ledger.
        door: how the worker is reached.
        records: makes later words durable (:class:`securefl.federation.unmasking_stage.RecordKeeper`).
        first_round: fetches what the coordinator announced as the first round; None while there is
            nothing.
        free: bytes that may be written to a folder's disk.

    Attributes:
        worker: the worker's process, once it was started.
        waiting: what is waited for, for the owner's screen.
    """

    own: OwnStudy
    witness: LedgerWitness
    door: WorkerDoor
    records: RecordKeeper
    first_round: Callable[[], CheckedRound | None]
    free: Callable[[Path], int] = free_bytes
    worker: Worker | None = None
    waiting: str = ""
    _launches: int = 0
    _checked: Asked[None] | None = None
    _check_times: PublicTimes | None = None
    _fits: bool = False
    _called: str = ""
    _call_times: PublicTimes | None = None
    _answered: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _moved: float | None = None

    def __post_init__(self) -> None:
        self._since = self.own.clock()
        self.instances = Instances(self.own.folder)
        self.rounds = KeptRounds(self.own.folder, self.own.plan)
        self.group_lot = GroupLot(self.own)

    def step(self) -> Entered | None:
        """Do what can be done now; the first round when it may be answered.

        Raises:
            StoreError: the store is away; call again.
            SecureFLError: the study cannot begin here; nothing was charged.
        """
        self._still_possible()
        check_alone(self.own.site, self.own.plan, self.instances)
        approvals = all_approvals(self.own.site, self.own.plan, self._not_there)
        self.waiting = "the other hospitals' approvals"
        if approvals is not None:
            self.waiting = self._behind() or self._without_lot()
        if approvals is None or self.waiting:
            return None
        worker = self._launch()
        if not self.witness.agreed():
            self.waiting = self.witness.unheard() or "the others' word on this ledger's checkpoints"
            return None
        if not self._table_fits(worker):
            self.waiting = "its own worker, which looks whether the table fits"
            return None
        self._answer_call(approvals)
        if not self._answered:
            return None
        checked = self.first_round()
        if checked is None:
            return None
        return self._begin(approvals, checked, worker)

    @property
    def ready(self) -> bool:
        """True while the others may count on this hospital's word that it is ready."""
        if not self._answered or self._moved is None:
            return False
        longest = 2 * self.own.plan.study.schedule.round_deadline
        return self.own.clock() - self._moved <= longest

    def pause(self) -> float:
        """Seconds until :meth:`step` is worth calling again: by what was seen last, and by nothing
        that happens in this house.
        """
        now = self.own.clock()
        if self._moved is None:
            return min(max(_SHARE * (now - self._since), _WAITING), _LONGEST_WAITING)
        often = max(_OFTEN, self.own.site.board.pace)
        return min(max(_SHARE * (now - self._moved), often), _LONGEST_WAITING)

    def stop(self) -> None:
        """End the worker; harmless when repeated."""
        if self.worker is not None:
            if self._checked is not None and not self._checked.done:
                self.worker.kill()
                self._checked.join()
            self.worker.stop()

    def at_work(self) -> Worker:
        """The worker of a running study; started again where it was set aside."""
        if self.worker is None:
            return self._launch()
        return self.worker

    def set_aside(self) -> None:
        """End a worker that has nothing to do for long; :meth:`at_work` starts it again."""
        self.stop()
        self.worker = None
        self._launches = 0

    # --- the worker and the table
    # ------------------------------------------------------------------------------------

    def _still_possible(self) -> None:
        """A study that another party left, or whose time is over, is not waited for: its
        reservation is freed.
        """
        closes = self.own.plan.study.schedule.closes
        now = self.own.now()
        if now > closes:
            raise StudyError(
                f"The study was to run until {closes:%Y-%m-%d %H:%M} UTC; it never started, and"
                f" {time_here(now)}.",
                next_step=(
                    "If this machine's clock is wrong, set it; if not, ask for a study with other"
                    " dates."
                ),
            )
        said = first_departure(self.own.site.board, self.own.plan)
        if said is not None and said.site != self.own.site.name:
            raise ended(said, _COSTS_NOTHING)
        end = end_of(self.own.site.board, self.own.plan)
        if end is not None:
            raise over(
                self.own.site.board,
                self.own.plan,
                end,
                "The coordinator ended the study before it began here",
                _COSTS_NOTHING,
            )

    def _behind(self) -> str:
        """What an owner's rule on studies at once makes this one wait for; empty where nothing.

        One that said that it is ready goes on: the others count on it.
        """
        policy = kept_policy(self.own.site)
        if policy is None or policy.studies_at_once is None or self.ready:
            return ""
        studies = self.own.site.ledger.state.studies.values()
        running = sum(study.started and not study.ended for study in studies)
        count = running + self.own.ready_elsewhere()
        if count < policy.studies_at_once:
            return ""
        runs = "1 study runs" if count == 1 else f"{count} studies run"
        return f"the end of another study: {runs} here, as many as your rules allow at once"

    def _without_lot(self) -> str:
        """What the lot for the groups waits for; empty once it is drawn, and where there is none."""
        needs_lot = round_strategy_of(self.own.plan).needs_lot
        if not needs_lot or self.group_lot.drawn() is not None:
            return ""
        return self.group_lot.waiting

    @property
    def _table(self) -> Source:
        return self.own.site.table(self.own.plan.study.data.dataset)

    def _launch(self) -> Worker:
        """Start the worker's process once all have approved: a study that waits for them costs none.
        It reads no data yet.

        A study runs on the table as it is then, not as it was when it was approved: whoever was
        taken out since is out.
        """
        table = self._table
        if self.worker is not None and self.worker.alive and self.worker.holds(table):
            return self.worker
        if self.worker is not None:
            changed = self.worker.alive
            self.stop()
            if changed:  # the owner's own doing is no fault of the machine
                self._launches -= 1
                self.own.say("the table changed while the study waited; the worker reads it anew")
            else:
                self.own.say(
                    f"the worker process ended while it waited{self.worker.why_ended}; see"
                    " worker.log"
                )
        if self._launches == _LAUNCHES:
            raise RoundError(
                "The worker process does not stay alive.",
                whose="this hospital's operator",
                next_step="See worker.log; `securefl doctor` checks the machine.",
            )
        self._launches += 1
        self.worker = worker = self.door.start(
            table,
            max_bytes=8 * self.own.plan.longest,
            log=self.own.site.path / "worker.log",
            rules=worker_rules(self.own.site),
        )
        self._checked = None
        self._fits = False
        return worker

    def _table_fits(self, worker: Worker) -> bool:
        """True if the worker stands and found that the table's header fits the study: no row is
        read before the first announcement.

        Raises:
            DataError: it does not fit.
            RoundError: the worker ended.
        """
        if self._fits:
            return True
        text = self.own.plan.sealed.text
        # One reading for all that follows: a time that passed in between would take an answer that
        # is not there.
        now = self.own.clock()
        if self._checked is None or self._check_times is None:
            self._checked = self.door.ask(lambda: worker.check(text))
            self._check_times = PublicTimes(now, READY_SECONDS)
        elif now >= self._check_times.due and not self._checked.done:
            self._check_times.miss(now)
        elif (
            now >= self._check_times.due and worker.alive
        ):  # one that died is started again by the next step
            self._checked.answer()
            self._fits = True
        return self._fits

    # --- ready, and the first announcement
    # ---------------------------------------------------------------------------

    def _answer_call(self, approvals: dict[str, Approval]) -> None:
        """Say that this hospital is ready, once to each call of the coordinator."""
        call = call_of(self.own.site.board, self.own.plan)
        if call is None:
            self.waiting = (
                "the researcher, who has not started the run yet; the approval stays good until the"
                " study closes"
            )
            return
        if call.nonce in self._answered:
            self.waiting = (
                "the first announcement; the other hospitals are asked whether they are ready"
            )
            return
        if call.nonce != self._called or self._call_times is None:
            self._called, self._call_times = (
                call.nonce,
                PublicTimes(self.own.clock(), READY_SECONDS),
            )
            self._moved = self.own.clock()
        if self.own.clock() < self._call_times.due:
            return
        self._review()
        self._participant(approvals)  # its key can be read, and the others' keys can be used
        self._room()
        word = Ready(
            self.own.plan.digest, self.own.site.name, self.instances.mine, call.nonce
        ).dump(self.own.site.identity.sign)
        self.instances.keep()
        with self.own.site.deciding():
            state = self.own.site.ledger.state
            if state.paused or state.study(self.own.plan.digest).status != "approved":
                return
            board = StudyBoard(self.own.site.board, self.own.plan.digest)
            board.ready(self.own.site.name).post(word)
        self._answered.add(call.nonce)
        self._moved = self.own.clock()
        self.own.say(
            f"study {short_digest(self.own.plan.digest)}: the researcher starts the run; this"
            " hospital said that it is ready"
        )

    def _review(self) -> None:
        """The request is reviewed once more: lists and software may have changed."""
        again = review_again(self.own.site, self.own.plan.sealed, self.own.now())
        faults = again.faults_beside_budget  # its budget is reserved already
        if faults:
            raise faults[0]

    def _room(self) -> None:
        plan = self.own.plan
        cohort = plan.study.cohort
        steps = (plan.step(number) for number in range(1, plan.last_round + 1))
        rounds = [step.number for step in steps if step.turn == 1]  # one of each release
        nobody = dict.fromkeys(cohort, "0" * 64)
        need = (
            2
            * max(
                contribution_bytes(plan.facts(n, "0" * 64, "0" * 64, instances=nobody))
                for n in rounds
            )
            + _ROOM
        )
        free = self.free(self.own.site.path)
        if free < need:
            raise RoundError(
                f"The disk has {free >> 20} MB left, and the study needs {need >> 20} MB here.",
                whose="this hospital's operator",
                next_step="Make room; then ask the researcher for the study again.",
            )

    def _begin(
        self,
        approvals: dict[str, Approval],
        checked: CheckedRound,
        worker: Worker,
    ) -> Entered | None:
        """Use the approval up for a first round that was announced to those who said that they are
        ready.
        """
        participant = self._participant(approvals)
        seen = self.own.clock()
        participant.check(checked.announced)
        for site, nonce in checked.said.by_site.items():
            ready = ready_of(self.own.site.board, self.own.plan, site)
            if ready is None or ready.instance != nonce:
                self._say_once(
                    f"round 1 was announced to another run of {site} than {site} itself says;"
                    " nothing is begun"
                )
                return None
        self._review()
        accepted, model = participant.accept(checked)
        self.rounds.accept(checked)
        # what can fail without the data was done before: after this line the budget is spent
        try:
            self.own.site.ledger.start(self.own.plan.digest, held_walls(worker.walls))
        except NotApprovedError:
            if (
                self.own.site.ledger.state.paused
            ):  # while the checks above ran; it starts when the pause is over
                return None
            raise
        return Entered(participant, accepted, model, seen)

    def _participant(self, approvals: dict[str, Approval]) -> Participant:
        from securefl.secagg.seal import CkksIntegers

        lot = None
        if round_strategy_of(self.own.plan).needs_lot:
            lot = self.group_lot.drawn()
        return Participant(
            plan=self.own.plan,
            identity=self.own.site.identity,
            study_key=self.own.site.study_key(self.own.plan.digest),
            approvals=approvals,
            cipher=CkksIntegers(),
            instance=self.instances.mine,
            following=Following(self.own.plan),
            records=self.records,
            lot=lot,
        )

    def _not_there(self, site: str, error: MessageError) -> None:
        """Tell the owner once what lies in the place of an approval."""
        self._say_once(f"waiting for {site}: {error.what}")

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.own.say(line)
