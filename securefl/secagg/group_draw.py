"""Disjoint groups of hospitals, drawn by a lot that none of them can choose.

Every hospital first commits to a nonce: SHA-256 over study, round, its name and the nonce. Only when
all commitments are known do they show their nonces, and the lot is a hash of all of them. A hospital
that knew the others' nonces before it chose its own could choose its group; the commitment takes
that away. It can still withhold its nonce: then it is in no group, and the lot is drawn from the
nonces of the others. So each that withholds chooses between two lots, at the price of being out.

Pure: nonces come from outside. Nothing in the product sends commitments yet; simulations draw by
the same rule.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import RoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of a nonce.
NONCE_BYTES: Final = 32
#: With fewer groups the median is one group's sum, or the mean of two: one poisoner decides.
LEAST_GROUPS: Final = 3
_COMMIT: Final = b"securefl group nonce v1"
_LOT: Final = b"securefl group lot v1"


@dataclass(frozen=True)
class GroupTerms:
    """Public facts that a lot is bound to.

    Attributes:
        study: the study's digest.
        round: number of the round.
        least: hospitals in a group, at least: the study's ``min_contributors``.
    """

    study: str
    round: int
    least: int


def commitment(
    terms: GroupTerms,
    site: str,
    nonce: bytes,
) -> bytes:
    """SHA-256 that binds a hospital to a nonce in this round.

    Raises:
        ValueError: the nonce has another length.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    return hashlib.sha256(_framed(_COMMIT, terms, site.encode(), nonce)).digest()


def groups_that_fit(
    hospitals: int,
    least: int,
) -> int:
    """The most groups that so many hospitals make.

    Raises:
        UsageError: fewer than three; with the reason and the number that would do.
    """
    groups = hospitals // least
    if groups < LEAST_GROUPS:
        raise UsageError(
            f"{hospitals} hospitals make {groups} group{'' if groups == 1 else 's'} of {least}."
            f" A robust mean needs {LEAST_GROUPS}: with fewer, one hospital that poisons decides.",
            next_step=(
                f"It takes {LEAST_GROUPS * least} hospitals while {least} must be in a sum. With"
                " fewer, look at each hospital's own figures (each_participant in the evaluation)"
                " and continue without the one that stands out."
            ),
        )
    return groups


def draw_groups(
    terms: GroupTerms,
    commitments: Mapping[str, bytes],
    nonces: Mapping[str, bytes],
) -> tuple[tuple[str, ...], ...]:
    """The groups, each sorted, in the order of their first names; everybody draws the same.

    Args:
        terms: of the round.
        commitments: hospital to its commitment, all of them known before any nonce was.
        nonces: hospital to its nonce, of those that showed it.

    Raises:
        RoundError: a nonce is not the one that its hospital committed to, or nobody committed.
        UsageError: too few hospitals are left for three groups.
    """
    for site, nonce in nonces.items():
        known = commitments.get(site, b"")
        fits = len(nonce) == NONCE_BYTES and hmac.compare_digest(
            known, commitment(terms, site, nonce)
        )
        if not fits:
            raise RoundError(
                f"{site} showed another nonce than the one that it committed to.",
                whose=site,
                next_step="Draw no groups with it; ask it what it sent.",
            )
    count = groups_that_fit(len(nonces), terms.least)
    shown = b"".join(_entry(site, nonces[site]) for site in sorted(nonces))
    lot = hashlib.sha256(_framed(_LOT, terms, shown)).digest()
    order = sorted(nonces, key=lambda site: hmac.digest(lot, site.encode(), "sha256"))
    drawn = (tuple(sorted(order[place::count])) for place in range(count))
    return tuple(sorted(drawn))


def _framed(
    label: bytes,
    terms: GroupTerms,
    *parts: bytes,
) -> bytes:
    """The parts, each behind its length: no two lists of parts are the same bytes."""
    facts = (terms.study.encode(), terms.round.to_bytes(8), terms.least.to_bytes(8))
    return b"".join(len(part).to_bytes(8) + part for part in (label, *facts, *parts))


def _entry(
    site: str,
    nonce: bytes,
) -> bytes:
    name = site.encode()
    return len(name).to_bytes(8) + name + nonce
