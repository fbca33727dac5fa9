"""The interval of the AUC to expect from a study's public figures: sizes as published, prevalence,
noise, bands.

The model is thought calibrated and its score normal on the logit's scale in either class, with one
spread (the binormal model with a proper ROC curve; Metz and Pan 1999): then prevalence and true AUC
say how many patients fall into each band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.tasks.binary.discrimination import expected_interval, histogram_auc
from securefl.study.binary_evaluation import AucSection
from securefl.study.counts import evaluation_of
from securefl.study.schema import quality_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.study.schema import Template
    from securefl.types import FloatArray

#: True AUCs for which a plan says the interval.
AUCS = (0.6, 0.7, 0.8, 0.9, 0.95)
_NORMAL = NormalDist()
_CHANCE = 0.5


@dataclass(frozen=True)
class ExpectedInterval:
    """The interval to expect where the true AUC is ``auc``, and what the bands lose of it."""

    auc: float
    low: float
    high: float
    lost: float

    @property
    def told(self) -> bool:
        """Tell whether such a model can be told from chance."""
        return self.low > _CHANCE


@dataclass(frozen=True)
class EvaluationPlan:
    """Plan of a study's evaluation; numbers of patients are expectations from public
    figures.

    Attributes:
        patients: held-out patients.
        positives: positives among them.
        bins: bands of the score.
        expected: a row for each of :data:`AUCS`.
        least_told: the lowest true AUC, in steps of .01, that is expected to be told from chance;
            None where none is.
        minimum: the lowest AUC that the study accepts.
        least_met: the lowest true AUC that is expected to meet that; None where none is.
    """

    patients: float
    positives: float
    bins: int
    expected: tuple[ExpectedInterval, ...]
    least_told: float | None
    minimum: float
    least_met: float | None


def plan_evaluation(study: Template, noises: float) -> EvaluationPlan | None:
    """The plan of a study's evaluation; None where it names no prevalence.

    Held-out patients are those that ``data.holdout`` leaves of the published size, which normaliser
    and sampling rate give.
    """
    spec = evaluation_of(study)
    minimum = quality_of(study).minimum
    if not isinstance(spec, AucSection) or spec.prevalence is None:
        return None
    held_out = _held_out(study)

    def expect(auc: float) -> ExpectedInterval:
        return expected_at(study, noises, auc)

    steps = [expect(0.5 + i / 100) for i in range(1, 50)]
    return EvaluationPlan(
        held_out,
        held_out * float(spec.prevalence),
        spec.bins,
        tuple(expect(auc) for auc in AUCS),
        next((e.auc for e in steps if e.told), None),
        float(minimum),
        next((e.auc for e in steps if e.low >= minimum), None),
    )


def expected_at(study: Template, noises: float, auc: float) -> ExpectedInterval:
    """The interval to expect of a model whose true AUC is ``auc``.

    Raises:
        LookupError: the study's evaluation names no prevalence.
    """
    spec = evaluation_of(study)
    if not isinstance(spec, AucSection) or spec.prevalence is None:
        raise LookupError("the evaluation names no prevalence")
    prevalence = float(spec.prevalence)
    held_out = _held_out(study)
    noise = noises * float(spec.noise_multiplier) ** 2
    negative, positive = band_shares(auc, prevalence, spec.edges)
    low, high = expected_interval(
        negative * held_out * (1 - prevalence), positive * held_out * prevalence, noise
    )
    return ExpectedInterval(auc, low, high, auc - histogram_auc(negative, positive))


def _held_out(study: Template) -> float:
    """Patients kept aside, expected from published figures."""
    train = training_of(study)
    trained = Fraction(train.normaliser) / train.sample_rate
    return float(trained * study.data.holdout / (1 - study.data.holdout))


def band_shares(
    auc: float, prevalence: float, edges: Sequence[Decimal]
) -> tuple[FloatArray, FloatArray]:
    """(negatives, positives), float64[bins] each: the share of each class in each band for a
    calibrated model of this AUC.

    Args:
        auc: above 0.5 and below 1.
        prevalence: share of positives, which is where the scores of a calibrated model lie.
        edges: inner edges of the score.
    """
    apart = math.sqrt(2) * _NORMAL.inv_cdf(auc)
    middle = _logit(prevalence)
    centred = [_logit(float(edge)) - middle for edge in edges]
    shares = []
    for mean in (-apart * apart / 2, apart * apart / 2):
        below = [_NORMAL.cdf((edge - mean) / apart) for edge in centred]
        shares.append(np.diff(np.array([0.0, *below, 1.0])))
    return shares[0], shares[1]


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
