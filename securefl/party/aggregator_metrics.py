"""Metrics of an aggregator for its own monitoring: states and public numbers, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.party.aggregator_events import served_studies
from securefl.party.events import EVENTS, read_events
from securefl.party.pidfile import last_turn, running_process, store_away

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.party.aggregator_events import ServedStudy
    from securefl.party.folder import PartyFolder

#: The role's word in its folder.
ROLE: Final = "aggregator"


@dataclass(frozen=True)
class AggregatorMetrics:
    """All that is measured.

    Attributes:
        aggregator: its name.
        running: whether it runs.
        turned: when it last went through its work; None where it does not run.
        store_reached: whether a running one can use its store.
        coordinators: how many it trusts.
        studies: that its event stream tells of, the oldest first.
    """

    aggregator: str
    running: bool
    turned: datetime | None
    store_reached: bool
    coordinators: int
    studies: tuple[ServedStudy, ...]

    @property
    def served(self) -> tuple[ServedStudy, ...]:
        """Studies that are not over."""
        return tuple(study for study in self.studies if not study.code)


def read_aggregator_metrics(here: PartyFolder) -> AggregatorMetrics:
    """Read them from what the process says of itself, and from the event stream."""
    state = running_process(here.path, ROLE)
    return AggregatorMetrics(
        aggregator=here.name,
        running=state is not None,
        turned=last_turn(here.path, ROLE),
        store_reached=state is not None and store_away(state) is None,
        coordinators=len(here.book.cards()),
        studies=served_studies(read_events(here.path / EVENTS)),
    )
