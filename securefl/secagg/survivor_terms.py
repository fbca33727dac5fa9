"""The terms of a round that survives losses: the facts of the round, who must be left, and who
holds shares for whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from securefl.errors import StudyError
from securefl.secagg.neighbours import COMPLETE_UP_TO, Neighbours, plan_degree
from securefl.signed import canonical

if TYPE_CHECKING:
    from securefl.secagg.round_context import RoundContext


@dataclass(frozen=True)
class SurvivorTerms:
    """Everything that masks, shares and statements of such a round are bound to; two parties with
    different terms share nothing.

    Args:
        facts: the facts of the round; their cohort is everybody who may contribute.
        min_contributors: t, the fewest hospitals whose sum is opened, and the fewest signatures
            under a survivor set.
        colluders: c, how many hospitals may collude with coordinator and aggregator.
        neighbours: the graph; :meth:`for_round` makes the one that the numbers call for.

    Raises:
        StudyError: 2·t > K + c, t >= c + 2 or t <= K does not hold (rule 4), or a graph of another
            cohort.
    """

    facts: RoundContext
    min_contributors: int
    colluders: int
    neighbours: Neighbours

    def __post_init__(self) -> None:
        t, c, k = self.min_contributors, self.colluders, len(self.facts.cohort)
        if c < 0 or t < c + 2 or t > k or 2 * t <= k + c:
            raise StudyError(
                f"min_contributors {t} with {k} hospitals and {c} colluders: two sets could be"
                " opened in one round, or a set too small.",
                next_step=f"Take min_contributors from {max(c + 2, (k + c) // 2 + 1)} to {k}.",
            )
        if sorted(self.neighbours.ring) != list(self.facts.cohort):
            raise StudyError(
                "The neighbour graph is one of another cohort.",
                next_step="Draw it for the round's cohort.",
            )
        least = self.neighbours.least_threshold(t, c)
        if not least <= self.neighbours.share_threshold <= self.neighbours.degree + 1:
            raise StudyError(
                f"A seed that {self.neighbours.share_threshold} shares restore is not safe here; it"
                f" takes at least {least}.",
                next_step="Let SurvivorTerms.for_round choose the graph.",
            )

    @classmethod
    def for_round(
        cls,
        facts: RoundContext,
        *,
        min_contributors: int,
        colluders: int,
        ring_seed: str = "",
        dropouts: int | None = None,
    ) -> SurvivorTerms:
        """The terms that these public numbers call for: everybody with everybody up to 20
        hospitals, a drawn graph beyond.

        Args:
            facts: the facts of the round.
            min_contributors: t.
            colluders: c.
            ring_seed: from :func:`securefl.secagg.nonces.ring_seed`; needed beyond 20 hospitals.
            dropouts: random losses the graph must bear; the most that t allows unless said
                otherwise.

        Raises:
            StudyError: the numbers break rule 4, or more than 20 hospitals and no seed.
        """
        cohort = facts.cohort
        lost = len(cohort) - min_contributors if dropouts is None else dropouts
        sparse = len(cohort) > COMPLETE_UP_TO and 0 <= colluders < min_contributors and lost >= 0
        degree = plan_degree(len(cohort), colluders, lost) if sparse else None
        if degree is None:
            return cls(
                facts, min_contributors, colluders, Neighbours.complete(cohort, min_contributors)
            )
        if not ring_seed:
            raise StudyError(
                f"{len(cohort)} hospitals need a neighbour graph, and its seed was not drawn.",
                next_step="Collect every hospital's nonce first.",
            )
        return cls(facts, min_contributors, colluders, Neighbours.sparse(cohort, degree, ring_seed))

    @property
    def cohort(self) -> tuple[str, ...]:
        """Everybody who may contribute, sorted."""
        return self.facts.cohort

    def as_json(self) -> dict[str, object]:
        """The terms as the dictionary that is hashed; its keys are the wire format's."""
        return {
            **self.facts.as_json(),
            "colluders": self.colluders,
            "degree": self.neighbours.degree,
            "format": "securefl-round/4",
            "min_contributors": self.min_contributors,
            "ring_seed": self.neighbours.seed,
            "share_threshold": self.neighbours.share_threshold,
        }

    @cached_property
    def round_digest(self) -> str:
        """Hex SHA-256 of the canonical JSON (RFC 8785) of :meth:`as_json`."""
        return sha256(canonical(self.as_json())).hexdigest()

    @cached_property
    def digest_bytes(self) -> bytes:
        """The round digest as 32 bytes."""
        return bytes.fromhex(self.round_digest)

    def announced(self, sender: str) -> dict[str, object]:
        """The fields that every message of ``sender`` in this round carries beside its type."""
        f = self.facts
        return {
            "study": f.study, "round": f.round, "attempt": f.attempt, "kind": f.kind,
            "sender": sender, "round_digest": self.round_digest,
        }  # fmt: skip
