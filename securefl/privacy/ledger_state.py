"""What a ledger means: its state is a fold over its events, and the fold refuses every event that
breaks a rule.

The same transition decides before an event is written and when it is read again, so nothing that
would be refused can hide in a valid chain. The rules:

1. genesis comes first, and once.
2. a grant adds epsilon to its population at the delta and order of the first grant. After a
   revocation it adds to what was used by then, not to the earlier grants.
3. a data set keeps its population for ever, and so does a table under any name.
4. an approval is followed at once by its reservation, of the same cost; together with all that is
   charged to the population it stays within the cap; a digest is approved once and never after the
   owner refused it.
5. a start uses the approval up; once.
6. what is sent belongs to a running study and to a mechanism it reserved, within the reserved
   number of steps; one contribution per study, round and kind.
7. an ended study sends nothing. Its charge stays, unless it never started.
8. during a pause nothing starts and nothing is sent.
9. a running study gives one unmasking answer for a round, whatever the attempt.
10. a budget that its owner took back pays for nothing until the next grant; what is reserved stays
    reserved, and what a study reserved before and never started comes back to the owner alone.
11. after a rotation the new key signs; no key comes back.
12. a checkpoint of another hospital never contradicts an earlier one: its ledger only grows.
13. a personal model is made of a study that was completed here. It stays at home, so it charges
    nothing, and a pause does not forbid it.
14. an agreement binds its populations. Another one can only supersede it, as a later version, or
    follow when this hospital has left it and its notice is over; none comes back.
15. a party gives notice of leaving an agreement that is in force, once.
16. patients are taken out of a population that has a data set. What was spent on them stays spent.
17. a person endorses a study before it is decided, once.
18. a file that the owner signed is in force by its digest, until another one is or none.
19. a rule of the policy in force says yes to a study before it is decided, and only where no word
    of a person was given on it. An approval that names a rule follows that rule's yes, while the
    policy is still in force.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from securefl.errors import BudgetError, NotApprovedError, RoundError, UntrustedError, UsageError
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import NANO
from securefl.privacy.ledger_agreements import agree, depart
from securefl.privacy.ledger_delegation import check_delegated, delegate, own_file
from securefl.privacy.ledger_facts import BUDGET, Budget, LedgerState, Status, StudyState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from securefl.privacy.charges import Purpose
    from securefl.privacy.mechanisms import Mechanism

__all__ = ["BUDGET", "Budget", "LedgerState", "Status", "StudyState", "apply", "fold"]


def fold(events: Iterable[ev.Event], state: LedgerState | None = None) -> LedgerState:
    """Return the state after ``events``.

    Raises:
        SecureFLError: the first event that breaks a rule, with the error of that rule.
    """
    return reduce(apply, events, state or LedgerState())


def apply(state: LedgerState, event: ev.Event) -> LedgerState:
    """Return the state after one more event.

    Raises:
        UsageError, BudgetError, NotApprovedError, RoundError: the event breaks a rule; the state is
            unchanged.
    """
    # Rule 1: a state has no site exactly until its genesis.
    if (not state.site) != isinstance(event, ev.Genesis):
        raise UsageError(
            "A ledger begins with its genesis, and has one.",
            next_step="`securefl site init` makes a ledger.",
        )
    # Rule 4: between an approval and its reservation nothing else may stand.
    if state.pending is not None and not (
        isinstance(event, ev.Reserve) and event.study == state.pending.study
    ):
        raise BudgetError(
            "An approval was not followed by its reservation.", next_step="Approve the study again."
        )
    transition: Callable[[LedgerState, ev.Event], LedgerState] = _TRANSITIONS[event.kind]  # type: ignore[assignment]
    return transition(state, event)


def _genesis(state: LedgerState, event: ev.Genesis) -> LedgerState:
    """Rule 1, whose first half :func:`apply` checks."""
    return replace(state, site=event.site, key=event.key, keys=(event.key,))


def _grant(state: LedgerState, event: ev.Grant) -> LedgerState:
    """Rules 2 and 10: a grant adds to its population, and opens a budget that was taken back."""
    old = state.budgets.get(event.population)
    # Costs at two orders cannot be added, and the cap is worked out for one delta.
    if old and (old.delta, old.order) != (event.delta, event.order):
        raise UsageError(
            f"The budget of {event.population!r} has delta {old.delta} and order {old.order}; a"
            " later grant keeps both.",
            whose="the data owner",
            next_step=f"Grant with delta {old.delta} at order {old.order}.",
        )
    cost = sum(p.cost for p in event.typical_parts)
    grants: tuple[ev.Grant, ...] = ()
    held: frozenset[str] = frozenset()
    if old:
        grants = old.grants
        held = old.held
    budget = Budget(
        event.population,
        state.epsilon_after(event.population, event.epsilon),
        event.delta,
        event.order,
        event.typical,
        cost,
        (*grants, event),
        held=held,
    )
    if event.epsilon <= 0 or cost < 1:
        raise UsageError(
            "A grant adds an epsilon above 0 and names a typical study.", next_step="State both."
        )
    # The order was chosen for studies like the typical one. Where not even one fits, the budget
    # would be announced and could never be used.
    if budget.cap - state.used(event.population) < cost:
        raise BudgetError(
            f"Epsilon {budget.epsilon} in all could not pay for one more study like"
            f" {event.typical!r}: it would be spent for nothing.",
            whose="the data owner",
            next_step="Grant more, choose another order, or name a typical study that costs less.",
        )
    return replace(state, budgets={**state.budgets, event.population: budget})


def _dataset(state: LedgerState, event: ev.Dataset) -> LedgerState:
    """Rule 3: no name and no table moves to another population."""
    old = state.datasets.get(event.name)
    if old and old.population != event.population:
        raise UsageError(
            f"The data set {event.name!r} belongs to the patients of {old.population!r}; moving it"
            " would give them a second budget.",
            whose="the data owner",
            next_step="Keep its population, or register other patients' data under another name.",
        )
    # The same table under a second name would give its patients a second budget.
    known = state.tables.get(event.snapshot, event.population)
    if known != event.population:
        raise UsageError(
            f"This very table is registered here for the patients of {known!r}; under"
            f" {event.population!r} they would have a second budget.",
            whose="the data owner",
            next_step=(
                f"Register it for {known!r}; studies of both names then spend from one budget."
            ),
        )
    return replace(
        state,
        datasets={**state.datasets, event.name: event},
        tables={**state.tables, event.snapshot: event.population},
    )


def _approve(state: LedgerState, event: ev.Approve) -> LedgerState:
    """Rule 4: once a digest, never after a refusal, and pending until its reservation."""
    if event.study in state.studies:
        raise NotApprovedError(
            f"The study {event.id!r} was approved here already; an approval is given and used"
            " once.",
            next_step="An edited study has another digest and can be asked for anew.",
        )
    if state.declined(event.study):
        raise NotApprovedError(
            f"The study {event.id!r} was refused here; a refusal of a digest is final.",
            whose="the researcher",
            next_step="Ask for an edited study: it has another digest.",
        )
    check_delegated(state, event)
    return replace(state, pending=event)


def _reserve(state: LedgerState, event: ev.Reserve) -> LedgerState:
    """Rules 4 and 10: a reservation fits its approval, its data set and what is left."""
    approval = state.pending
    if approval is None:
        raise NotApprovedError(
            "A reservation needs the approval of the same study before it.",
            next_step="Approve the study.",
        )
    dataset = state.dataset(event.dataset)
    budget = state.open_budget(event.population)
    # The snapshot too: what the owner approved is the table as it was registered at that moment.
    if (
        dataset.population != event.population
        or budget.order != event.order
        or dataset.snapshot != event.snapshot
    ):
        raise UsageError(
            f"The reservation does not fit the data set {event.dataset!r} and its budget.",
            next_step="Review the study again.",
        )
    # Both events are written together, but read apart: an auditor need not believe that.
    cost = sum(p.cost for p in event.parts)
    if cost < 1 or cost != approval.cost:
        raise BudgetError(
            "A reservation costs what its approval says, and not nothing.",
            next_step="Review the study again.",
        )
    if cost > budget.cap - state.used(event.population):
        raise BudgetError(
            f"The study {approval.id!r} costs more than is left of the budget of"
            f" {event.population!r}.",
            next_step="Ask for fewer steps or more noise, or grant more.",
        )
    return _with(replace(state, pending=None), StudyState(approval, event))


def _with(state: LedgerState, study: StudyState) -> LedgerState:
    """Return the state with this study, new or in the place of the one before, and its charge."""
    before = state.studies.get(study.digest)
    changed = study.charged
    if before is not None:
        changed -= before.charged
    charges = state.charges
    if changed:
        population = study.reservation.population
        charges = {**charges, population: charges.get(population, 0) + changed}
    studies = {**state.studies, study.digest: study}
    return replace(state, studies=studies, charges=charges)


def _not_paused(state: LedgerState) -> None:
    """Rule 8."""
    if state.paused:
        raise NotApprovedError(
            "This hospital is paused: nothing starts and nothing is sent.",
            next_step="`securefl site start` resumes.",
        )


def _not_ended(study: StudyState) -> None:
    """Rule 7."""
    if study.ended:
        raise NotApprovedError(
            f"The study {study.approval.id!r} has ended here ({study.status}).",
            next_step="Ask for a new study to go on.",
        )


def _start(state: LedgerState, event: ev.Start) -> LedgerState:
    """Rules 5, 7 and 8."""
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
    """Count the releases of exactly this kind, noise and rate reserved in all attempts."""
    return study.reservation.attempts * sum(
        p.mechanism.count
        for p in study.reservation.parts
        if p.purpose == purpose and p.mechanism.with_count(1) == one
    )


def _sent(state: LedgerState, event: ev.Sent) -> LedgerState:
    """Rules 6, 7 and 8: one contribution a round and kind, within what was reserved."""
    study = state.study(event.study)
    _not_paused(state)
    _not_ended(study)
    if not study.started:
        raise NotApprovedError(
            f"The study {study.approval.id!r} was not started here.", next_step="Start it first."
        )
    slot = (event.round, event.purpose)
    if slot in study.sent:
        raise RoundError(
            f"This hospital already sent its {event.purpose} for round {event.round} of"
            f" {study.approval.id!r}.",
            whose="this hospital",
            next_step=(
                "Send the same bytes again, or end the study: there is one contribution per round."
            ),
        )
    # Counted by noise and rate, not by the word alone: a release with less noise under the same
    # word has another price, and nobody paid for it.
    kind = (event.purpose, event.mechanism.with_count(1))
    reserved = _reserved(study, *kind)
    before = study.counts.get(kind, 0)
    after = before + event.mechanism.count
    if after > reserved:
        raise BudgetError(
            f"The study {study.approval.id!r} reserved {reserved} releases of this kind and sent"
            f" {before}; {event.mechanism.count} more are not paid for.",
            whose="the researcher",
            next_step="End the study; a longer one needs its own approval.",
        )
    return _with(
        state,
        replace(study, sent={**study.sent, slot: event}, counts={**study.counts, kind: after}),
    )


def _answer(state: LedgerState, event: ev.Answer) -> LedgerState:
    """Rules 7, 8 and 9."""
    study = state.study(event.study)
    _not_paused(state)
    _not_ended(study)
    if not study.started:
        raise NotApprovedError(
            f"The study {study.approval.id!r} was not started here.", next_step="Start it first."
        )
    # By round and not by attempt: two answers to two attempts open two sets, whose difference is one
    # hospital's numbers.
    if event.round in study.answers:
        raise RoundError(
            f"This hospital already gave its unmasking answer for round {event.round} of"
            f" {study.approval.id!r}.",
            whose="this hospital",
            next_step=(
                "Give the same answer again, or end the study: a second one could open another set"
                " of hospitals."
            ),
        )
    return _with(state, replace(study, answers={**study.answers, event.round: event}))


def _end(
    state: LedgerState,
    digest: str,
    status: ev.Ending,
    at: str,
) -> LedgerState:
    """Rules 7 and 10: end a study; what it frees after a revocation is not for spending."""
    study = state.study(digest)
    _not_ended(study)
    if status == "completed" and not study.started:
        raise UsageError(
            f"The study {study.approval.id!r} never started, so it is not completed.",
            next_step="Settle it as failed.",
        )
    return _with(_kept_back(state, study), replace(study, status=status, ended_at=at))


def _kept_back(state: LedgerState, study: StudyState) -> LedgerState:
    """Let the cap fall with the use where a study frees what its owner took back.

    It was reserved before a revocation and never started. While the budget is still revoked nothing
    is done: the next grant counts the use anew.
    """
    population = study.reservation.population
    budget = state.budgets[population]
    if study.started or study.digest not in budget.held or budget.revoked:
        return state
    smaller = replace(
        budget,
        epsilon=budget.epsilon - Decimal(study.charged) / NANO,
        held=budget.held - {study.digest},
    )
    return replace(state, budgets={**state.budgets, population: smaller})


def _settle(state: LedgerState, event: ev.Settle) -> LedgerState:
    return _end(state, event.study, event.status, event.at)


def _withdraw(state: LedgerState, event: ev.Withdraw) -> LedgerState:
    return _end(state, event.study, "withdrawn", event.at)


def _refuse(state: LedgerState, event: ev.Refuse) -> LedgerState:
    """Rule 4, from the other side: what was approved is withdrawn, not refused."""
    if event.study in state.studies:
        raise UsageError(
            f"The study {event.id!r} was approved here; it can be withdrawn, not refused.",
            next_step="`securefl site withdraw`.",
        )
    return replace(state, refusals=(*state.refusals, event))


def _personalize(state: LedgerState, event: ev.Personalize) -> LedgerState:
    """Rule 13: the owner's own use is noted, and nothing else follows from it."""
    study = state.study(event.study)
    if study.status != "completed":
        raise UsageError(
            f"The study {study.approval.id!r} was not completed here ({study.status}): it has no"
            " model to make a personal one of.",
            next_step="`securefl site status` shows how the studies stand.",
        )
    return state


def _exclude(state: LedgerState, event: ev.Exclude) -> LedgerState:
    """Rule 16: the newest list of those who are out holds."""
    if event.population not in {d.population for d in state.datasets.values()}:
        raise UsageError(
            f"No data set was registered here for the patients of {event.population!r}.",
            next_step="`securefl site data list` shows the populations.",
        )
    return replace(state, excluded={**state.excluded, event.population: event.list})


def _endorse(state: LedgerState, event: ev.Endorse) -> LedgerState:
    """Rule 17: the people's words come before the hospital's."""
    before = state.endorsed.get(event.study, ())
    if event.study in state.studies or state.declined(event.study) or event.person in before:
        raise NotApprovedError(
            "This study was decided here before, or this person agreed to it before.",
            next_step="`securefl site inbox` shows the decision.",
        )
    return replace(state, endorsed={**state.endorsed, event.study: (*before, event.person)})


def _pause(state: LedgerState, _event: ev.Pause) -> LedgerState:
    return replace(state, paused=True)


def _resume(state: LedgerState, _event: ev.Resume) -> LedgerState:
    return replace(state, paused=False)


def _revoke(state: LedgerState, event: ev.Revoke) -> LedgerState:
    """Rule 10: close a budget, and note what was reserved and never started."""
    budget = state.open_budget(event.population)
    waiting = frozenset(
        d
        for d, s in state.studies.items()
        if s.reservation.population == event.population and not s.started and not s.ended
    )
    revoked = replace(budget, revoked=True, held=waiting)
    return replace(state, budgets={**state.budgets, event.population: revoked})


def _rotate(state: LedgerState, event: ev.Rotate) -> LedgerState:
    """Rule 11."""
    # Whoever kept the old key could sign again if it came back.
    if event.key in state.keys:
        raise UsageError(
            "This key signed the ledger before; a new one is needed.",
            whose="the data owner",
            next_step="Make a fresh key.",
        )
    return replace(state, key=event.key, keys=(*state.keys, event.key))


def _checkpoint(state: LedgerState, event: ev.Witness) -> LedgerState:
    """Rule 12."""
    if event.site == state.site:
        raise UsageError(
            "A ledger holds the checkpoints of others, not its own.",
            next_step="Give yours to the other hospitals.",
        )
    # The same size is fine with the same head: nothing happened there meanwhile.
    old = state.witnessed.get(event.site)
    if old and (event.size < old.size or (event.size == old.size and event.head != old.head)):
        raise UntrustedError(
            f"The ledger of {event.site} had {old.size} events and now shows {event.size}: it was"
            " cut, restored or rewritten.",
            whose=event.site,
            next_step=(
                f"Tell {event.site}; run nothing with it until its ledger is the one you know."
            ),
        )
    return replace(state, witnessed={**state.witnessed, event.site: event})


_TRANSITIONS = {
    "genesis": _genesis,
    "grant": _grant,
    "dataset": _dataset,
    "approve": _approve,
    "reserve": _reserve,
    "start": _start,
    "sent": _sent,
    "answer": _answer,
    "settle": _settle,
    "refuse": _refuse,
    "withdraw": _withdraw,
    "personalize": _personalize,
    "exclude": _exclude,
    "endorse": _endorse,
    "own-file": own_file,
    "delegate": delegate,
    "agree": agree,
    "depart": depart,
    "pause": _pause,
    "resume": _resume,
    "revoke": _revoke,
    "rotate": _rotate,
    "checkpoint": _checkpoint,
}
