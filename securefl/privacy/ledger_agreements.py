"""Rules 14 and 15 of the ledger (:mod:`securefl.privacy.ledger_state`): the agreement that binds a
population, and who leaves it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.errors import NotApprovedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.privacy import ledger_events as ev
    from securefl.privacy.ledger_facts import LedgerState


def binding(state: LedgerState, population: str, at: datetime) -> ev.Agree | None:
    """The agreement that binds a population; None where none does, or where this hospital left it
    and its notice is over.
    """
    found = state.agreements.get(population)
    if found is None:
        return None
    own = state.departures.get((found.agreement, state.site))
    if own is not None and moment(own.effective) <= at:
        return None
    return found


def departed(state: LedgerState, agreement: str) -> dict[str, datetime]:
    """Parties that left an agreement (its digest), and from when on."""
    return {
        party: moment(event.effective)
        for (digest, party), event in state.departures.items()
        if digest == agreement
    }


def moment(text: str) -> datetime:
    """A time of the ledger, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def agree(state: LedgerState, event: ev.Agree) -> LedgerState:
    """Rule 14. A version that was replaced never comes back: its articles may have been laxer."""
    if event.agreement in state.agreed:
        raise UsageError(
            f"Version {event.version} of the agreement {event.consortium!r} was in force here"
            " before; none comes back.",
            next_step="Ask for the newest version of the consortium's folder.",
        )
    before = [a for a in state.agreements.values() if a.agreement == event.supersedes]
    if any(a.version >= event.version for a in before):
        raise UsageError(
            f"Version {event.version} of {event.consortium!r} is no later one than"
            f" {before[0].version}.",
            next_step="Ask for the newest version of the consortium's folder.",
        )
    for population in event.populations:
        _check_free(state, population, event)
    kept = _without(state.agreements.items(), event.supersedes)
    return replace(
        state,
        agreements={**kept, **dict.fromkeys(event.populations, event)},
        agreed=state.agreed | {event.agreement},
    )


def _check_free(state: LedgerState, population: str, event: ev.Agree) -> None:
    """Refuse to bind a population that another agreement binds."""
    found = binding(state, population, moment(event.at))
    if found is None or found.agreement == event.supersedes:
        return
    raise NotApprovedError(
        f"The patients of {population!r} are bound by version {found.version} of"
        f" {found.consortium!r}, which this agreement does not supersede.",
        next_step=(
            "Ask for the version that follows the one in force, or leave that one first with"
            " `securefl consortium leave`."
        ),
    )


def _without(agreements: Iterable[tuple[str, ev.Agree]], digest: str | None) -> dict[str, ev.Agree]:
    """Agreements by population, without those of a digest."""
    return {population: agreed for population, agreed in agreements if agreed.agreement != digest}


def depart(state: LedgerState, event: ev.Depart) -> LedgerState:
    """Rule 15."""
    if event.agreement not in {a.agreement for a in state.agreements.values()}:
        raise UsageError(
            "The notice is about an agreement that is not in force here.",
            next_step="`securefl consortium check` says which one is.",
        )
    place = (event.agreement, event.party)
    if place in state.departures:
        raise UsageError(
            f"{event.party} gave its notice before: it counts from then.",
            next_step="Nothing needs to be done.",
        )
    return replace(state, departures={**state.departures, place: event})
