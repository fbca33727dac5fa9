"""Contributions are fetched and checked as they come, while the other hospitals are still at work.

Only the time of a check moves: what fails here is left as if it had not been looked at, and is refused in the end by whoever
needs the whole cohort, with the same words.
"""

from __future__ import annotations

import contextlib
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
    """

    def __init__(self, store: Store, plan: Plan, facts: RoundFacts) -> None:
        self.frames: dict[str, bytes] = {}
        self.checked: dict[str, Contribution] = {}
        self._store, self._plan, self._facts = store, plan, facts
        self._at = paths.RoundPaths(plan.digest, facts.round, facts.attempt)
        self._limit = contribution_bytes(facts)
        self._looked: set[str] = set()

    def look(self) -> bool:
        """Take in one that is new; whether there was one.

        Raises:
            StoreError: the store is away.
        """
        new = [site for site in self._store.list(self._at.contributions) if site in self._facts.cohort and site not in self._looked]
        if not new:
            return False
        site = new[0]
        with contextlib.suppress(MessageError):
            frame = self._store.get(self._at.contribution(site), self._limit) or b""
            (self.checked[site],) = self._plan.read_contributions({site: frame}, self._facts)
            self.frames[site] = frame
        self._looked.add(site)
        return True

    @property
    def complete(self) -> bool:
        """Whether something came from every hospital, checked or not."""
        return self._looked == set(self._facts.cohort)

    def all_frames(self) -> dict[str, bytes]:
        """The frames of the whole cohort as far as they are there; those that were not checked are fetched again.

        Raises:
            MessageError: one is longer than any contribution can be.
            StoreError: the store is away.
        """
        rest = {s: self._store.get(self._at.contribution(s), self._limit) for s in self._facts.cohort if s not in self.frames}
        found = {**self.frames, **{site: frame for site, frame in rest.items() if frame is not None}}
        return {site: found[site] for site in self._facts.cohort if site in found}
