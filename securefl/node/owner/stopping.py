"""Costs of stopping: what leaving a study, or a pause, means for this hospital and for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.federation.round_plan import RoundPlan
from securefl.node.requests import kept_requests, kept_study
from securefl.privacy.planning import share

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site


@dataclass(frozen=True)
class StopCost:
    """What a study has cost so far, and who else takes part.

    Attributes:
        name: of the study.
        begun: whether a round was announced: from then on its budget is charged.
        sent: the last round that was answered; 0 for none.
        rounds: how many there are.
        population: whose budget it is charged to.
        share: what it takes of that budget, 0 to 1.
        others: the other hospitals that take part.
        goes_on: the others go on without a hospital that does not answer.
    """

    name: str
    begun: bool
    sent: int
    rounds: int
    population: str
    share: Decimal
    others: tuple[str, ...]
    goes_on: bool


def stop_costs(site: Site) -> tuple[StopCost, ...]:
    """Every study that is approved or runs.

    Raises:
        UnreadableError: the file of one is broken.
    """
    state = site.ledger.state
    open_studies = {digest for digest, study in state.studies.items() if not study.ended}
    if not open_studies:
        return ()
    asked = (request for request in kept_requests(site) if request.digest in open_studies)
    costs = (stop_cost(site, request) for request in asked)
    return tuple(cost for cost in costs if cost is not None)


def stop_cost(site: Site, request: KeptRequest) -> StopCost | None:
    """One study; None where it was not approved here, or is over: it cannot be stopped.

    Raises:
        UnreadableError: its file is broken.
    """
    state = site.ledger.state
    found = state.studies.get(request.digest)
    if found is None or found.ended:
        return None
    population = found.reservation.population
    sealed = kept_study(site, request.digest)
    return StopCost(
        name=request.short,
        begun=found.started,
        sent=max((number for number, _ in found.sent), default=0),
        rounds=RoundPlan(sealed).last_round,
        population=population,
        share=share(found.approval.cost, state.budgets[population].cap),
        others=tuple(name for name in sealed.study.cohort if name != site.name),
        goes_on=sealed.study.schedule.on_dropout == "continue",
    )
