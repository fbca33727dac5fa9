"""One run of an approved study: its rounds, once, and a last word to the others whatever happens."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from securefl.backoff import persist
from securefl.errors import EndedError, RoundError, SecureFLError, StoreError, UsageError
from securefl.federation.messages import End
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.locks import Lock, is_held
from securefl.party.journal import Journal
from securefl.researcher.stopping import asking_first

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.coordinator import Coordinator, Outcome, RoundRecord
    from securefl.federation.exchange import Waiting
    from securefl.federation.round_plan import RoundPlan
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
) -> Outcome:
    """Run all rounds of a study, once every hospital has said that it is ready.

    Until then nothing is begun, and it can be run again.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        plan: the study.
        watch: called after each opened sum.
        warn: told what went wrong and ends nothing.
        waiting: told now and then whom a round waits for.

    What ``watch``, ``warn`` and ``waiting`` raise is noted in the study's ``run.log`` and ends
    nothing: they show, and a screen may fail.

    Raises:
        UsageError: it was run before; a study runs once.
        EndedError: a hospital ended its part before the first round; nothing was charged for it.
        RoundError: a round failed; the study is over, every budget stays charged.
        StoreError: the store was away for a whole round deadline; the study is over as well.
    """
    from securefl.federation.coordinator import Coordinator
    from securefl.federation.store_exchange import StoreExchange
    from securefl.secagg.seal import CkksIntegers

    refuse_second(lab, folder, plan)
    log = Journal(folder / RUN_LOG)
    exchange = StoreExchange(
        lab.board,
        plan,
        _unfailing(warn, log),
        _unfailing(waiting, log),
    )
    shown = _unfailing(watch, log)
    coordinator = Coordinator(plan, lab.identity, exchange, CkksIntegers())
    running = _begin(lab, folder, plan, coordinator, log)
    done = 0

    def cost() -> str:
        return (
            f"Stopping ends the study for all: {done} of {plan.last_round} rounds are done, and"
            " every hospital's charge stays."
        )

    def keep(record: RoundRecord) -> None:
        nonlocal done
        done = record.round
        _unfailing(_write_record, log)((folder / RECORDS, record))
        shown(record)

    try:
        with asking_first(cost):
            outcome = coordinator.run(keep)
            exchange.catch_up(_LAST_TRIES)
    except BaseException as error:
        _tell_failure(lab, plan, error, done)
        told = _as_told(error)
        if told is error:
            raise
        raise told from error
    else:
        _tell_completed(lab, plan, outcome)
        return outcome
    finally:
        running.release()
        log.close()


def _begin(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    coordinator: Coordinator,
    log: Journal,
) -> Lock:
    """Wait until every hospital is ready, then use the study up; closes the log where it fails.

    Raises:
        RoundError, StoreError: nothing has begun.
    """
    try:
        coordinator.assemble(2.0 * plan.study.schedule.round_deadline)
        return _once(lab, folder, plan)
    except KeyboardInterrupt:
        log.close()
        raise RoundError(
            "The run was stopped by hand before it began.",
            whose="the researcher",
            next_step=_NOT_BEGUN,
        ) from None
    except StoreError as error:
        log.close()
        raise StoreError(
            error.what, whose=error.whose, next_step=f"{error.next_step} {_NOT_BEGUN}"
        ) from error
    except BaseException:
        log.close()
        raise


def _tell_completed(lab: PartyFolder, plan: RoundPlan, outcome: Outcome) -> None:
    """Tell the others that the study is completed, and how its quality rule was judged."""
    verdict = _judgement(plan, outcome)
    # the hospitals end by their own deadlines; the result is not lost
    with suppress(StoreError):
        persist(
            lambda: _say_end(lab, plan, "completed", len(outcome.records), verdict),
            float(plan.study.schedule.round_deadline),
        )


def _tell_failure(lab: PartyFolder, plan: RoundPlan, error: BaseException, done: int) -> None:
    """Tell the others that the study is over, whatever happened.

    A store that was tried for a whole deadline is not waited for again.
    """
    code = error.code if isinstance(error, SecureFLError) else RoundError.code
    cause = (error.site, error.ended_with) if isinstance(error, EndedError) else ("", "")
    with suppress(StoreError):
        persist(
            lambda: _say_end(lab, plan, code, done, cause=cause),
            0.0 if isinstance(error, StoreError) else _LAST_TRIES,
        )


def _as_told(error: BaseException) -> BaseException:
    """The error of a run that began, with what it costs; others as they are."""
    if isinstance(error, KeyboardInterrupt):
        return RoundError("The run was stopped by hand.", whose="the researcher", next_step=_OVER)
    if isinstance(error, StoreError):
        return StoreError(
            f"{error.what} It stayed so for a whole round deadline.",
            whose=error.whose,
            next_step=f"{error.next_step} {_OVER}",
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


def _once(lab: PartyFolder, folder: Path, plan: RoundPlan) -> Lock:
    """Use the study up.

    One whose run was killed is ended for the others too, if nobody told them.
    """
    marker = folder / _MARKER
    with suppress(FileExistsError):
        marker.touch(mode=0o600, exist_ok=False)
        lock = Lock(marker)
        lock.take(seconds=1.0)
        return lock
    raise _second(lab, folder, plan)


def was_run(folder: Path) -> bool:
    """True if a run of the study was begun from its folder, however it ended."""
    return (folder / _MARKER).exists()


def is_running(folder: Path) -> bool:
    """True while one is going on."""
    return was_run(folder) and is_held(folder / _MARKER)


def refuse_second(lab: PartyFolder, folder: Path, plan: RoundPlan) -> None:
    """Refuse a study that was run from here before.

    Raises:
        UsageError: it was.
    """
    if was_run(folder):
        raise _second(lab, folder, plan)


def _second(lab: PartyFolder, folder: Path, plan: RoundPlan) -> UsageError:
    if (
        not (folder / RESULT).exists()
        and not is_running(folder)
        and end_of(lab.board, plan) is None
    ):
        _say_end(lab, plan, RoundError.code, 0)
    return UsageError(
        f"{folder.name} was run before.",
        whose="the researcher",
        next_step=(
            "A study runs once. `securefl study report` shows its result; `securefl study new ..."
            " --id NAME` makes another."
        ),
    )


def _judgement(plan: RoundPlan, outcome: Outcome) -> str:
    """Judge the study's quality rule on the charged evaluation; empty where no model is made.

    Hospitals read it in the signed end.
    """
    from securefl.learning.stages.roles import judged_result
    from securefl.learning.tasks import task_of

    rule = plan.study.quality
    if rule is None:
        return ""
    return task_of(plan.study.data).judge(judged_result(outcome.results).evaluation, rule)


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
