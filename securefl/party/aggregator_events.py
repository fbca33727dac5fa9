"""Event stream of an aggregator (:mod:`securefl.party.events`), and what it says now of each study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from securefl.party.events import EVENTS, Event, EventLog
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Aggregation

#: A wait before it is an event, and between two events of one wait.
PATIENCE: Final = timedelta(seconds=3)
#: Codes of a study that ended well, as far as its aggregator knows.
ENDED_WELL: Final = frozenset({"completed", "all-added", "closed"})


class AggregatorEvents:
    """Tells the stream of one aggregator.

    Args:
        folder: the aggregator's.
        now: the wall clock.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._now = now
        self._log = EventLog(folder / EVENTS, now)
        self._waits: dict[str, tuple[int, tuple[str, ...], datetime]] = {}

    def serving(self, plan: RoundPlan) -> None:
        """A study is served from now on."""
        name = StudyId(plan.study.study.id, plan.digest).name
        self._log.tell("serving", plan.digest, name=name, rounds=plan.last_round)

    def waiting(
        self,
        plan: RoundPlan,
        number: int,
        sites: tuple[str, ...],
        since: datetime,
    ) -> None:
        """A round waits; told once for each set of hospitals, and not of a short wait."""
        now = self._now()
        before, waited_for, told = self._waits.get(plan.digest, (0, (), since))
        if not sites or now - told < PATIENCE or (before, waited_for) == (number, sites):
            return
        self._waits[plan.digest] = (number, sites, now)
        self._log.tell(
            "waiting",
            plan.digest,
            round=number,
            sites=sites,
            since=since.replace(microsecond=0),
        )

    def summed(self, plan: RoundPlan, number: int, added: Aggregation) -> None:
        """The sum of a round is in the store."""
        self._waits.pop(plan.digest, None)
        self._log.tell(
            "summed",
            plan.digest,
            round=number,
            rounds=plan.last_round,
            sites=added.contributors,
            upload_bytes=added.frame_bytes,
        )

    def ended(self, plan: RoundPlan, code: str) -> None:
        """A study is over here."""
        self._waits.pop(plan.digest, None)
        self._log.tell("ended", plan.digest, code=code)

    def close(self) -> None:
        """Close the stream."""
        self._log.close()


@dataclass(frozen=True)
class ServedStudy:
    """One study at its aggregator, as the stream says.

    Attributes:
        digest: of the study.
        name: as people call it; empty where the stream no longer says it.
        rounds: how many it has; 0 where the stream no longer says it.
        done: the last round of which the sum was posted.
        received: bytes of all contributions that were added.
        waits_for: whom the round waits for; empty where for nobody.
        since: since when.
        code: how it ended; empty before.
        last: when the last event was.
    """

    digest: str
    name: str = ""
    rounds: int = 0
    done: int = 0
    received: int = 0
    waits_for: tuple[str, ...] = ()
    since: datetime | None = None
    code: str = ""
    last: datetime | None = None

    @property
    def failed(self) -> bool:
        """True where it ended with the code of a failure."""
        return bool(self.code) and self.code not in ENDED_WELL

    def after(self, event: Event) -> ServedStudy:
        """State with one more event."""
        now = replace(self, last=event.at)
        match event.event:
            case "serving":
                name = event.name or ""
                now = replace(now, name=name, rounds=event.rounds or 0, code="")
            case "waiting":
                now = replace(now, waits_for=event.sites, since=event.since)
            case "summed":
                received = self.received + len(event.sites) * (event.upload_bytes or 0)
                done = event.round or self.done
                now = replace(now, done=done, received=received, waits_for=(), since=None)
            case "ended":
                now = replace(now, code=event.code or "", waits_for=(), since=None)
        return now


def served_studies(events: Iterable[Event]) -> tuple[ServedStudy, ...]:
    """Fold a stream: the studies in the order in which they came."""
    found: dict[str, ServedStudy] = {}
    for event in events:
        before = found.get(event.study, ServedStudy(event.study))
        found[event.study] = before.after(event)
    return tuple(found.values())
