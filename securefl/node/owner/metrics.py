"""Metrics of a hospital's agent for its own monitoring: states and public numbers, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.federation.round_plan import RoundPlan
from securefl.node.agent import agent_state
from securefl.node.owner.requests import waiting_requests
from securefl.node.owner.round_models import charged_looks
from securefl.node.owner.status import budget_statuses
from securefl.node.requests import kept_requests, kept_study
from securefl.party.events import EVENTS, read_events
from securefl.party.pidfile import last_turn, store_away

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from securefl.learning.looks import Look
    from securefl.node.site import Site


@dataclass(frozen=True)
class StudyMetrics:
    """One approved study.

    Attributes:
        study: name of its request.
        state: in the ledger.
        rounds: how many it has.
        answered: the last round that was answered; 0 before.
        look: the newest charged figure on the way of a study that runs; None where there is none.
    """

    study: str
    state: str
    rounds: int
    answered: int
    look: Look | None = None


@dataclass(frozen=True)
class SiteMetrics:
    """All that is measured.

    Attributes:
        site: name of the hospital.
        running: whether its agent runs.
        paused: whether its owner has paused it.
        store_reached: whether a running agent can use its store.
        waiting: requests that wait for a decision.
        budgets: population → share of its budget that is used, 0 to 1.
        studies: approved ones.
        events: kind of event → when the last one was.
        turned: when the agent last went through its work; None where it does not run.
    """

    site: str
    running: bool
    paused: bool
    store_reached: bool
    waiting: int
    budgets: dict[str, Decimal]
    studies: tuple[StudyMetrics, ...]
    events: dict[str, datetime]
    turned: datetime | None = None


def read_metrics(site: Site) -> SiteMetrics:
    """Read them from the ledger, from what the agent says of itself, and from the event stream.

    Raises:
        LedgerAlteredError: the ledger does not hold.
    """
    state = site.ledger.state
    agent = agent_state(site)
    events = {event.event: event.at for event in read_events(site.path / EVENTS)}
    studies = []
    for request in kept_requests(site):
        found = state.studies.get(request.digest)
        if found is None:
            continue
        answered = max((number for number, _ in found.sent), default=0)
        plan = RoundPlan(kept_study(site, request.digest))
        measured = StudyMetrics(
            request.short,
            found.status,
            plan.last_round,
            answered,
            _newest_look(site, plan),
        )
        studies.append(measured)
    return SiteMetrics(
        site=site.name,
        running=agent is not None,
        paused=state.paused,
        store_reached=agent is not None and store_away(agent) is None,
        waiting=len(waiting_requests(site)),
        budgets={budget.population: budget.used for budget in budget_statuses(site)},
        studies=tuple(studies),
        events={str(kind): at for kind, at in events.items()},
        turned=last_turn(site.path, "agent"),
    )


def _newest_look(site: Site, plan: RoundPlan) -> Look | None:
    """The newest look at a training, of which the noise leaves something to say."""
    found = charged_looks(site, plan)
    if found is None or not found.looks[-1].known:
        return None
    return found.looks[-1]
