"""Who masks with whom, and who holds shares for whom: in a survivor round, everybody with
everybody.

Work and bytes grow with the square of the cohort, which studies of up to 100 hospitals bear
(decision 13). The wire names degree and share threshold, so that a graph with fewer edges is
another round.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Neighbours:
    """The complete graph of one round's cohort.

    Args:
        cohort: everybody who may contribute, sorted.
        share_threshold: answers that restore a seed.
    """

    cohort: tuple[str, ...]
    share_threshold: int

    @property
    def degree(self) -> int:
        """Neighbours of each hospital."""
        return len(self.cohort) - 1

    def of(self, name: str) -> tuple[str, ...]:
        """The neighbours of ``name``, sorted; itself is none of them."""
        return tuple(other for other in self.cohort if other != name)

    def holders(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - the same for everybody
        """Who holds shares of the seeds of ``name``, sorted: its neighbours and itself."""
        return self.cohort
