"""One run of an approved study: its rounds, once, and a last word to the others when it is over.

A run that was killed, or whose store or disk failed, is not over: the next one goes on with the same
bytes (:mod:`securefl.researcher.durable_run`). The hospitals wait for it for as long as the study says
(:mod:`securefl.study.longest_wait`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from securefl.backoff import persist
from securefl.errors import (
    EndedError,
    RoundError,
    SecureFLError,
    StoreError,
    UnreadableError,
    UsageError,
)
from securefl.federation.messages import End
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.locks import Lock, is_held
from securefl.party.journal import Journal
from securefl.researcher.durable_run import DurableRun
from securefl.researcher.round_pace import RoundPace
from securefl.researcher.run_events import RunEvents
from securefl.researcher.stopping import StoppedFromOutsideError, asking_first
from securefl.researcher.study_beginning import at_the_door, check_not_cancelled
from securefl.study.longest_wait import duration_words, hospital_waits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.coordinator import Coordinator, Outcome
    from securefl.federation.exchange import Waiting
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord
    from securefl.party.folder import PartyFolder

#: The coordinator's own record of the rounds: hashes and sizes, a line each.
RECORDS = "rounds.jsonl"
RESULT = "result.json"
#: What went wrong with showing the run; in the study's folder.
RUN_LOG = "run.log"
T = TypeVar("T")
_MARKER = "run.lock"
#: Seconds for which the last words of a run are tried when the store is away; the hospitals go by
#: their own deadlines then.
_LAST_TRIES = 10.0
#: What ends a run and not its study.
_GOES_ON = (StoreError, OSError, StoppedFromOutsideError)
_NOT_BEGUN = "Nothing was charged and nothing has begun: `securefl study run` again when you like."
_OVER = (
    "The study is over, every budget stays charged; `securefl study new ... --id NAME` makes"
    " another."
)


def run_once(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    watch: Callable[[RoundRecord], None] | None,
    warn: Callable[[str], None],
    *,
    waiting: Callable[[Waiting], None] | None = None,
    finish: Callable[[Outcome], T],
) -> T:
    """Run all rounds of a study, once every hospital has said that it is ready.

    Until then nothing is begun, and it can be run again. A run that was killed later goes on.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        plan: the study.
        watch: called after each opened sum.
        warn: told what went wrong and ends nothing.
        waiting: told now and then whom a round waits for.
        finish: keeps the result of a completed run; what it returns is returned.

    What ``watch``, ``warn`` and ``waiting`` raise is noted in the study's ``run.log`` and ends
    nothing: they show, and a screen may fail.

    Raises:
        UsageError: it was run to its end before, or is running.
        EndedError: a hospital ended its part before the first round; nothing was charged for it.
        RoundError: a round failed; the study is over, every budget stays charged.
        StoreError, OSError: the store was away for a whole round deadline, or for the study's
            longest wait, or the disk is full; the next run goes on.
    """
    from securefl.federation.coordinator import Coordinator
    from securefl.federation.store_exchange import StoreExchange
    from securefl.secagg.seal import CkksIntegers

    refuse_second(lab, folder, plan)
    log = Journal(folder / RUN_LOG)
    events = RunEvents(folder, plan, partial(datetime.now, UTC))
    told_waiting = _each(log, events.waiting, waiting)
    exchange = StoreExchange(lab.board, plan, _unfailing(warn, log), told_waiting)
    show = _each(log, events.opened, watch)
    memory = DurableRun(folder)
    told_pause = _each(log, events.paused, partial(_tell_pause, warn))
    now = partial(datetime.now, UTC)
    pace = RoundPace(plan.study.schedule, memory.begun_at, now, told_pause)
    coordinator = Coordinator(plan, lab.identity, exchange, CkksIntegers(), memory, pace=pace)
    running = _begin(folder, plan, coordinator, memory, log, pace=pace)
    events.begun()
    (folder / RECORDS).unlink(missing_ok=True)  # it is told again from the first round on
    done = 0

    def cost() -> str:
        return _cost_of_stopping(done, plan.last_round)

    def keep(record: RoundRecord) -> None:
        nonlocal done
        done = record.round
        _unfailing(_write_record, log)((folder / RECORDS, record))
        show(record)

    try:
        with asking_first(cost):
            outcome = coordinator.run(keep)
            exchange.catch_up(_LAST_TRIES)
    except _GOES_ON as error:
        events.stopped()
        raise _as_told(error, plan) from error
    except BaseException as error:
        events.ended(_public_code(error))
        _tell_failure(lab, plan, error, done)
        memory.erase_keys()
        told = _as_told(error, plan)
        if told is error:
            raise
        raise told from error
    else:
        events.ended("completed")
        _tell_completed(lab, plan, outcome)
        exchange.completed()
        return finish(outcome)
    finally:
        events.close()
        running.release()
        log.close()


def _begin(
    folder: Path,
    plan: RoundPlan,
    coordinator: Coordinator,
    memory: DurableRun,
    log: Journal,
    *,
    pace: Callable[[], None],
) -> Lock:
    """Wait until every hospital is ready, where no round may have been announced yet; then use the
    study up. Closes the log where it fails.

    Raises:
        RoundError, StoreError: nothing has begun.
    """
    try:
        with at_the_door(folder):
            check_not_cancelled(folder)
            if not memory.announced:
                pace()
                coordinator.assemble(2.0 * plan.study.schedule.round_deadline)
            return _once(folder)
    except KeyboardInterrupt as error:
        log.close()
        raise RoundError(
            "The run was stopped by hand before it began.",
            whose="the researcher",
            next_step=_NOT_BEGUN,
        ) from error
    except StoreError as error:
        log.close()
        raise StoreError(
            error.what, whose=error.whose, next_step=f"{error.next_step} {_NOT_BEGUN}"
        ) from error
    except BaseException:
        log.close()
        raise


def _cost_of_stopping(done: int, rounds: int) -> str:
    return (
        f"Stopping ends the study for all: {done} of {rounds} rounds are done, and every"
        " hospital's charge stays."
    )


def _tell_pause(warn: Callable[[str], None], until: datetime) -> None:
    warn(f"The next round may begin at {until:%Y-%m-%d %H:%M} UTC, as the study's hours say.")


def _tell_completed(lab: PartyFolder, plan: RoundPlan, outcome: Outcome) -> None:
    """Tell the others that the study is completed, and how its quality rule was judged."""
    verdict = _judgement(plan, outcome)
    # the hospitals end by their own deadlines; the result is not lost
    with suppress(StoreError):
        persist(
            lambda: _say_end(lab, plan, "completed", len(outcome.records), verdict),
            float(plan.study.schedule.round_deadline),
        )


def _tell_failure(
    lab: PartyFolder,
    plan: RoundPlan,
    error: BaseException,
    done: int,
) -> None:
    """Tell the others that the study is over, whatever happened."""
    code = _public_code(error)
    cause = (error.site, error.ended_with) if isinstance(error, EndedError) else ("", "")
    with suppress(StoreError):
        persist(
            lambda: _say_end(lab, plan, code, done, cause=cause),
            _LAST_TRIES,
        )


def _public_code(error: BaseException) -> str:
    """Word by which the others are told of an error."""
    if isinstance(error, SecureFLError):
        return error.code
    return RoundError.code


def _as_told(error: BaseException, plan: RoundPlan) -> BaseException:
    """The error of a run that began, with what it costs; others as they are."""
    schedule = plan.study.schedule
    waits = f"{hospital_waits(schedule) / 60:.3g} minutes"
    short = schedule.longest_wait is None
    if schedule.longest_wait is not None:
        waits = duration_words(schedule.longest_wait)
    again = (
        "Nothing is lost: `securefl study run` again goes on from here. The hospitals wait for it"
        f" for {waits}; then they end the study, and every budget stays charged."
    )
    if isinstance(error, StoppedFromOutsideError):
        return RoundError(
            "The run was stopped from outside.", whose="this machine's operator", next_step=again
        )
    if isinstance(error, KeyboardInterrupt):
        return RoundError("The run was stopped by hand.", whose="the researcher", next_step=_OVER)
    if isinstance(error, StoreError):
        return StoreError(
            f"{error.what} It stayed so for {'a whole round deadline' if short else waits}.",
            whose=error.whose,
            next_step=f"{error.next_step} {again}",
        )
    if isinstance(error, OSError):
        return UnreadableError(
            f"{error.filename or 'The study folder'}: {error.strerror or error}.",
            whose="this machine's operator",
            next_step=f"Mend that. {again}",
        )
    return error


def _write_record(where: tuple[Path, RoundRecord]) -> None:
    file_name, record = where
    with file_name.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record.__dict__) + "\n")


def _unfailing(show: Callable[[T], object] | None, log: Journal) -> Callable[[T], None]:
    """``show``, but what it raises is a line in the log, once; Ctrl-C still counts."""
    said = False

    def shown(value: T) -> None:
        nonlocal said
        if show is None:
            return
        try:
            show(value)
        except Exception as error:  # noqa: BLE001 - whatever it is, hospitals have paid for this run
            if not said:
                log.say(
                    f"what shows the run failed, and the run goes on: {type(error).__name__}:"
                    f" {error}"
                )
            said = True

    return shown


def _each(log: Journal, *shows: Callable[[T], object] | None) -> Callable[[T], None]:
    """Each of ``shows`` in order; what one raises keeps nothing from the next."""
    unfailing = [_unfailing(show, log) for show in shows]

    def shown(value: T) -> None:
        for show in unfailing:
            show(value)

    return shown


def _once(folder: Path) -> Lock:
    """Use the study up, or go on with the run that did.

    Raises:
        UsageError: another process runs it.
    """
    marker = folder / _MARKER
    marker.touch(mode=0o600)
    lock = Lock(marker)
    if not lock.take(seconds=1.0):
        raise _running(folder)
    return lock


def was_run(folder: Path) -> bool:
    """True if a run of the study was begun from its folder, however it ended."""
    return (folder / _MARKER).exists()


def is_running(folder: Path) -> bool:
    """True while one is going on."""
    return was_run(folder) and is_held(folder / _MARKER)


def goes_on(lab: PartyFolder, folder: Path, plan: RoundPlan) -> bool:
    """True if a run was begun from the folder, is not running, and the next one goes on with it.

    Raises:
        StoreError: the store is away.
    """
    if not was_run(folder) or (folder / RESULT).exists() or is_running(folder):
        return False
    end = end_of(lab.board, plan)
    return end is None or end.outcome == "completed"


def refuse_second(lab: PartyFolder, folder: Path, plan: RoundPlan) -> None:
    """Refuse a study whose run from here is over, or going on in another process.

    Raises:
        UsageError: it is, or it was cancelled before it began.
    """
    check_not_cancelled(folder)
    if not was_run(folder) or goes_on(lab, folder, plan):
        return
    if is_running(folder):
        raise _running(folder)
    raise UsageError(
        f"{folder.name} was run before.",
        whose="the researcher",
        next_step=(
            "A study runs once. `securefl study report` shows its result; `securefl study new ..."
            " --id NAME` makes another."
        ),
    )


def _running(folder: Path) -> UsageError:
    return UsageError(
        f"{folder.name} is running in another process.",
        whose="the researcher",
        next_step="Wait for its end; `securefl study status` says how far it is.",
    )


def _judgement(plan: RoundPlan, outcome: Outcome) -> str:
    """Judge the study's quality rule on the charged evaluation; empty where no model is made.

    Hospitals read it in the signed end.
    """
    from securefl.learning.stages.roles import judged_result

    rule = plan.study.quality
    if rule is None:
        return ""
    return judged_result(outcome.results).verdict(rule)


def _say_end(
    lab: PartyFolder,
    plan: RoundPlan,
    outcome: str,
    rounds: int,
    quality: str = "",
    *,
    cause: tuple[str, str] = ("", ""),
) -> None:
    StudyBoard(lab.board, plan.digest).end.post(
        End(plan.digest, outcome, rounds, quality, *cause).dump(lab.identity.sign),
    )
