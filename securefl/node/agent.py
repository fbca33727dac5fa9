"""The hospital's agent: takes in requests, runs approved studies, and says nothing to anybody but
codes and contributions.

One process, one thread that writes and speaks; what a worker is asked is waited for on a thread
that only reads its pipe. A study that fails is settled and the agent goes on; a study that was
running when the agent was stopped or killed is taken up at the next start, where it stood
(:mod:`securefl.node.resuming`). It runs for months beside hundreds of old studies: what is over is not
gone through again, and PySyft is opened when there is something to exchange. A hospital that takes
requests without PySyft (:mod:`securefl.node.request_ways`) never loads it.
"""

from __future__ import annotations

import signal
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from securefl.backoff import Backoff
from securefl.errors import (
    PASSING_ERRORS,
    EndedError,
    LedgerAlteredError,
    NotApprovedError,
    SecureFLError,
    StoreError,
    UnreadableError,
    UsageError,
    file_error,
)
from securefl.node.checkpoints import Question, collect, hand_out, note_witnessed
from securefl.node.exchange_times import ExchangeTimes
from securefl.node.extract import publish_extract
from securefl.node.model_watch import ModelWatch, expect_model
from securefl.node.notices.notice_desk import NoticeDesk
from securefl.node.pasts import doubted, two_pasts
from securefl.node.policy_files import note_own_files
from securefl.node.published_approvals import publish_approval, publish_status
from securefl.node.recall_watch import RecallWatch
from securefl.node.request_ways import intake_of
from securefl.node.requests import kept_study
from securefl.node.rule_desk import RuleDesk
from securefl.node.study_end import say_again
from securefl.node.study_withdrawal import WithdrawalWatch
from securefl.party.clock import utc_now
from securefl.party.events import EVENTS, EventLog
from securefl.party.failure_note import keep_reason, one_line
from securefl.party.journal import Journal
from securefl.party.outbox import deliver
from securefl.party.pidfile import Presence, last_end, running_process, stop_role
from securefl.party.store_watch import StoreWatch
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site
    from securefl.node.study_run import StudyRun
    from securefl.party.pidfile import Ended
    from securefl.privacy.ledger_state import LedgerState

#: Seconds for which a study that was taken up again goes before requests.
_RESUMING_SECONDS = 20.0
#: Seconds between looks at what the other hospitals say about checkpoints.
LISTEN = 0.5
#: The same while a study that was taken up waits for their word.
_LISTEN_SOON = 0.1
#: The same at a hospital without a study for long: at most, and as a part of the time without one.
LISTEN_IDLE = 60.0
_IDLE_SHARE = 0.05
#: Seconds between two turns when no study asks for more: at least.
_PAUSE = 0.2
#: The same at a hospital where nothing has happened for long: at most, and as a part of that time.
_PAUSE_IDLE = 1.0
_PAUSE_SHARE = 0.02
#: Seconds until a study is taken up again whose run stopped since the disk took no file.
_DISK_SECONDS = 5.0
_ROLE = "agent"


def agent_state(site: Site) -> dict[str, object] | None:
    """What the running agent last wrote about itself; None when none runs."""
    return running_process(site.path, _ROLE)


class Agent:
    """A hospital at work.

    Args:
        site: its folder.
        clock: the monotonic clock, in seconds.

    Raises:
        UsageError: another agent runs in this folder.
    """

    def __init__(self, site: Site, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._presence = Presence(site.path, _ROLE)
        if not self._presence.take():
            raise UsageError(
                "An agent runs in this folder already.", next_step="`securefl site stop` ends it."
            )
        self._store = StoreWatch(self._presence, utc_now, clock)
        self._why_ended = "it was asked to stop"
        self._site = site
        self._requests = intake_of(site, clock=clock)
        self._runs: dict[str, StudyRun] = {}
        self._withdrawals = WithdrawalWatch(site, lambda: tuple(self._runs.items()))
        self._exchanges = ExchangeTimes(clock)
        #: Until then a study that was taken up goes first: the others wait for its reply.
        self._resuming_until = 0.0
        self._stopping = False
        #: Gets an item when the agent is asked to stop; unlike an event, a signal may put it there.
        self._stop_asked: SimpleQueue[None] = SimpleQueue()
        self._quiet = Backoff(_PAUSE, _PAUSE_IDLE, share=_PAUSE_SHARE, clock=clock)
        self._trouble: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._question = Question(self.say)
        self._models = ModelWatch(self.say, partial(datetime.now, UTC))
        self._recalls = RecallWatch(self.say, clock)
        self._last_question = -LISTEN
        self._listen = Backoff(LISTEN, LISTEN_IDLE, share=_IDLE_SHARE, clock=clock)
        self._handed: dict[str, int] = {}
        #: Studies whose run a full disk stopped, and when they are taken up again.
        self._set_aside: dict[str, float] = {}
        self._gone_through: LedgerState | None = None
        self._log = Journal(site.path / "agent.log")
        self._events = EventLog(site.path / EVENTS, partial(datetime.now, UTC))
        self._notices = NoticeDesk(site, self.say, clock)
        self._rules = RuleDesk(self.say, clock)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            LedgerAlteredError: the ledger does not hold; nothing more is done on it.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._presence.announce(utc_now())
        self.say("agent started")
        self._withdrawals.start()
        self._notices.sender.start()
        try:
            note_own_files(self._site)
            self._recover()
            while not self._stopping:
                self._turn()
                self._rest(self._until_due())
        except LedgerAlteredError as error:
            self._why_ended = str(error)
            self.say(f"stopping: {error}")
            raise
        except Exception as error:
            self._why_ended = f"{type(error).__name__}: {error}"
            if isinstance(error, SecureFLError):
                self._why_ended = str(error)
            raise
        finally:
            self._presence.note_end(utc_now(), self._why_ended)
            self._wind_up()

    def _until_due(self) -> float:
        now = self._clock()
        dues = (max(0.0, due - now) for due in self._due.values())
        return min([self._quiet.remaining, *dues])

    def say(self, line: str) -> None:
        """A line in the owner's own log; it never leaves this folder."""
        self._log.say(line)

    @property
    def _busy(self) -> bool:
        return any(r.started and not r.resting for r in self._runs.values())

    def _turn(self) -> None:
        """Everything once, each on its own: an object of somebody else's that cannot be read holds
        up nothing but itself.
        """
        troubled: set[str] = set()
        gone_through = self._gone_through

        def part(name: str, work: Callable[[], None]) -> None:
            if not self._safely(name, work):
                troubled.add(name)

        part("outbox", lambda: deliver(self._site))
        part("checkpoints", self._ask_and_answer)
        part("studies set down", self._take_up_set_down)
        part("approvals", self._take_up_approved)
        for digest, run in tuple(self._runs.items()):
            if self._clock() >= self._due.get(digest, 0.0):
                part(digest, partial(self._step, digest, run))
                self._due[digest] = self._clock() + run.pause()
        self._due = {digest: due for digest, due in self._due.items() if digest in self._runs}
        part("models", lambda: self._models.turn(self._site))
        part("recalls", lambda: self._recalls.turn(self._site))
        part("requests", self._sync_when_due)
        part("notices", lambda: self._notices.turn(self._site))
        # after the notices: the owner hears of a request also where a rule approves it
        part("rules", self._ask_rules)
        self._store.look(self._site.board)
        self._trouble = {name: text for name, text in self._trouble.items() if name in troubled}
        self._tell_turn()
        if self._busy or self._gone_through is not gone_through:
            self._quiet.reset()
        self._quiet.failed()
        if troubled and not self._busy:
            self._rest(1.0)

    def _tell_turn(self) -> None:
        """Tell who starts the agent that its first whole turn is over, and what was wrong in it."""
        if self._trouble:
            self._presence.tell(trouble=one_line(next(iter(self._trouble.values()))))
        else:
            self._presence.tell(trouble=None, turned=True)

    def _safely(self, name: str, part: Callable[[], None]) -> bool:
        """True if ``part`` went well; what did not is said once, and tried again."""
        try:
            part()
        except LedgerAlteredError:
            raise
        except SecureFLError as error:
            # A store that is away comes back; studies end by their own deadlines.
            text = f"{error.code}: {error}"
            if isinstance(error, StoreError):
                self._store.missed(error)
        except OSError as error:  # of this machine's disk: its operator makes room
            text = f"{UnreadableError.code}: {file_error(error)}"
        except Exception:  # noqa: BLE001 - a fault in one exchange must not end the hospital's agent
            text = f"a fault in securefl, please report it:\n{traceback.format_exc()}"
        else:
            return True
        if self._trouble.get(name) != text:
            self._trouble[name] = text
            if self._store.is_new(name, text):
                self.say(text)
        return False

    def _sync_when_due(self) -> None:
        # A reply that waits for its time is not delayed, nor is a study that was taken up.
        answering = any(run.answering for run in self._runs.values())
        if answering or self._clock() < self._resuming_until:
            return
        if not self._exchanges.may_look(busy=self._busy):
            return
        news = self._news()
        if self._exchanges.is_news(news):
            self._quiet.reset()
        if self._exchanges.due:
            with self._exchanges.exchange(news):
                self._sync()
        else:
            self._requests.look_again(self._site, self.say)

    def _news(self) -> tuple[object, ...]:
        """All that an exchange of requests depends on, as far as it can be seen without one: while
        it is unchanged, there is rarely anything to exchange. The rest (another party has written
        half of what it will write, somebody used PySyft's own tools here) is found by the exchanges
        that take place anyway, soon after a change and then seldom.
        """
        before = self._site.settings
        self._site = self._site.refreshed()
        if self._site.settings.requests != before.requests:
            self._requests = intake_of(self._site, clock=self._clock)
        state = self._site.ledger.state
        states = tuple((digest, study.status) for digest, study in state.studies.items())
        return (
            self._site.settings,
            states,
            len(state.refusals),
            self._site.book.cards(),
            self._exchanges.seen(partial(self._requests.news, self._site)),
        )

    def _rest(self, seconds: float) -> None:
        """Wait so long, or until the agent is asked to stop."""
        if not self._stopping:
            with suppress(Empty):
                self._stop_asked.get(timeout=seconds)

    def _step(self, digest: str, run: StudyRun) -> None:
        state = self._site.ledger.state
        if state.study(digest).ended:  # withdrawn by the owner's own command
            self._events.tell("ended", digest, code=state.study(digest).status)
            say_again(self._site, digest)
            self._drop(digest)
            return
        if state.paused:
            run.stop_listening()
            return
        try:
            outcome = run.step()
            # with a reply and at no other time: growth in between would tell when training was done
            if run.sent > self._handed.get(digest, 0):
                hand_out(self._site, digest, run.plan.study.cohort)
                self._handed[digest] = run.sent
        except (StoreError, LedgerAlteredError):
            raise
        except SecureFLError as error:
            self._fail(digest, error)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in PASSING_ERRORS:
                self._set_down(digest, run)
                raise
            # the study ends, the agent goes on
            self.say(traceback.format_exc())
            self._fail(
                digest,
                SecureFLError(
                    "A fault in securefl.",
                    whose="securefl's authors",
                    next_step="Report what stands before this line in agent.log.",
                ),
            )
        else:
            if outcome == "completed":
                self._note_others(digest, run)
                # before the ledger says that it is over: killed in between, the model would never
                # be looked for
                expect_model(self._site, run.plan, datetime.now(UTC))
                self._site.ledger.settle(digest, "completed")
                self._events.tell("ended", digest, code="completed")
                with suppress(StoreError):
                    hand_out(self._site, digest, run.plan.study.cohort)
                publish_extract(self._site, digest, run.plan.study)
                self.say(f"study {short_digest(digest)} completed; {run.late} late replies")
                self._drop(digest)

    def _set_down(self, digest: str, run: StudyRun) -> None:
        """End a study's run in this process, and take it up again as the next process would.

        For a disk that took no file: what is durable lies on it, and what is not was seen by
        nobody.
        """
        run.stop()
        del self._runs[digest]
        self._set_aside[digest] = self._clock() + _DISK_SECONDS

    def _take_up_set_down(self) -> None:
        """Take up the studies that a full disk stopped, once their time has come."""
        for digest, due in tuple(self._set_aside.items()):
            if self._clock() < due:
                continue
            del self._set_aside[digest]
            study = self._site.ledger.state.study(digest)
            if study.started and not study.ended:
                self._resume(digest)
            self._gone_through = None

    def _fail(self, digest: str, error: SecureFLError) -> None:
        """End a study here: details stay in the log, the others see a code.

        What never started costs nothing.
        """
        if self._stopping:
            return  # its worker was ended with the agent; the next one goes on
        self.say(f"study {short_digest(digest)} failed: {error}")
        keep_reason(self._site.path, digest, error)
        if digest in self._runs:
            self._runs[digest].stop()
        with suppress(NotApprovedError):  # withdrawn in this very moment: that stands
            self._site.ledger.settle(digest, "failed")
            self._events.tell("ended", digest, code=error.code)
            cause = ("", "")
            if isinstance(error, EndedError):
                cause = (error.site, error.ended_with)
            publish_status(self._site, digest, error.code, cause)
        self._drop(digest)

    def _drop(self, digest: str) -> None:
        if digest in self._runs:
            self._runs.pop(digest).stop()
        self._site.end_study(digest)
        self._exchanges.at_once()
        self._resuming_until = 0.0

    def _recover(self) -> None:
        """Take up what an earlier process of this agent left running, and say what it left unsaid."""
        for digest, study in self._site.ledger.state.studies.items():
            if study.ended:
                # killed between the two, or ended by its owner while no agent ran
                self._safely(digest, partial(say_again, self._site, digest))
                self._site.end_study(digest)
            elif study.started:
                self._resume(digest)

    def _resume(self, digest: str) -> None:
        """Take up a study that was running; one of a folder that was copied or put back ends here."""
        from securefl.federation.round_plan import RoundPlan
        from securefl.node.run_key import RunKey

        try:
            RunKey(self._site.study_folder(digest)).check_here()
            run = self._study_run(RoundPlan(kept_study(self._site, digest)))
        except (StoreError, LedgerAlteredError):
            raise
        except SecureFLError as error:
            self._fail(digest, error)
            return
        self._runs[digest] = run
        # opening PySyft takes as long as all else of a start
        self._resuming_until = self._clock() + _RESUMING_SECONDS
        self.say(f"study {short_digest(digest)} was interrupted; it is taken up again")

    def _take_up_approved(self) -> None:
        """Old studies are gone through only when the ledger has something new, or when the last
        time failed.
        """
        state = self._site.ledger.state
        if state is self._gone_through:
            return
        for digest, study in state.studies.items():
            if study.status != "approved" or digest in self._runs or digest in self._set_aside:
                continue
            from securefl.federation.round_plan import RoundPlan

            self._site = self._site.refreshed()
            try:
                publish_approval(self._site, digest)
                plan = RoundPlan(kept_study(self._site, digest))
            except (StoreError, LedgerAlteredError):
                raise
            except SecureFLError as error:
                self._fail(digest, error)
                continue
            self._runs[digest] = self._study_run(plan)
            self._events.tell("approved", digest, rounds=plan.last_round)
            self.say(f"study {short_digest(digest)} is approved; waiting for the other hospitals")
        self._gone_through = state

    def _study_run(self, plan: RoundPlan) -> StudyRun:
        # what rounds need is imported where a study was approved, and not for months without one
        from securefl.node.own_study import LedgerWitness, OwnStudy
        from securefl.node.study_run import StudyRun

        own = OwnStudy(
            self._site,
            plan,
            self.say,
            lambda: datetime.now(UTC),
            self._clock,
            self._events,
            partial(self._ready_beside, plan.digest),
        )
        witness = LedgerWitness(
            agreed=partial(self._question.agreed, self._site, plan.study.cohort),
            unheard=partial(self._question.unheard, self._site, plan.study.cohort),
        )
        return StudyRun(own, witness)

    def _ready_beside(self, digest: str) -> int:
        """Count other studies that said that they are ready and have not begun."""
        others = [run for one, run in self._runs.items() if one != digest and not run.started]
        return sum(run.entering.ready for run in others)

    def _ask_and_answer(self) -> None:
        """Checkpoints: ask for this hospital's own, answer the others, keep what they handed over."""
        if not all(run.resting for run in self._runs.values()):
            self._listen.reset()
        now = self._clock()
        often = LISTEN
        if now < self._resuming_until and not self._busy:
            often = _LISTEN_SOON
        if now - self._last_question >= often and self._listen.ready:
            self._last_question = now
            self._listen.failed()
            running = [(d, r.plan.study.cohort) for d, r in self._runs.items() if r.started]
            self._question.turn(self._site, running)
            for digest, cohort in running:
                for name in doubted(self._site, cohort)[:1]:
                    self._fail(digest, two_pasts(name))

    def _note_others(self, digest: str, run: StudyRun) -> None:
        """What the others' ledgers were at the study's end, in this hospital's own."""
        with suppress(StoreError):
            for line in collect(self._site, digest, run.plan.study.cohort):
                self.say(line)
        for line in note_witnessed(self._site, run.plan.study.cohort):
            self.say(line)

    def _ask_rules(self) -> None:
        if not any(run.answering for run in self._runs.values()):
            self._rules.turn(self._site)

    def _sync(self) -> None:
        self._site = self._requests.exchange(self._site, self.say)

    def _wind_up(self) -> None:
        """The last thing the agent does: end the workers, whatever else is broken. Studies that run
        are taken up by the next agent.
        """
        self._withdrawals.stop()
        self._notices.sender.stop()
        for run in tuple(self._runs.values()):
            run.stop()
        self.say("agent stopped")
        self._log.close()
        self._events.close()
        self._presence.leave()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._stop_asked.put(None)
        for run in tuple(self._runs.values()):
            run.interrupt()  # an answer that nobody will send need not be waited for


def agent_end(site: Site) -> Ended | None:
    """How the last agent ended; None while one runs, or where none ever did."""
    return last_end(site.path, _ROLE)


def stop_agent(site: Site, seconds: float = 15.0) -> bool:
    """Ask the agent to stop and wait for it; False when none runs.

    Raises :class:`RoundError` when it does not stop.
    """
    return stop_role(site.path, _ROLE, seconds)
