"""Hooks by which an aggregator at work tells what happens to the studies that it serves.

Whoever looks on decides nothing: the sums are the same with and without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Aggregation


class AggregatorWatch(Protocol):
    """Somebody who looks on."""

    def serving(self, plan: RoundPlan) -> None:
        """A study is served from now on."""

    def waiting(
        self,
        plan: RoundPlan,
        number: int,
        sites: tuple[str, ...],
        since: datetime,
    ) -> None:
        """Round ``number`` is not complete: these hospitals are waited for. Told often."""

    def summed(self, plan: RoundPlan, number: int, added: Aggregation) -> None:
        """The sum of round ``number`` is in the store."""

    def ended(self, plan: RoundPlan, code: str) -> None:
        """A study is over here.

        Args:
            plan: the study.
            code: ``completed``; ``all-added`` where every round was; ``closed`` by its schedule; or
                the public code of what failed.
        """


class NoWatch(AggregatorWatch):
    """Nobody looks on."""
