"""Reports on a ledger: one for the owner, one extract for a researcher.

Figures only; pages are made elsewhere. The report's JSON keys are relied on by others. Quantities
are JSON numbers, for display and comparison; a mechanism's parameters stay the exact texts of the
study ("4.98", "1/5"); amounts of the filter are Rényi divergence at its order. Shares are of the
whole budget: used ones rounded up, left ones down.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from securefl.privacy.accounting import epsilon_of_rdp, pld_epsilon
from securefl.privacy.audit_history import History, Json, amount, history, walls_of
from securefl.privacy.charges import all_attempts
from securefl.privacy.ledger_state import fold
from securefl.privacy.mechanisms import decimal_text, ratio_text
from securefl.privacy.planning import share

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from securefl.privacy.charges import ChargeTerms
    from securefl.privacy.ledger_events import Event, Part, Refuse, Sent
    from securefl.privacy.ledger_reading import Reading
    from securefl.privacy.ledger_state import LedgerState, StudyState
    from securefl.privacy.mechanisms import Mechanism

T = TypeVar("T")

#: The report's format; ``docs/audit.schema.json`` describes it.
FORMAT = "securefl-audit/1"
#: Discretisation for a data set's sum over studies: coarser than a study's own, so larger by up to
#: 1e-3 and faster.
_SUM_INTERVAL = 1e-3


@dataclass(frozen=True)
class AuditReport:
    """Everything ``securefl audit --json`` prints; :meth:`to_json` gives exactly these keys.

    Args:
        site: whose ledger.
        populations: ``name``, ``budget`` {epsilon, delta}, ``filter`` {order, cap, used},
            ``share_used``, ``studies_like_last`` (how many more studies like the last one fit),
            ``grants``, ``spending`` (what was charged and granted after each change, never left out
            by ``since``), ``revoked``, ``revocations``.
        datasets: ``name``, ``population``, ``spent`` {epsilon_rdp, epsilon_pld}, ``studies``,
            ``releases``, ``refusals``, ``registered`` (each snapshot's keyed hash).
        refusals_elsewhere: refusals of studies that asked for a data set that is not registered
            here.
        approvals: ``study``, ``id``, ``researcher``, ``statement``, ``agreed_by`` (people who said
            yes before it, where the policy asks two), ``rule`` (of the owner's policy that said
            yes: ``name``, ``policy`` (digest of the signed file); None where the owner did),
            ``at``.
        personalized: personal models that the owner made at home of a completed study's model:
            ``study``, ``id``, ``snapshot`` (the table's keyed hash), ``at``. Nothing was charged.
        excluded: when patients were taken out of a population: ``population``, ``at``. Neither who
            nor how many.
        agreements: of a consortium, that came into force here, the oldest first: ``agreement`` (the
            digest), ``consortium``, ``version``, ``populations``, ``at``, ``departures`` (parties
            that gave notice: ``party``, ``at``, ``effective``).
        pauses: ``at``, ``until`` (None: it lasts), ``note``.
        keys: the hospital's signing keys, the first and those it was changed to: ``key``, ``at``.
        witnessed: the last checkpoint held here of each other hospital's ledger: ``site``,
            ``size``, ``head``, ``at``.
        paused: whether nothing may start or leave.
        verified: whether chain, signatures, rules and the checkpoint (if one was given) hold.
        fault: what does not hold, or None.
        next_step: what to do about the fault, or None.
        head: hash of the last event that holds.
        events: number of events that hold.
    """

    site: str
    populations: tuple[Json, ...]
    datasets: tuple[Json, ...]
    refusals_elsewhere: tuple[Json, ...]
    approvals: tuple[Json, ...]
    personalized: tuple[Json, ...]
    excluded: tuple[Json, ...]
    agreements: tuple[Json, ...]
    pauses: tuple[Json, ...]
    keys: tuple[Json, ...]
    witnessed: tuple[Json, ...]
    paused: bool
    verified: bool
    fault: str | None
    next_step: str | None
    head: str
    events: int

    def to_json(self) -> Json:
        """Write the report as plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"schema": FORMAT} | {
            k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()
        }


@dataclass(frozen=True)
class Sheet:
    """One sheet of a long report: the newest studies and refusals, or some before them.

    Attributes:
        number: 1 for the newest.
        size: how many of each stand on a sheet.
    """

    number: int
    size: int

    def sheets(self, state: LedgerState) -> int:
        """Count the sheets that there are, at least one."""
        longest = max(len(state.studies), len(state.refusals))
        return max(1, -(-longest // self.size))

    def listed(self, entries: Sequence[T]) -> Sequence[T]:
        """Return those on this sheet, of a list in order of time."""
        end = len(entries) - (self.number - 1) * self.size
        return entries[max(0, end - self.size) : max(0, end)]


def audit(
    reading: Reading,
    *,
    since: str | None = None,
    sheet: Sheet | None = None,
    told: History | None = None,
) -> AuditReport:
    """Make the owner's report on a ledger as it was read.

    Args:
        reading: from :func:`~securefl.privacy.ledger_reading.read_ledger`; where it has a fault,
            the report covers the events before it and says so.
        since: leave out releases, refusals, approvals, and studies with nothing new, before this
            UTC time (ISO 8601, compared as text); sums always cover everything.
        sheet: tell of the studies and refusals on this sheet alone; sums cover everything.
        told: the history of exactly these events, where it was read before.
    """
    state = reading.at.state
    after = since or ""
    told = told or history(reading.events)
    studies: Sequence[StudyState] = tuple(state.studies.values())
    refusals: Sequence[Refuse] = state.refusals
    if sheet is not None:
        studies = sheet.listed(studies)
        refusals = sheet.listed(refusals)
    fault = next_step = None
    if reading.fault is not None:
        fault = reading.fault.what
        next_step = reading.fault.next_step
    return AuditReport(
        site=state.site,
        populations=tuple(_population(state, name, told) for name in state.budgets),
        datasets=tuple(
            _dataset(state, name, after, told, studies=studies, refusals=refusals)
            for name in state.datasets
        ),
        refusals_elsewhere=tuple(
            {"dataset": r.dataset, **_refusal(r)}
            for r in refusals
            if r.dataset not in state.datasets and r.at >= after
        ),
        approvals=tuple(_approval(state, s) for s in studies if s.approval.at >= after),
        personalized=tuple(p for p in told.personalized if p["at"] >= after),
        excluded=tuple(x for x in told.excluded if x["at"] >= after),
        agreements=tuple(told.agreements),
        pauses=tuple(
            p for p in told.pauses if (p["until"] or p["at"]) >= after or p["until"] is None
        ),
        keys=tuple(told.keys),
        witnessed=tuple(
            {"site": w.site, "size": w.size, "head": w.head, "at": w.at}
            for w in state.witnessed.values()
        ),
        paused=state.paused,
        verified=reading.fault is None,
        fault=fault,
        next_step=next_step,
        head=reading.at.hash,
        events=reading.at.size,
    )


def extract(events: Iterable[Event], digest: str) -> Json:
    """Give what the researcher of one study may see of this ledger: its charges and releases.

    No other study, no time of another event, no count of events, no share of the budget (which
    would show what the others cost). The data set is named by its keyed hash.

    Raises:
        NotApprovedError: this hospital never approved that digest.
    """
    state = fold(events)
    study = state.study(digest)
    held = study.reservation
    return {
        "site": state.site,
        "study": {
            "id": study.approval.id,
            "digest": digest,
            "status": study.status,
            "approved_at": study.approval.at,
            "ended_at": study.ended_at,
            "statement": study.approval.statement,
            "rule": study.approval.rule,
        },
        "dataset": {"name": held.dataset, "population": held.population, "snapshot": held.snapshot},
        "epsilon": _number(held.epsilon),
        "delta": _number(held.delta),
        "attempts": held.attempts,
        "charges": [_charge(p) for p in held.parts],
        "terms": _terms(held.terms),
        "releases": [{**_release(r), "sha256": r.sha256} for r in study.sent.values()],
    }


def _approval(state: LedgerState, study: StudyState) -> Json:
    """Report the owner's yes to a study."""
    return {
        "study": study.digest,
        "id": study.approval.id,
        "researcher": study.approval.researcher,
        "statement": study.approval.statement,
        "agreed_by": list(state.endorsed.get(study.digest, ())),
        "rule": _rule(state, study),
        "at": study.approval.at,
    }


def _rule(state: LedgerState, study: StudyState) -> Json | None:
    """Name the rule that approved a study, and the policy in which it stands."""
    if study.approval.rule is None:
        return None
    # the fold holds an approval by a rule to that rule's yes
    return {"name": study.approval.rule, "policy": state.delegated[study.digest].policy}


def _number(value: Decimal) -> float:
    return float(value)


def _population(state: LedgerState, name: str, told: History) -> Json:
    """Report a population's budget: grants, use, and room for more studies like the last."""
    budget = state.budgets[name]
    used = state.used(name)
    studies = [s for s in state.studies.values() if s.reservation.population == name]
    last = budget.typical_cost
    if studies:
        last = studies[-1].approval.cost
    room = 0
    if not budget.revoked:
        room = max(0, budget.cap - used) // last
    return {
        "name": name,
        "budget": {"epsilon": _number(budget.epsilon), "delta": _number(budget.delta)},
        "filter": {"order": budget.order, "cap": amount(budget.cap), "used": amount(used)},
        "share_used": _number(share(used, budget.cap)),
        "studies_like_last": room,
        "grants": [
            {
                "epsilon": _number(g.epsilon),
                "delta": _number(g.delta),
                "typical": g.typical,
                "reason": g.reason,
                "at": g.at,
            }
            for g in budget.grants
        ],
        "spending": told.spending.get(name, []),
        "revoked": budget.revoked,
        "revocations": told.revocations.get(name, []),
    }


def _dataset(
    state: LedgerState,
    name: str,
    after: str,
    told: History,
    *,
    studies: Iterable[StudyState],
    refusals: Iterable[Refuse],
) -> Json:
    """Report a data set: what was charged to it, by which studies, and what left the house.

    Args:
        state: of the ledger.
        name: of the data set.
        after: leave out what was before.
        told: what the state does not keep.
        studies: those that are told of; what was spent covers all.
        refusals: that are told of.
    """
    population = state.datasets[name].population
    charged = [s for s in state.studies.values() if s.reservation.dataset == name and s.charged]
    listed = [s for s in studies if s.reservation.dataset == name]
    return {
        "name": name,
        "population": population,
        "spent": _spent(state, population, charged),
        "studies": [_study(state, s, told) for s in listed if _newest(s) >= after],
        "releases": [_release(r) for s in listed for r in s.sent.values() if r.at >= after],
        "refusals": [_refusal(r) for r in refusals if r.dataset == name and r.at >= after],
        "registered": told.snapshots[name],
    }


def _newest(study: StudyState) -> str:
    """Time of the last that happened in a study: its yes, what it sent, or its end."""
    times = [study.approval.at, study.ended_at or ""]
    times += [release.at for release in study.sent.values()]
    return max(times)


def _study(state: LedgerState, study: StudyState, told: History) -> Json:
    """Report a study: what was reserved for it, how it went, and what left."""
    reservation = study.reservation
    charges = []
    for part in reservation.parts:
        single = part.mechanism.with_count(1)
        sent = study.counts.get((part.purpose, single), 0)
        charges.append({**_charge(part), "sent": sent})
    return {
        "id": study.approval.id,
        "digest": study.digest,
        "status": study.status,
        "epsilon": _number(reservation.epsilon),
        "delta": _number(reservation.delta),
        "share": _share(state, study),
        "charges": charges,
        "cost": amount(study.approval.cost),
        "attempts": reservation.attempts,
        "researcher": study.approval.researcher,
        "statement": study.approval.statement,
        "approved_at": study.approval.at,
        "started_at": told.started.get(study.digest),
        "walls": walls_of(told, study.digest),
        "ended_at": study.ended_at,
        "note": told.notes.get(study.digest, ""),
        "answers": len(study.answers),
        "snapshot": reservation.snapshot,
        "accountants": list(reservation.accountants),
        "terms": _terms(reservation.terms),
    }


def _share(state: LedgerState, study: StudyState) -> float:
    return _number(share(study.charged, state.budgets[study.reservation.population].cap))


def _spent(state: LedgerState, population: str, studies: Sequence[StudyState]) -> Json:
    """Tell what is charged to one data set: epsilon at the budget's delta, by each accountant."""
    if not studies:
        return {"epsilon_rdp": 0.0, "epsilon_pld": 0.0}
    budget = state.budgets[population]
    cost = sum(s.charged for s in studies)
    only = studies[0].reservation
    if len(studies) == 1 and only.delta == budget.delta:
        # Worked out when it was reserved: the accountant, slow to load, is not needed.
        tight = only.epsilon
    else:
        tight = pld_epsilon(
            [m for s in studies for m in _mechanisms(s)], budget.delta, interval=_SUM_INTERVAL
        )
    return {
        "epsilon_rdp": _number(epsilon_of_rdp(cost, budget.delta, budget.order)),
        "epsilon_pld": _number(tight),
    }


def _mechanisms(study: StudyState) -> tuple[Mechanism, ...]:
    return all_attempts(study.reservation.parts, study.reservation.attempts)


def _terms(terms: ChargeTerms) -> Json:
    """What the figures rest on; a report says of each study whether its noise is shared."""
    return {**terms.model_dump(mode="json"), "epsilon_if_masks_fail": terms.epsilon_if_masks_fail}


def _plain(mechanism: Mechanism) -> Json:
    return {
        "mechanism": str(mechanism.to_json()["kind"]),
        "noise_multiplier": decimal_text(mechanism.noise_multiplier),
        "sample_rate": ratio_text(mechanism.sample_rate),
        "steps": mechanism.count,
        "noise_parts": mechanism.shares,
    }


def _charge(part: Part) -> Json:
    return {"kind": part.purpose, **_plain(part.mechanism), "cost": amount(part.cost)}


def _release(sent: Sent) -> Json:
    return {
        "study": sent.study,
        "round": sent.round,
        "kind": sent.purpose,
        **_plain(sent.mechanism),
        "at": sent.at,
    }


def _refusal(refuse: Refuse) -> Json:
    return {
        "study": refuse.study,
        "id": refuse.id,
        "researcher": refuse.researcher,
        "reason": refuse.reason,
        "note": refuse.note,
        "asked": None if refuse.asked is None else _number(refuse.asked),
        "left": None if refuse.left is None else _number(refuse.left),
        "at": refuse.at,
    }
