"""Event stream of a run at its researcher (:mod:`securefl.party.events`), and what it says now.

A run that was interrupted goes over its rounds again; each stands in the stream once.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from securefl.party.events import EVENTS, Event, EventLog, read_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from securefl.federation.exchange import Waiting
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord

#: Seconds of a wait before it is an event: a round of a second waits for nobody.
PATIENCE: Final = 3.0
#: Rounds whose pace says when the run will be over.
_LAST_ROUNDS: Final = 10


class RunEvents:
    """Tells the stream of one run.

    Args:
        folder: of the study at its researcher.
        plan: the study.
        now: the wall clock.
    """

    def __init__(
        self,
        folder: Path,
        plan: RoundPlan,
        now: Callable[[], datetime],
    ) -> None:
        self._plan = plan
        self._now = now
        self._told = max((e.round or 0 for e in read_events(folder / EVENTS)), default=0)
        self._log = EventLog(folder / EVENTS, now)
        self._waited: tuple[str, ...] = ()

    def begun(self) -> None:
        """Every hospital is ready, and the rounds begin or go on."""
        self._log.tell("run-begun", self._plan.digest, rounds=self._plan.last_round)

    def waiting(self, waiting: Waiting) -> None:
        """A round waits; it is told once for each set of parties that it waits for."""
        if waiting.seconds < PATIENCE or waiting.names == self._waited:
            return
        self._waited = waiting.names
        since = self._now() - timedelta(seconds=waiting.seconds)
        self._log.tell(
            "waiting",
            self._plan.digest,
            round=self._told + 1,
            sites=waiting.names,
            since=since.replace(microsecond=0),
        )

    def paused(self, until: datetime) -> None:
        """The next round waits for the study's hours."""
        until = until.replace(microsecond=0)
        self._log.tell("paused", self._plan.digest, round=self._told + 1, until=until)

    def opened(self, record: RoundRecord) -> None:
        """A round's sum was opened."""
        self._waited = ()
        if record.round <= self._told:
            return
        self._told = record.round
        self._log.tell(
            "round-opened",
            self._plan.digest,
            round=record.round,
            rounds=self._plan.last_round,
            release=record.kind,
            sites=tuple(sorted(record.contributions)),
            upload_bytes=record.upload_bytes,
        )

    def stopped(self) -> None:
        """The process ends, and the next run goes on."""
        self._log.tell("run-stopped", self._plan.digest)

    def ended(self, code: str) -> None:
        """The study is over.

        Args:
            code: ``completed``, or the code that the others are told.
        """
        self._log.tell("run-ended", self._plan.digest, code=code)

    def close(self) -> None:
        """Close the stream."""
        self._log.close()


@dataclass(frozen=True)
class RunNow:
    """State of a run, as its stream says.

    Attributes:
        state: ``not-begun``, ``paused`` (before its first round), ``running``, ``stopped`` or ``ended``.
        code: how it ended; empty before.
        done: rounds that were opened.
        rounds: how many there are; 0 before the run began.
        waits_for: whom the round waits for; empty where for nobody.
        since: since when.
        until: when the next round may begin, where the study's hours keep it; else None.
        last: when the last event was.
        lost: hospitals that were in a sum and are not in the newest one.
        pace: median seconds between the last opened rounds; None before there are two.
        opened: when each round was opened, in order.
    """

    state: str = "not-begun"
    code: str = ""
    done: int = 0
    rounds: int = 0
    waits_for: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    last: datetime | None = None
    lost: tuple[str, ...] = ()
    pace: float | None = None
    opened: tuple[datetime, ...] = ()
    sites: tuple[str, ...] = ()

    @property
    def over_at(self) -> datetime | None:
        """When the last round will be opened, if the rest takes as long as the last rounds did."""
        if self.state != "running" or self.pace is None:
            return None
        return self.opened[-1] + timedelta(seconds=self.pace * (self.rounds - self.done))

    def after(self, event: Event) -> RunNow:
        """State of the run with one more event."""
        now = replace(self, last=event.at, until=event.until)
        match event.event:
            case "paused" if self.state != "running":
                now = replace(now, state="paused")
            case "run-begun":
                now = replace(now, state="running", rounds=event.rounds or 0)
            case "waiting":
                now = replace(now, waits_for=event.sites, since=event.since)
            case "round-opened":
                now = self._opened(event)
            case "run-stopped":
                now = replace(now, state="stopped", waits_for=(), since=None)
            case "run-ended":
                code = event.code or ""
                now = replace(now, state="ended", code=code, waits_for=(), since=None)
        return now

    def _opened(self, event: Event) -> RunNow:
        opened = (*self.opened, event.at)
        last = opened[-_LAST_ROUNDS:]
        between = [(b - a).total_seconds() for a, b in pairwise(last)]
        gone = {*self.sites, *self.lost} - set(event.sites)
        return replace(
            self,
            done=event.round or self.done,
            waits_for=(),
            since=None,
            until=None,
            sites=event.sites,
            last=event.at,
            lost=tuple(sorted(gone)),
            pace=statistics.median(between) if between else None,
            opened=opened,
        )


def run_now(events: Iterable[Event]) -> RunNow:
    """Fold a stream."""
    now = RunNow()
    for event in events:
        now = now.after(event)
    return now
