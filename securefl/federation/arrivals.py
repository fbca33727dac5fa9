"""Contributions are fetched and checked as they come, while the other hospitals are still at work.

Anybody can write into the store, so what does not pass its checks under a hospital's name is not there yet: it is looked at
again until the round's deadline, and then the hospital is named as missing, with what was found in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation import paths
from securefl.secagg.frame import contribution_bytes

if TYPE_CHECKING:
    from securefl.federation.rounds import Plan
    from securefl.secagg.facts import RoundFacts
    from securefl.secagg.frame import Contribution
    from securefl.store import Store


class Arrivals:
    """One round's contributions as far as they came.

    Attributes:
        frames: hospital → its frame, of those in ``checked``.
        checked: hospital → that frame, read with the facts of this reader.
        refused: hospital → why what lies under its name is no contribution of this round.
    """

    def __init__(self, store: Store, plan: Plan, facts: RoundFacts) -> None:
        self.frames: dict[str, bytes] = {}
        self.checked: dict[str, Contribution] = {}
        self.refused: dict[str, str] = {}
        self._store, self._plan, self._facts = store, plan, facts
        self._at = paths.RoundPaths(plan.digest, facts.round, facts.attempt)
        self._limit = contribution_bytes(facts)

    def look(self) -> bool:
        """Take in one that is new; whether there was one.

        Raises:
            StoreError: the store is away.
        """
        for site in self._store.list(self._at.contributions):
            if site not in self._facts.cohort or site in self.checked:
                continue
            try:
                frame = self._store.get(self._at.contribution(site), self._limit) or b""
                (self.checked[site],) = self._plan.read_contributions({site: frame}, self._facts)
            except MessageError as error:
                self.refused[site] = error.what
                continue
            self.frames[site] = frame
            return True
        return False

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals whose contribution is not there yet."""
        return tuple(s for s in self._facts.cohort if s not in self.checked)

    def missing_words(self) -> str:
        """The missing hospitals by name, each with what was found in its place."""
        return "; ".join(f"{s} ({self.refused[s]})" if s in self.refused else s for s in self.missing)
