"""Sums by groups as a study's rounds make them, and hospitals that poison: for simulations alone.

Whoever poisons here has the label flipped (an error that happens), or sends its update many times
over or against everybody's (an attack). A field of the sum is the limit of both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UsageError
from securefl.learning.robust_sums import combined
from securefl.learning.stages.stage import Rows
from securefl.privacy.mechanisms import SubsampledGaussian
from securefl.secagg.group_draw import Lot, commitment
from securefl.simulation.trial import VirtualHospital, plain_sum
from securefl.study.wire import largest_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.robust_sums import Rule
    from securefl.learning.stages.release import Release
    from securefl.secagg.group_draw import Groups
    from securefl.simulation.trial import Summer
    from securefl.types import IntArray

#: In the place of a study's digest.
_STUDY: Final = "simulation"


@dataclass
class GroupedSum:
    """Sums updates by groups that a lot draws, the same in all rounds, and everything else as usual.

    Attributes:
        sites: hospitals, in the order of their answers.
        least: of them in a group.
        rule: how groups are combined.
        seed: the lot follows from it.
        factors: hospital to the factor that its update is multiplied with before it is sent.
        inner: adds the answers of one group, and of rounds that are no training.
    """

    sites: Sequence[str]
    least: int
    rule: Rule
    seed: int = 0
    factors: Mapping[str, float] | None = None
    inner: Summer = plain_sum

    def __call__(
        self,
        release: Release,
        answers: Sequence[IntArray],
    ) -> IntArray:
        """The sum, int64[release.length]."""
        if not isinstance(release.mechanism, SubsampledGaussian):
            return self.inner(release, answers)
        sent = {
            site: self._sent(site, answer, release.bits)
            for site, answer in zip(self.sites, answers, strict=True)
        }
        if self.rule == "mean":
            return self.inner(release, list(sent.values()))
        groups = self._groups()
        totals = []
        sizes = []
        for group in groups:
            answers_of_group = [sent[site] for site in group]
            totals.append(self.inner(release, answers_of_group))
            sizes.append(len(group))
        return combined(totals, sizes, self.rule)

    def _sent(
        self,
        site: str,
        answer: IntArray,
        bits: int,
    ) -> IntArray:
        factor = (self.factors or {}).get(site)
        if factor is None:
            return answer
        largest = largest_value(bits)
        scaled = np.rint(answer * factor)
        found: IntArray = np.clip(scaled, -largest, largest).astype(np.int64)
        return found

    def _groups(self) -> Groups:
        nonces = {
            site: hashlib.sha256(f"{self.seed} {site}".encode()).digest() for site in self.sites
        }
        commitments = {site: commitment(_STUDY, site, nonce) for site, nonce in nonces.items()}
        return Lot.open(_STUDY, commitments, nonces).groups(self.least)


def with_flipped_labels(
    hospitals: Sequence[VirtualHospital],
    sites: Sequence[str],
    *,
    everywhere: bool = False,
) -> list[VirtualHospital]:
    """The hospitals, some of which took yes for no.

    Args:
        hospitals: all of them.
        sites: who did.
        everywhere: in their whole table, as an error does; else in the rows that train alone, and
            those kept aside are as they were.

    Raises:
        UsageError: the study's label is no yes or no.
    """
    found = []
    for one in hospitals:
        rows = one.rows
        if one.site in sites:
            held_out = _flipped(rows.held_out) if everywhere else rows.held_out
            rows = Rows(_flipped(rows.train), held_out)
        found.append(replace(one, rows=rows))
    return found


def _flipped(rows: Prepared) -> Prepared:
    if not np.isin(rows.y, (0, 1)).all():
        raise UsageError(
            "Only a yes or no can be taken for its opposite.",
            next_step="Simulate this on a study with a binary label.",
        )
    return replace(rows, y=(1 - rows.y).astype(rows.y.dtype))
