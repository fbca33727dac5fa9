r"""Who masks with whom, and who holds shares for whom: everybody up to some 20 hospitals, a sparse
ring graph beyond.

With everybody, work and bytes grow with the square of the cohort. Beyond it each hospital has
``degree`` neighbours (Bell et al. 2020): masks and shares run along the edges only. The graph is
Harary's: the cohort in an order that a seed permutes, on a ring, each joined to the degree/2
nearest on either side. The seed comes from committed nonces of all hospitals
(:mod:`securefl.secagg.nonces`), so that nobody chose it; a hospital's neighbours are then a random
draw from the others.

**Security**, for K hospitals of which c collude with coordinator and aggregator. Let m be the most
colluders that stand beside any one honest hospital, and let shares have the threshold s >= degree/2
+ m + 2. Then in a round either the sum of all honest survivors opens, or nothing:

1. A hospital's seeds open only with s answers out of its degree + 1 holders (itself one of them).
   At most m come from colluders, so at least degree/2 + 2 come from honest survivors, and degree/2
   + 1 of those are neighbours: on a ring, some on each side, each within degree/2 places.
2. So an honest survivor whose mask opens is joined to the next honest survivor around the ring.
   Their common mask is not opened (both survive, and there is one survivor set), so whoever opens
   the one's sum must open the other's with it; and so on around the ring. It makes no difference
   who was dropped, and that the coordinator chose them knowing the graph.
3. Two attempts at one round cannot both open: they would have an honest survivor in common, and
   twice s - m answers of its honest holders, each of which answers once, are more than degree + 1 -
   m.

``m`` is exceeded with probability at most K (c + 1) P[Hypergeometric(K - 1, c, degree) > m]: K
hospitals, and up to c + 1 draws, since a colluder that dislikes a draw can withhold its nonce,
which ends the draw and costs it its place. :func:`plan_degree` takes the smallest degree with 2^-40
or less there, and 2^-20 or less for a random set of ``dropouts`` that leaves a survivor with too
few holders. That the dropouts of the second figure are random is an assumption, and only completion
rests on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from typing import Final

from securefl.errors import StudyError

#: Up to so many hospitals everybody is everybody's neighbour.
COMPLETE_UP_TO: Final = 20
PRIVACY_BITS: Final = 40
LOSS_BITS: Final = 20
ORDER_LABEL: Final = b"securefl/secagg/ring-order/1"


@dataclass(frozen=True)
class Degree:
    """A sparse graph's figures.

    Args:
        degree: neighbours of each hospital, even.
        colluders_near: m, the most colluders beside one honest hospital.
        share_threshold: s, answers that restore a seed.
        privacy_bits: minus log2 of the probability that m is exceeded somewhere.
        loss_bits: minus log2 of the probability that random dropouts leave a survivor with too few
            holders.
    """

    degree: int
    colluders_near: int
    share_threshold: int
    privacy_bits: float
    loss_bits: float


@cache
def plan_degree(hospitals: int, colluders: int, dropouts: int) -> Degree | None:
    """The smallest degree that keeps both promises; None where everybody must be everybody's
    neighbour.

    Args:
        hospitals: K.
        colluders: c, how many hospitals may collude.
        dropouts: how many hospitals may be lost, at random, and the round still completes.
    """
    others = hospitals - 1
    for degree in range(4, others, 2):
        near = _least_exceeded(
            others, colluders, degree, PRIVACY_BITS + math.log2(hospitals * (colluders + 1))
        )
        share_threshold = degree // 2 + near + 2
        if share_threshold > degree:
            continue
        lost = -_log2_tail(others, dropouts, degree, degree - share_threshold) - math.log2(
            hospitals
        )
        if lost >= LOSS_BITS:
            privacy = -_log2_tail(others, colluders, degree, near) - math.log2(
                hospitals * (colluders + 1)
            )
            return Degree(degree, near, share_threshold, privacy, lost)
    return None


def _log2_tail(others: int, marked: int, drawn: int, most: int) -> float:
    """log2 of P[more than ``most`` of ``marked`` among ``drawn`` out of ``others``]: exact integers
    up to the last step.
    """
    above = sum(
        math.comb(marked, x) * math.comb(others - marked, drawn - x)
        for x in range(most + 1, min(marked, drawn) + 1)
    )
    return math.log2(above) - math.log2(math.comb(others, drawn)) if above else -math.inf


def _least_exceeded(others: int, marked: int, drawn: int, bits: float) -> int:
    """The smallest count that is exceeded with probability 2^-bits or less."""
    most = min(marked, drawn)
    above, whole = 0, math.log2(math.comb(others, drawn))
    while most > 0:
        above += math.comb(marked, most) * math.comb(others - marked, drawn - most)
        if above and math.log2(above) - whole > -bits:
            break
        most -= 1
    return most


@dataclass(frozen=True)
class Neighbours:
    """The graph of one study. Made by :meth:`complete` or :meth:`sparse`.

    Args:
        ring: the cohort in ring order (in its own order where everybody is everybody's neighbour).
        degree: neighbours of each.
        share_threshold: answers that restore a seed.
        seed: hex SHA-256 that the order comes from, ``""`` for the complete graph.
    """

    ring: tuple[str, ...]
    degree: int
    share_threshold: int
    seed: str = ""

    @classmethod
    def complete(cls, cohort: tuple[str, ...], min_contributors: int) -> Neighbours:
        """Everybody with everybody; ``min_contributors`` shares restore a seed."""
        return cls(cohort, len(cohort) - 1, min_contributors)

    @classmethod
    def sparse(cls, cohort: tuple[str, ...], degree: Degree, seed: str) -> Neighbours:
        """Harary's graph on the cohort in the order that ``seed`` gives.

        Raises:
            StudyError: a degree that no such graph has.
        """
        if not (degree.degree % 2 == 0 and 2 <= degree.degree < len(cohort) - 1):
            raise StudyError(
                f"No ring graph of {len(cohort)} hospitals has degree {degree.degree}.",
                next_step="Take the degree from plan_degree.",
            )
        ring = sorted(
            cohort,
            key=lambda name: sha256(ORDER_LABEL + bytes.fromhex(seed) + name.encode()).digest(),
        )
        return cls(tuple(ring), degree.degree, degree.share_threshold, seed)

    def least_threshold(self, min_contributors: int, colluders: int) -> int:
        """The least share threshold with which nothing but one survivor set opens (the module says
        why).
        """
        others = len(self.ring) - 1
        if self.degree == others:
            return min_contributors
        draws = math.log2(len(self.ring) * (colluders + 1))
        return (
            self.degree // 2
            + _least_exceeded(others, colluders, self.degree, PRIVACY_BITS + draws)
            + 2
        )

    @cached_property
    def _holders(self) -> dict[str, tuple[str, ...]]:
        if self.degree == len(self.ring) - 1:
            return dict.fromkeys(self.ring, tuple(sorted(self.ring)))
        half, twice = self.degree // 2, self.ring + self.ring
        around = (
            twice[at : at + 2 * half + 1] for at in range(len(self.ring))
        )  # of the hospital half a degree further
        return {near[half]: tuple(sorted(near)) for near in around}

    def of(self, name: str) -> tuple[str, ...]:
        """The neighbours of ``name``, sorted; itself is none of them."""
        return tuple(other for other in self._holders[name] if other != name)

    def holders(self, name: str) -> tuple[str, ...]:
        """Who holds shares of the seeds of ``name``, sorted: its neighbours and itself."""
        return self._holders[name]
