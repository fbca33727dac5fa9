"""Value objects that everything shares which works on one approved study at this hospital."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.node.launcher import Worker
from securefl.node.worker_question import Asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.node.site import Site
    from securefl.party.events import EventKind, EventLog


def _none() -> int:
    return 0


@dataclass(frozen=True)
class OwnStudy:
    """An approved study at this hospital.

    Args:
        site: the hospital.
        plan: the approved study.
        say: writes a line to the owner's own log.
        now: the wall clock, for the schedule.
        clock: the monotonic clock, in seconds.
        events: the hospital's event stream; None where nobody looks on.
        ready_elsewhere: counts other studies that have not begun and said that they are ready.
    """

    site: Site
    plan: RoundPlan
    say: Callable[[str], None]
    now: Callable[[], datetime]
    clock: Callable[[], float]
    events: EventLog | None = None
    ready_elsewhere: Callable[[], int] = _none

    def tell(self, event: EventKind, **facts: object) -> None:
        """Note in the event stream that something happened to the study."""
        if self.events is not None:
            self.events.tell(event, self.plan.digest, rounds=self.plan.last_round, **facts)

    @property
    def folder(self) -> Path:
        """Where this hospital keeps what it has of the study."""
        return self.site.study_folder(self.plan.digest)


@dataclass(frozen=True)
class WorkerDoor:
    """How the agent reaches the process that trains; the defaults are those of every real run.

    Args:
        start: starts the process.
        ask: asks it without waiting for it.
    """

    start: Callable[..., Worker] = Worker
    ask: Callable[[Callable[[], Any]], Asked[Any]] = Asked


@dataclass(frozen=True)
class LedgerWitness:
    """The other hospitals' word on what this one's ledger was: the guard against an old copy.

    Args:
        agreed: whether they have said that it forgot nothing.
        unheard: whose word is missing while they have not, for the owner's screen.
    """

    agreed: Callable[[], bool]
    unheard: Callable[[], str]
