"""What a ledger means: its state is a fold over its events, and the fold refuses every event that breaks a rule.

The same transition decides before an event is written and when it is read again, so nothing that would be refused
can hide in a valid chain. The rules:

1. genesis comes first, and once.
2. a grant adds epsilon to its population at the delta and order of the first grant.
3. a data set keeps its population for ever.
4. an approval is followed at once by its reservation, of the same cost; together with all that is charged to the
   population it stays within the cap; a digest is approved once and never after the owner refused it.
5. a start uses the approval up; once.
6. what is sent belongs to a running study and to a mechanism it reserved, within the reserved number of steps;
   one contribution per study, round and kind.
7. an ended study sends nothing. Its charge stays, unless it never started.
8. during a pause nothing starts and nothing is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal, TypeAlias

from securefl.errors import BudgetError, NotApprovedError, RoundError, UsageError
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import rdp_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

    from securefl.privacy.charges import Purpose
    from securefl.privacy.mechanisms import Mechanism

Status: TypeAlias = Literal["approved", "running", "completed", "failed", "withdrawn"]


@dataclass(frozen=True)
class Budget:
    """A population's grants together. ``cap`` is nano units at ``order``."""

    population: str
    epsilon: Decimal
    delta: Decimal
    order: int
    typical: str
    typical_cost: int
    grants: tuple[ev.Grant, ...]

    @property
    def cap(self) -> int:
        """The most that all studies together may cost."""
        return rdp_cap(self.epsilon, self.delta, self.order)


@dataclass(frozen=True)
class StudyState:
    """One approved study: its approval, its reservation, and what it sent."""

    approval: ev.Approve
    reservation: ev.Reserve
    status: Status = "approved"
    started: bool = False
    sent: Mapping[tuple[int, Purpose], ev.Sent] = field(default_factory=dict)
    #: How many single releases of each kind were sent, kept beside so that a fold stays linear.
    counts: Mapping[tuple[Purpose, Mechanism], int] = field(default_factory=dict)
    ended_at: str | None = None

    @property
    def digest(self) -> str:
        """The study's digest."""
        return self.approval.study

    @property
    def ended(self) -> bool:
        """Whether nothing more can be sent."""
        return self.status in {"completed", "failed", "withdrawn"}

    @property
    def charged(self) -> int:
        """What the study takes from the budget, in nano units: all it reserved, unless it ended before it started."""
        return 0 if self.ended and not self.started else self.approval.cost


@dataclass(frozen=True)
class LedgerState:
    """Everything the ledger says, after some number of events."""

    site: str = ""
    key: str = ""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    datasets: Mapping[str, ev.Dataset] = field(default_factory=dict)
    studies: Mapping[str, StudyState] = field(default_factory=dict)
    refusals: tuple[ev.Refuse, ...] = ()
    paused: bool = False
    #: An approval whose reservation must be the next event.
    pending: ev.Approve | None = None

    def used(self, population: str) -> int:
        """What is charged to a population, in nano units: a sum of integers, in any order the same."""
        return sum(s.charged for s in self.studies.values() if s.reservation.population == population)

    def budget(self, population: str) -> Budget:
        """The population's budget.

        Raises:
            BudgetError: none was granted.
        """
        if population not in self.budgets:
            raise BudgetError(
                f"No budget was granted for the patients of {population!r}.",
                whose="the data owner",
                next_step="`securefl site budget set` grants one.",
            )
        return self.budgets[population]

    def dataset(self, name: str) -> ev.Dataset:
        """A registered data set.

        Raises:
            UsageError: no such data set.
        """
        if name not in self.datasets:
            raise UsageError(
                f"No data set {name!r} is registered here.", whose="the data owner", next_step="`securefl site data add` registers one."
            )
        return self.datasets[name]

    def study(self, digest: str) -> StudyState:
        """An approved study.

        Raises:
            NotApprovedError: this hospital never approved that digest.
        """
        if digest not in self.studies:
            raise NotApprovedError(
                f"The study with digest {digest[:16]}… was not approved here.", next_step="`securefl site inbox` lists what waits for a decision."
            )
        return self.studies[digest]

    def declined(self, digest: str) -> bool:
        """Whether the owner refused this digest; a refusal for lack of budget is not the owner's no."""
        return any(r.study == digest and r.reason != BUDGET for r in self.refusals)


#: The reason code of a refusal by the filter.
BUDGET = "budget"


def fold(events: Iterable[ev.Event], state: LedgerState | None = None) -> LedgerState:
    """The state after ``events``.

    Raises:
        SecureFLError: the first event that breaks a rule, with the error of that rule.
    """
    return reduce(apply, events, state or LedgerState())


def apply(state: LedgerState, event: ev.Event) -> LedgerState:
    """The state after one more event.

    Raises:
        UsageError, BudgetError, NotApprovedError, RoundError: the event breaks a rule; the state is unchanged.
    """
    if (not state.site) != isinstance(event, ev.Genesis):
        raise UsageError("A ledger begins with its genesis, and has one.", next_step="`securefl site init` makes a ledger.")
    if state.pending is not None and not (isinstance(event, ev.Reserve) and event.study == state.pending.study):
        raise BudgetError("An approval was not followed by its reservation.", next_step="Approve the study again.")
    transition: Callable[[LedgerState, ev.Event], LedgerState] = _TRANSITIONS[event.kind]  # type: ignore[assignment]
    return transition(state, event)


def _genesis(state: LedgerState, event: ev.Genesis) -> LedgerState:
    return replace(state, site=event.site, key=event.key)


def _grant(state: LedgerState, event: ev.Grant) -> LedgerState:
    old = state.budgets.get(event.population)
    if old and (old.delta, old.order) != (event.delta, event.order):
        raise UsageError(
            f"The budget of {event.population!r} has delta {old.delta} and order {old.order}; a later grant keeps both.",
            whose="the data owner",
            next_step=f"Grant with delta {old.delta} at order {old.order}.",
        )
    cost = sum(p.cost for p in event.typical_parts)
    budget = Budget(
        event.population, event.epsilon + (old.epsilon if old else 0), event.delta, event.order, event.typical, cost,
        (*(old.grants if old else ()), event),
    )
    if event.epsilon <= 0 or cost < 1:
        raise UsageError("A grant adds an epsilon above 0 and names a typical study.", next_step="State both.")
    if budget.cap - state.used(event.population) < cost:
        raise BudgetError(
            f"Epsilon {budget.epsilon} in all could not pay for one more study like {event.typical!r}: it would be spent for nothing.",
            whose="the data owner",
            next_step="Grant more, choose another order, or name a typical study that costs less.",
        )
    return replace(state, budgets={**state.budgets, event.population: budget})


def _dataset(state: LedgerState, event: ev.Dataset) -> LedgerState:
    old = state.datasets.get(event.name)
    if old and old.population != event.population:
        raise UsageError(
            f"The data set {event.name!r} belongs to the patients of {old.population!r}; moving it would give them a second budget.",
            whose="the data owner",
            next_step="Keep its population, or register other patients' data under another name.",
        )
    return replace(state, datasets={**state.datasets, event.name: event})


def _approve(state: LedgerState, event: ev.Approve) -> LedgerState:
    if event.study in state.studies:
        raise NotApprovedError(
            f"The study {event.id!r} was approved here already; an approval is given and used once.",
            next_step="An edited study has another digest and can be asked for anew.",
        )
    if state.declined(event.study):
        raise NotApprovedError(
            f"The study {event.id!r} was refused here; a refusal of a digest is final.",
            whose="the researcher",
            next_step="Ask for an edited study: it has another digest.",
        )
    return replace(state, pending=event)


def _reserve(state: LedgerState, event: ev.Reserve) -> LedgerState:
    approval = state.pending
    if approval is None:
        raise NotApprovedError("A reservation needs the approval of the same study before it.", next_step="Approve the study.")
    dataset, budget = state.dataset(event.dataset), state.budget(event.population)
    if dataset.population != event.population or budget.order != event.order or dataset.snapshot != event.snapshot:
        raise UsageError(
            f"The reservation does not fit the data set {event.dataset!r} and its budget.", next_step="Review the study again."
        )
    cost = sum(p.cost for p in event.parts)
    if cost < 1 or cost != approval.cost:
        raise BudgetError("A reservation costs what its approval says, and not nothing.", next_step="Review the study again.")
    if cost > budget.cap - state.used(event.population):
        raise BudgetError(
            f"The study {approval.id!r} costs more than is left of the budget of {event.population!r}.",
            next_step="Ask for fewer steps or more noise, or grant more.",
        )
    study = StudyState(approval, event)
    return replace(state, pending=None, studies={**state.studies, event.study: study})


def _with(state: LedgerState, study: StudyState) -> LedgerState:
    return replace(state, studies={**state.studies, study.digest: study})


def _not_paused(state: LedgerState) -> None:
    if state.paused:
        raise NotApprovedError("This hospital is paused: nothing starts and nothing is sent.", next_step="`securefl site start` resumes.")


def _not_ended(study: StudyState) -> None:
    if study.ended:
        raise NotApprovedError(
            f"The study {study.approval.id!r} has ended here ({study.status}).", next_step="Ask for a new study to go on."
        )


def _start(state: LedgerState, event: ev.Start) -> LedgerState:
    study = state.study(event.study)
    _not_paused(state)
    _not_ended(study)
    if study.started:
        raise NotApprovedError(
            f"The approval of {study.approval.id!r} is used up: the study was started before.",
            whose="the researcher",
            next_step="Ask for a new study; what this one reserved stays charged.",
        )
    return _with(state, replace(study, status="running", started=True))


def _reserved(study: StudyState, purpose: Purpose, one: Mechanism) -> int:
    """How many releases of exactly this kind, noise and rate were reserved, over all attempts."""
    return study.reservation.attempts * sum(
        p.mechanism.count for p in study.reservation.parts if p.purpose == purpose and p.mechanism.with_count(1) == one
    )


def _sent(state: LedgerState, event: ev.Sent) -> LedgerState:
    study = state.study(event.study)
    _not_paused(state)
    _not_ended(study)
    if not study.started:
        raise NotApprovedError(f"The study {study.approval.id!r} was not started here.", next_step="Start it first.")
    slot = (event.round, event.purpose)
    if slot in study.sent:
        raise RoundError(
            f"This hospital already sent its {event.purpose} for round {event.round} of {study.approval.id!r}.",
            whose="this hospital",
            next_step="Send the same bytes again, or end the study: there is one contribution per round.",
        )
    kind = (event.purpose, event.mechanism.with_count(1))
    reserved, before = _reserved(study, *kind), study.counts.get(kind, 0)
    after = before + event.mechanism.count
    if after > reserved:
        raise BudgetError(
            f"The study {study.approval.id!r} reserved {reserved} releases of this kind and sent {before}; "
            f"{event.mechanism.count} more are not paid for.",
            whose="the researcher",
            next_step="End the study; a longer one needs its own approval.",
        )
    return _with(state, replace(study, sent={**study.sent, slot: event}, counts={**study.counts, kind: after}))


def _end(state: LedgerState, digest: str, status: ev.Ending, at: str) -> LedgerState:
    study = state.study(digest)
    _not_ended(study)
    if status == "completed" and not study.started:
        raise UsageError(f"The study {study.approval.id!r} never started, so it is not completed.", next_step="Settle it as failed.")
    return _with(state, replace(study, status=status, ended_at=at))


def _settle(state: LedgerState, event: ev.Settle) -> LedgerState:
    return _end(state, event.study, event.status, event.at)


def _withdraw(state: LedgerState, event: ev.Withdraw) -> LedgerState:
    return _end(state, event.study, "withdrawn", event.at)


def _refuse(state: LedgerState, event: ev.Refuse) -> LedgerState:
    if event.study in state.studies:
        raise UsageError(
            f"The study {event.id!r} was approved here; it can be withdrawn, not refused.", next_step="`securefl site withdraw`."
        )
    return replace(state, refusals=(*state.refusals, event))


def _pause(state: LedgerState, _event: ev.Pause) -> LedgerState:
    return replace(state, paused=True)


def _resume(state: LedgerState, _event: ev.Resume) -> LedgerState:
    return replace(state, paused=False)


_TRANSITIONS = {
    "genesis": _genesis,
    "grant": _grant,
    "dataset": _dataset,
    "approve": _approve,
    "reserve": _reserve,
    "start": _start,
    "sent": _sent,
    "settle": _settle,
    "refuse": _refuse,
    "withdraw": _withdraw,
    "pause": _pause,
    "resume": _resume,
}
