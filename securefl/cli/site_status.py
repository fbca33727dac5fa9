"""How a hospital stands, as values for programs and as a page for people."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from securefl.federation.round_plan import RoundPlan
from securefl.files import read_file
from securefl.node.agent import agent_end, agent_state
from securefl.node.leaving import COUNTS
from securefl.node.quality import verdict_of
from securefl.node.requests import kept_requests, study_text
from securefl.node.waiting import waiting_for
from securefl.party.failure_note import reason_of
from securefl.party.pidfile import store_away
from securefl.privacy.planning import share
from securefl.report.quality import quality_words
from securefl.report.status import BudgetLine, StudyLine, site_status
from securefl.study.parse import parse_study

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState


def collect_status(site: Site) -> dict[str, Any]:
    """The values behind ``securefl site status``; also its JSON."""
    state = site.ledger.state
    requests = kept_requests(site)
    desk = _read(site.path / "desk.json")
    agent = agent_state(site)
    away, ended = store_away(agent), agent_end(site)
    studies = [
        _study(site, state, r.digest, r.short) for r in requests if r.digest in state.studies
    ]
    return {
        "site": site.name,
        "running": agent is not None,
        "store_away": None if away is None else {"since": away.since, "reason": away.reason},
        "ended": None if ended is None else {"at": ended.at or None, "reason": ended.reason},
        "paused": state.paused,
        "datasets": [{"name": d.name, "population": d.population} for d in site.settings.datasets],
        "budgets": [_budget(state, p) for p in sorted(state.budgets)],
        "studies": studies,
        "late_replies": sum(s["rows"].get("late", 0) for s in studies),
        "waiting": sum(
            r.digest not in state.studies and not state.declined(r.digest) for r in requests
        ),
        "quarantined": int(desk.get("quarantined", 0)),
    }


def status_page(found: dict[str, Any]) -> RenderableType:
    """The same for people."""
    return site_status(
        site=found["site"],
        running=found["running"],
        paused=found["paused"],
        datasets=[(d["name"], d["population"]) for d in found["datasets"]],
        budgets=[
            BudgetLine(b["population"], Decimal(b["share_used"]), b["room"], b["revoked"])
            for b in found["budgets"]
        ],
        studies=[
            StudyLine(
                s["id"],
                s["state"],
                s["last_round"],
                s["rounds"],
                s["reason"],
                _quality(s),
                s["waits_for"],
            )
            for s in found["studies"]
        ],
        rows=[(s["id"], s["rows"]) for s in found["studies"] if s["rows"]],
        waiting=found["waiting"],
        quarantined=found["quarantined"],
        late_replies=found["late_replies"],
        store_away=found["store_away"]
        and (found["store_away"]["since"], found["store_away"]["reason"]),
        ended=found["ended"] and (found["ended"]["at"] or "", found["ended"]["reason"]),
    )


def _quality(study: dict[str, Any]) -> str | None:
    """How the coordinator judged the study's quality rule; None before its end."""
    return study["quality"] and quality_words(study["quality"], Decimal(study["quality_minimum"]))


def _budget(state: LedgerState, population: str) -> dict[str, Any]:
    budget, used = state.budgets[population], state.used(population)
    mine = [
        s.approval.cost for s in state.studies.values() if s.reservation.population == population
    ]
    like = mine[-1] if mine else budget.typical_cost
    return {
        "population": population,
        "share_used": str(share(used, budget.cap)),
        "room": 0 if budget.revoked else max(0, budget.cap - used) // like,
        "revoked": budget.revoked,
    }


def _study(site: Site, state: LedgerState, digest: str, short: str) -> dict[str, Any]:
    found = state.studies[digest]
    plan = RoundPlan(parse_study(study_text(site, digest)), digest)
    last = max((r for r, _ in found.sent), default=0)
    reason = reason_of(site.path, digest) if found.status == "failed" else None
    folder = site.study_folder(digest)
    return {
        "id": short,
        "state": found.status,
        "last_round": last,
        "rounds": plan.last_round,
        "rows": _read(folder / COUNTS),
        "reason": reason,
        "waits_for": waiting_for(folder) if found.status == "approved" else "",
        "quality": verdict_of(folder),
        "quality_minimum": str(plan.study.quality.minimum),
    }


def _read(file: Path) -> dict[str, Any]:
    """A small file of our own that may not be there yet."""
    try:
        found: dict[str, Any] = json.loads(read_file(file))
    except (OSError, ValueError):
        return {}
    return found
