"""History of a ledger: times and notes that its state does not keep, and spending over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from securefl.privacy.accounting import NANO
from securefl.privacy.ledger_state import LedgerState, apply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.privacy.ledger_events import Agree, Depart, Event, Exclude, Personalize

Json: TypeAlias = "dict[str, Any]"


def amount(nano: int) -> float:
    """Turn nano units into Rényi divergence."""
    return nano / NANO


@dataclass
class History:
    """Facts that only the events have.

    When a study started and why it was left, snapshots, revocations, personal models, agreements, pauses,
    keys, and each population's budget over time.
    """

    started: dict[str, str] = field(default_factory=dict)
    #: Walls that held round the worker of each study when it started.
    walls: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, list[Json]] = field(default_factory=dict)
    revocations: dict[str, list[Json]] = field(default_factory=dict)
    personalized: list[Json] = field(default_factory=list)
    excluded: list[Json] = field(default_factory=list)
    agreements: list[Json] = field(default_factory=list)
    pauses: list[Json] = field(default_factory=list)
    keys: list[Json] = field(default_factory=list)
    spending: dict[str, list[Json]] = field(default_factory=dict)
    #: Events that were read so far, and the state after them as far as charges go.
    size: int = 0
    state: LedgerState = field(default_factory=LedgerState)


def walls_of(told: History, study: str) -> list[str] | None:
    """Walls of a study's worker, as its start names them; None where it names none."""
    held = told.walls.get(study)
    if held is None:
        return None
    return list(held)


def history(events: Sequence[Event], told: History | None = None) -> History:
    """Read the history of a valid ledger.

    Args:
        events: all of them.
        told: the history of the first of these events, which is continued in place.
    """
    told = told or History()
    for e in events[told.size :]:
        # Neither kind changes what is charged, so the fold need not follow them.
        if e.kind not in {"sent", "answer"}:
            before = told.state
            told.state = apply(before, e)
            _note_spending(told, before, told.state, e.at)
        _note_facts(told, told.state, e)
        told.size += 1
    return told


def _note_facts(told: History, state: LedgerState, e: Event) -> None:
    """Note what the state after an event does not keep of it."""
    match e.kind:
        case "genesis" | "rotate":
            told.keys.append({"key": e.key, "at": e.at})
        case "start":
            told.started[e.study] = e.at
            told.walls[e.study] = e.walls
        case "withdraw":
            told.notes[e.study] = e.note
        case "dataset":
            snapshots = told.snapshots.setdefault(e.name, [])
            snapshots.append({"at": e.at, "snapshot": e.snapshot})
        case "revoke":
            revocations = told.revocations.setdefault(e.population, [])
            revocations.append({"at": e.at, "note": e.note})
        case "personalize" | "exclude":
            _note_own_use(told, state, e)
        case "agree" | "depart":
            _note_agreement(told, e)
        case "pause" if not told.pauses or told.pauses[-1]["until"] is not None:
            told.pauses.append({"at": e.at, "until": None, "note": e.note})
        case "resume" if told.pauses:
            told.pauses[-1]["until"] = told.pauses[-1]["until"] or e.at


def _note_own_use(told: History, state: LedgerState, e: Personalize | Exclude) -> None:
    """Note what the owner did with the tables, and of which nothing left."""
    if e.kind == "exclude":
        told.excluded.append({"population": e.population, "at": e.at})
        return
    told.personalized.append(
        {
            "study": e.study,
            "id": state.study(e.study).approval.id,
            "snapshot": e.snapshot,
            "at": e.at,
        }
    )


def _note_agreement(told: History, e: Agree | Depart) -> None:
    """Note an agreement, or a notice under the one that it is about."""
    if e.kind == "agree":
        told.agreements.append(
            {
                "agreement": e.agreement,
                "consortium": e.consortium,
                "version": e.version,
                "populations": list(e.populations),
                "at": e.at,
                "departures": [],
            }
        )
        return
    agreed = next(a for a in told.agreements if a["agreement"] == e.agreement)
    agreed["departures"].append({"party": e.party, "at": e.at, "effective": e.effective})


def _note_spending(
    told: History,
    before: LedgerState,
    after: LedgerState,
    at: str,
) -> None:
    """Note use (``used``) and grants (``cap``) after a change, in the filter's unit."""
    for name, budget in after.budgets.items():
        regranted = before.budgets.get(name) is not budget
        # A state shares with the one before what an event left alone, so identity is enough to
        # skip the sums.
        studies_changed = after.studies is not before.studies
        if not regranted and not studies_changed:
            continue
        used = after.used(name)
        if not regranted and used == before.used(name):
            continue
        figures = {"used": amount(used), "cap": amount(budget.cap)}
        steps = told.spending.setdefault(name, [])
        last = {key: steps[-1][key] for key in figures} if steps else None
        if figures != last:
            steps.append({"at": at, **figures})
