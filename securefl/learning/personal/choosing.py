"""Choice of a method and its setting by cross-validation within the training rows.

The held-out rows take no part: they only judge what was chosen here. Patients are dealt into the
parts by a keyed hash within their stratum, so that a rare outcome is in every part, the rows of a
patient stay together, and the same table gives the same choice.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from securefl.learning.personal.facts import Candidate
from securefl.learning.personal.local_loss import LocalLoss

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.learning.families.family import Family
    from securefl.learning.features import Prepared, Unit
    from securefl.learning.personal.methods import Method
    from securefl.learning.tasks.task import Task
    from securefl.types import BoolArray, FloatArray, IntArray

#: Method and setting → losses of training rows that it had not seen, float64[n].
Tried: TypeAlias = "dict[tuple[str, str], FloatArray]"
#: Parts of the cross-validation.
PARTS: Final = 5
_LABEL: Final = b"securefl/personal-part/1\0"


@dataclass(frozen=True)
class LocalRows:
    """Rows of one hospital with what a model of them is.

    Attributes:
        family: the model's shapes.
        task: with its loss.
        rows: prepared rows.
        unit: of privacy in the study: one row of each is judged.
    """

    family: Family
    task: Task
    rows: Prepared
    unit: Unit

    def loss(self) -> LocalLoss:
        """The loss of all rows: what is learnt from."""
        return LocalLoss(self.family, self.task, self.rows.X, self.rows.y)

    def judged(self) -> LocalLoss:
        """The loss of one row of each unit, as a study's evaluation counts."""
        one = self.rows.one_row_each(self.unit)
        return LocalLoss(self.family, self.task, one.X, one.y)

    def where(self, chosen: BoolArray) -> LocalRows:
        """The rows where ``chosen`` (bool[n]) holds."""
        return LocalRows(self.family, self.task, self.rows.select(chosen), self.unit)


def parts_of(local: LocalRows, secret: bytes) -> IntArray:
    """The part that each row belongs to, int64[n] of 0 to :data:`PARTS` - 1.

    Args:
        local: training rows, those of a patient together.
        secret: this hospital's own.
    """
    stratum: dict[str, int] = {}
    for patient, place in zip(local.rows.patients, local.task.stratum(local.rows.y), strict=True):
        stratum.setdefault(patient, int(place))
    dealt = sorted(stratum, key=lambda patient: (stratum[patient], _lot(secret, patient)))
    part = {patient: number % PARTS for number, patient in enumerate(dealt)}
    return np.array([part[patient] for patient in local.rows.patients], dtype=np.int64)


def cross_validated(
    local: LocalRows,
    start: FloatArray,
    methods: Iterable[Method],
    secret: bytes,
) -> Tried:
    """Losses of the start as it is and of every setting, of rows that were not learnt.

    Args:
        local: training rows.
        start: float64[p], the model to start from.
        methods: that are tried.
        secret: as :func:`parts_of`.
    """
    parts = parts_of(local, secret)
    losses: dict[tuple[str, str], list[FloatArray]] = {}
    for number in range(PARTS):
        away = parts == number
        if not away.any() or away.all():
            continue
        seen = local.where(~away).loss()
        unseen = local.where(away).judged()
        losses.setdefault(("", ""), []).append(unseen.of_rows(start))
        for method in methods:
            for setting, theta in method.fit(seen, start).items():
                losses.setdefault((method.name, setting), []).append(unseen.of_rows(theta))
    return {setting: np.concatenate(found) for setting, found in losses.items()}


def candidates(tried: Tried) -> list[Candidate]:
    """The settings with their mean losses, in their order."""
    least = tried[min(tried, key=lambda setting: tried[setting].mean())]
    found = []
    for (method, setting), losses in tried.items():
        apart = losses - least
        error = 0.0
        if len(apart) > 1:
            error = float(apart.std(ddof=1)) / math.sqrt(len(apart))
        found.append(
            Candidate(
                method=method,
                setting=setting,
                loss=float(losses.mean()),
                error=error,
            )
        )
    return found


def chosen(found: Iterable[Candidate]) -> Candidate:
    """The first candidate, so the most cautious, whose loss is within one standard error of the
    least (Breiman, Friedman, Olshen and Stone 1984): what a few rows alone would favour is left.
    """
    known = list(found)
    least = lowest(known).loss
    return next(one for one in known if one.loss - least <= one.error)


def lowest(found: Iterable[Candidate]) -> Candidate:
    """The candidate of the least loss."""
    return min(found, key=lambda candidate: candidate.loss)


def _lot(secret: bytes, patient: str) -> bytes:
    return hmac.new(secret, _LABEL + patient.encode(), hashlib.sha256).digest()
