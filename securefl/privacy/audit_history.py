"""How a ledger came to say what it says: times and notes that its state does not keep, and spending over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from securefl.privacy.accounting import NANO, rdp_cap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.privacy.ledger_events import Event
    from securefl.privacy.ledger_facts import Budget, StudyState

Json: TypeAlias = "dict[str, Any]"


def amount(nano: int) -> float:
    """Nano units as Rényi divergence."""
    return nano / NANO


@dataclass
class History:
    """What only the events say: when a study started and why it was left, snapshots, revocations, pauses, keys."""

    started: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    snapshots: dict[str, list[Json]] = field(default_factory=dict)
    revocations: dict[str, list[Json]] = field(default_factory=dict)
    pauses: list[Json] = field(default_factory=list)
    keys: list[Json] = field(default_factory=list)


def history(events: Iterable[Event]) -> History:
    """The history of a valid ledger."""
    told = History()
    for e in events:
        match e.kind:
            case "genesis" | "rotate":
                told.keys.append({"key": e.key, "at": e.at})
            case "start":
                told.started[e.study] = e.at
            case "withdraw":
                told.notes[e.study] = e.note
            case "dataset":
                told.snapshots.setdefault(e.name, []).append({"at": e.at, "snapshot": e.snapshot})
            case "revoke":
                told.revocations.setdefault(e.population, []).append({"at": e.at, "note": e.note})
            case "pause" if not told.pauses or told.pauses[-1]["until"] is not None:
                told.pauses.append({"at": e.at, "until": None, "note": e.note})
            case "resume" if told.pauses:
                told.pauses[-1]["until"] = told.pauses[-1]["until"] or e.at
    return told


def spending(budget: Budget, studies: Sequence[StudyState]) -> list[Json]:
    """What was charged (``used``) and granted (``cap``) after each change, in the filter's unit, in the order of time."""
    granted, changes = Decimal(0), []
    for g in budget.grants:
        before = rdp_cap(granted, g.delta, g.order) if granted else 0
        granted += g.epsilon
        changes.append((g.at, rdp_cap(granted, g.delta, g.order) - before, 0))
    for s in studies:
        changes.append((s.approval.at, 0, s.approval.cost))
        if s.ended_at is not None and not s.charged:  # it never started: what it reserved came back
            changes.append((s.ended_at, 0, -s.approval.cost))
    steps, cap, used = [], 0, 0
    for at, more_cap, more_used in sorted(changes, key=lambda c: c[0]):
        cap, used = cap + more_cap, used + more_used
        steps.append({"at": at, "used": amount(used), "cap": amount(cap)})
    return steps
