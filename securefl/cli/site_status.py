"""``securefl site status``: how a hospital stands, as values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.utc_times import time_text

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.node.owner.status import SiteStatus, StudyStatus


def status_json(found: SiteStatus) -> dict[str, Any]:
    """The state as ``--json`` writes it."""
    away = found.store_away
    ended = found.ended
    return {
        "site": found.name,
        "running": found.running,
        "store_away": None if away is None else {"since": away.since, "reason": away.reason},
        "ended": None if ended is None else {"at": ended.at or None, "reason": ended.reason},
        "paused": found.paused,
        "requests": "pysyft" if found.has_pysyft else "board",
        "datasets": [{"name": d.name, "population": d.population} for d in found.datasets],
        "budgets": [
            {
                "population": budget.population,
                "share_used": str(budget.used),
                "room": budget.room,
                "revoked": budget.revoked,
            }
            for budget in found.budgets
        ],
        "studies": [_study_json(study) for study in found.studies],
        "late_replies": found.late_replies,
        "waiting": found.waiting,
        "quarantined": found.quarantined,
        "recalled_models": list(found.recalled),
        "agreements": [
            {
                "population": population,
                "consortium": agreed.consortium,
                "version": agreed.version,
                "agreement": agreed.agreement,
            }
            for population, agreed in found.agreements.items()
        ],
    }


def _moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    return time_text(at)


def _study_json(study: StudyStatus) -> dict[str, Any]:
    return {
        "id": study.name,
        "state": study.state.value,
        "last_round": study.last_round,
        "rounds": study.rounds,
        "rows": study.rows,
        "reason": study.reason,
        "waits_for": study.waits_for,
        "waits_since": _moment(study.waits_since),
        "waits_until": _moment(study.waits_until),
        "quality": study.verdict,
        "quality_minimum": None if study.minimum is None else str(study.minimum),
    }
