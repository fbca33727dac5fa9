"""Metrics of a researcher's runs for their own monitoring: states and public numbers, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from securefl.party.events import EVENTS, read_events
from securefl.researcher.run_events import run_now
from securefl.researcher.run_study import is_running

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.party.events import Event


@dataclass(frozen=True)
class RunMetrics:
    """One study at its researcher.

    Attributes:
        study: its name.
        running: whether a process runs it now.
        state: ``not-begun``, ``paused``, ``running``, ``stopped`` or ``ended``.
        code: how it ended; empty before.
        done: rounds that were opened.
        rounds: how many the study has.
        received: bytes of all contributions in the opened sums.
        waits_for: whom the round waits for; empty where for nobody.
        since: since when.
        deadline: when the round that waits fails without them; None where none waits.
        until: when the next round may begin, where the study's hours keep it.
        over_at: when it will be over at this pace; None where nobody can say.
        last: when the last event was.
    """

    study: str
    running: bool
    state: str
    code: str
    done: int
    rounds: int
    received: int
    waits_for: tuple[str, ...]
    since: datetime | None
    deadline: datetime | None
    until: datetime | None
    over_at: datetime | None
    last: datetime | None

    @property
    def failed(self) -> bool:
        """True where it ended otherwise than completed."""
        return self.state == "ended" and self.code != "completed"


def read_run_metrics(name: str, folder: Path, plan: RoundPlan) -> RunMetrics:
    """Read them from a study's event stream.

    Args:
        name: of the study.
        folder: of the study at its researcher.
        plan: the study.
    """
    events = tuple(read_events(folder / EVENTS))
    now = run_now(events)
    deadline = None
    if now.since is not None:
        deadline = now.since + timedelta(seconds=plan.study.schedule.round_deadline)
    return RunMetrics(
        study=name,
        running=is_running(folder),
        state=now.state,
        code=now.code,
        done=now.done,
        rounds=plan.last_round,
        received=_received(events),
        waits_for=now.waits_for,
        since=now.since,
        deadline=deadline,
        until=now.until,
        over_at=now.over_at,
        last=now.last,
    )


def _received(events: Iterable[Event]) -> int:
    """Bytes of the contributions in the sums that were opened."""
    opened = (event for event in events if event.event == "round-opened")
    return sum(len(event.sites) * (event.upload_bytes or 0) for event in opened)
