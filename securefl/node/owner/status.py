"""State of a hospital: its agent, data sets, budgets and studies."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from securefl.federation.round_plan import RoundPlan
from securefl.files import names_in, read_file
from securefl.learning.tasks import task_of
from securefl.node.agent import agent_end, agent_state
from securefl.node.agreements import bound
from securefl.node.leaving import COUNTS
from securefl.node.owner.requests import RequestState, waiting_requests
from securefl.node.quality import verdict_of
from securefl.node.recalled_models import recalled_models
from securefl.node.requests import kept_requests, kept_study
from securefl.node.waiting import waiting_for, waiting_since, waiting_until
from securefl.node.worker_rules import network_allowed
from securefl.party.failure_note import reason_of
from securefl.party.pidfile import store_away
from securefl.privacy.planning import share
from securefl.unchanged_file import UnchangedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site
    from securefl.party.folder import DatasetEntry
    from securefl.party.pidfile import Ended, StoreAway
    from securefl.privacy.ledger_events import Agree
    from securefl.privacy.ledger_state import LedgerState
    from securefl.study.schema import Study


@dataclass(frozen=True)
class BudgetStatus:
    """A population's budget.

    Attributes:
        population: whose patients.
        used: share of the cap, 0 to 1.
        room: how many more studies like the last one fit.
        revoked: the owner took back the rest.
    """

    population: str
    used: Decimal
    room: int
    revoked: bool


@dataclass(frozen=True)
class StudyStatus:
    """An approved study.

    Attributes:
        name: id of the request.
        state: of the study in the ledger.
        last_round: the last one that was answered; 0 for none.
        rounds: how many there are.
        rows: counts of the rows here, as the worker kept them for the owner; empty before.
        reason: why it failed; None where it did not, or where no reason was kept.
        waits_for: what an approved study that has not begun waits for, or who is away in one that
            runs; empty where nobody said.
        waits_since: since when it waits for the same; None where it waits for nothing.
        waits_until: when a running one ends here if that lasts; None where it has no end.
        verdict: how the coordinator judged the study's quality rule; None before its end.
        minimum: the lowest figure that the rule accepts; None where no model is made.
        each: the lowest that it accepts of any hospital; None where it asks for none.
    """

    name: str
    state: RequestState
    last_round: int
    rounds: int
    rows: Mapping[str, Any]
    reason: str | None
    waits_for: str
    verdict: str | None
    minimum: Decimal | None
    each: Decimal | None = None
    waits_since: datetime | None = None
    waits_until: datetime | None = None


@dataclass(frozen=True)
class SiteStatus:
    """All that ``securefl site status`` shows.

    Attributes:
        name: of the hospital.
        running: whether its agent runs.
        paused: whether its owner has paused it.
        store_away: since when the running agent cannot use its store; None where it can.
        ended: how the last agent ended; None while one runs.
        datasets: as they are registered.
        budgets: by population.
        studies: approved ones, oldest request first.
        waiting: requests that wait for a decision.
        quarantined: messages put aside because they did not pass the checks.
        agreements: population → the agreement that binds it now.
        network_allowed: whether the policy gives up the wall before a worker's network.
        recalled: studies whose models other hospitals recalled.
        has_pysyft: whether requests come through PySyft, and not off the board.
    """

    name: str
    running: bool
    paused: bool
    store_away: StoreAway | None
    ended: Ended | None
    datasets: tuple[DatasetEntry, ...]
    budgets: tuple[BudgetStatus, ...]
    studies: tuple[StudyStatus, ...]
    waiting: int
    quarantined: int
    agreements: Mapping[str, Agree]
    network_allowed: bool
    recalled: tuple[str, ...] = ()
    has_pysyft: bool = True

    @property
    def late_replies(self) -> int:
        """Answers that came after their deadline, in all studies."""
        return sum(study.rows.get("late", 0) for study in self.studies)


def read_status(site: Site, *, over: int | None = None) -> SiteStatus:
    """Read how the hospital stands.

    Args:
        site: the hospital.
        over: how many studies that are over are told of, the last ones; None for all.

    Raises:
        UnreadableError: a file of a request or study is broken.
        LedgerAlteredError: the ledger does not hold.
    """
    state = site.ledger.state
    agent = agent_state(site)
    approved = [request for request in kept_requests(site) if request.digest in state.studies]
    told = _last(approved, state, over)
    return SiteStatus(
        name=site.name,
        running=agent is not None,
        paused=state.paused,
        store_away=store_away(agent),
        ended=agent_end(site),
        datasets=site.settings.datasets,
        budgets=budget_statuses(site),
        studies=tuple(_study(site, request) for request in told),
        waiting=len(waiting_requests(site)),
        quarantined=int(_read(site.path / "desk.json").get("quarantined", 0)),
        agreements=bound(site, datetime.now(UTC)),
        network_allowed=network_allowed(site),
        recalled=tuple(dict.fromkeys(model.name for model in recalled_models(site))),
        has_pysyft=site.has_pysyft,
    )


def _last(
    approved: list[KeptRequest],
    state: LedgerState,
    over: int | None,
) -> list[KeptRequest]:
    """All that are not over, and the last of those that are."""
    if over is None:
        return approved
    ended = [request for request in approved if state.studies[request.digest].ended]
    left_out = {request.digest for request in ended[: max(0, len(ended) - over)]}
    return [request for request in approved if request.digest not in left_out]


def agent_runs(site: Site) -> bool:
    """True while an agent takes in requests and runs what was approved."""
    return agent_state(site) is not None


def state_mark(site: Site) -> str:
    """A short text that is another one when a page would say something else.

    It rests on the ledger's end, on what the agent says of itself, on the names of requests, and on
    the times of the folders of studies that go on. Nothing is asked of the store.
    """
    seen = hashlib.sha256(f"{site.ledger.size} {site.ledger.head}\n".encode())
    seen.update(repr(agent_state(site)).encode())
    studies = site.path / "studies"
    with suppress(FileNotFoundError):  # before the first study
        seen.update(_names_once(studies))
    for digest, study in site.ledger.state.studies.items():
        folder = studies / digest
        if not study.ended and folder.exists():
            seen.update(f"\n{digest} {folder.stat().st_mtime_ns}".encode())
    return seen.hexdigest()[:16]


def _hashed_names(folder: Path) -> bytes:
    return hashlib.sha256("\n".join(names_in(folder)).encode()).digest()


#: Asked for every two seconds while a page is open, and once more with each page.
_names_once = UnchangedFiles(_hashed_names)


def budget_statuses(site: Site) -> tuple[BudgetStatus, ...]:
    """Every population's budget, by its name."""
    state = site.ledger.state
    return tuple(_budget(state, population) for population in sorted(state.budgets))


def _budget(state: LedgerState, population: str) -> BudgetStatus:
    budget = state.budgets[population]
    used = state.used(population)
    costs = [
        study.approval.cost
        for study in state.studies.values()
        if study.reservation.population == population
    ]
    like = [budget.typical_cost, *costs][-1]
    room = max(0, budget.cap - used) // like
    if budget.revoked:
        room = 0
    return BudgetStatus(population, share(used, budget.cap), room, budget.revoked)


def _study(site: Site, request: KeptRequest) -> StudyStatus:
    digest = request.digest
    folder = site.study_folder(request.digest)
    found = site.ledger.state.studies[digest]
    state = RequestState(found.status)
    plan = RoundPlan(kept_study(site, digest))
    failed = state is RequestState.FAILED
    waits = state in {RequestState.APPROVED, RequestState.RUNNING}
    return StudyStatus(
        name=request.short,
        state=state,
        last_round=max((number for number, _ in found.sent), default=0),
        rounds=plan.last_round,
        rows=_read(folder / COUNTS),
        reason=reason_of(site.path, digest) if failed else None,
        waits_for=waiting_for(folder) if waits else "",
        verdict=verdict_of(folder),
        minimum=asked_minimum(plan.study),
        each=None if plan.study.quality is None else plan.study.quality.minimum_each,
        waits_since=waiting_since(folder) if waits else None,
        waits_until=waiting_until(folder) if waits else None,
    )


def asked_minimum(study: Study) -> Decimal | None:
    """The lowest figure that a study accepts; None where it asks for none."""
    if study.quality is None or not task_of(study.data).asks(study.quality):
        return None
    return study.quality.minimum


def _read(file: Path) -> dict[str, Any]:
    """A small file of our own that may not be there yet."""
    try:
        found: dict[str, Any] = json.loads(read_file(file))
    except (OSError, ValueError):
        return {}
    return found
