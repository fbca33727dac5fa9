"""The terms of a round that survives losses: the facts of the round, who must be left, and who
holds shares for whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from securefl.errors import StudyError
from securefl.secagg.neighbours import Neighbours
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

    Raises:
        StudyError: 2·t > K + c, t >= c + 2 or t <= K does not hold (rule 4).
    """

    facts: RoundContext
    min_contributors: int
    colluders: int

    def __post_init__(self) -> None:
        t = self.min_contributors
        c = self.colluders
        k = len(self.facts.cohort)
        if c < 0 or t < c + 2 or t > k or 2 * t <= k + c:
            raise StudyError(
                f"min_contributors {t} with {k} hospitals and {c} colluders: two sets could be"
                " opened in one round, or a set too small.",
                next_step=f"Take min_contributors from {max(c + 2, (k + c) // 2 + 1)} to {k}.",
            )

    @cached_property
    def neighbours(self) -> Neighbours:
        """Who masks with whom; as many answers restore a seed as signatures are needed."""
        return Neighbours(self.facts.cohort, self.min_contributors)

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
            "ring_seed": "",
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
