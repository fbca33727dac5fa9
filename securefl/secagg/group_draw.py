"""Disjoint groups of hospitals, drawn by a lot that none of them can choose.

Every hospital first commits to a nonce: SHA-256 over study, its name and the nonce. Only when all
commitments are known do they show their nonces. The lot is a hash of all nonces. It serves a whole
study, whose groups stay the same: sums over groups that change from round to round are equations
in what single hospitals send, and enough of them have one solution.

A hospital that knew the others' nonces before it chose its own could choose its group; the
commitment takes that away. It can still withhold its nonce: then no lot is drawn, the study does
not begin, and everybody sees whose nonce is missing. A coordinator has no part in it.

Pure: nonces come from outside.
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
_COMMIT: Final = b"securefl group nonce v2"
_LOT: Final = b"securefl group lot v3"

#: Groups of a study, each sorted, in the order of their first names.
Groups = tuple[tuple[str, ...], ...]


def commitment(
    study: str,
    site: str,
    nonce: bytes,
) -> bytes:
    """SHA-256 that binds a hospital to a nonce in this study.

    Raises:
        ValueError: the nonce has another length.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    return hashlib.sha256(_framed(_COMMIT, study.encode(), site.encode(), nonce)).digest()


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


@dataclass(frozen=True)
class Lot:
    """Nonces of all hospitals of a study, each the one that was committed to. Made by :meth:`open`.

    Attributes:
        study: the study's digest.
        nonces: hospital to its nonce.
    """

    study: str
    nonces: Mapping[str, bytes]

    @classmethod
    def open(
        cls,
        study: str,
        commitments: Mapping[str, bytes],
        nonces: Mapping[str, bytes],
    ) -> Lot:
        """Hold all nonces to the commitments.

        Args:
            study: the study's digest.
            commitments: hospital to its commitment, all of them known before any nonce was.
            nonces: hospital to its nonce.

        Raises:
            RoundError: a nonce is missing, or is not the one that its hospital committed to.
        """
        missing = sorted(set(commitments) - set(nonces))
        if missing:
            names = ", ".join(missing)
            raise RoundError(
                f"{names} did not show the nonce that it committed to: no groups are drawn.",
                whose=names,
                next_step="Ask it what holds it up. Nothing was charged.",
            )
        for site, nonce in nonces.items():
            known = commitments.get(site, b"")
            fits = len(nonce) == NONCE_BYTES and hmac.compare_digest(
                known, commitment(study, site, nonce)
            )
            if not fits:
                raise RoundError(
                    f"{site} showed another nonce than the one that it committed to.",
                    whose=site,
                    next_step="Draw no groups with it; ask it what it sent.",
                )
        return cls(study, dict(nonces))

    def groups(self, least: int) -> Groups:
        """The groups of all rounds; everybody draws the same.

        Args:
            least: hospitals in a group, at least: the study's ``min_contributors``.

        Raises:
            UsageError: too few hospitals for three groups.
        """
        count = groups_that_fit(len(self.nonces), least)
        facts = (self.study.encode(), least.to_bytes(8))
        shown = [
            part for site in sorted(self.nonces) for part in (site.encode(), self.nonces[site])
        ]
        lot = hashlib.sha256(_framed(_LOT, *facts, *shown)).digest()
        order = sorted(self.nonces, key=lambda site: hmac.digest(lot, site.encode(), "sha256"))
        drawn = (tuple(sorted(order[place::count])) for place in range(count))
        return tuple(sorted(drawn))


def _framed(*parts: bytes) -> bytes:
    """The parts, each behind its length: no two lists of parts are the same bytes."""
    return b"".join(len(part).to_bytes(8) + part for part in parts)
