"""Redundant figures checked against each other: a study whose epsilon does not follow from its noise is refused.

The accountant is passed in, so that this room needs no framework.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from securefl.errors import StudyError

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from securefl.study import schema

#: A claimed epsilon may lie this much above the accountant's figure (people round up) and never below it.
CLAIM_SLACK = 0.02


class Accountant(Protocol):
    """The two figures this check needs."""

    def training_epsilon(self, noise_multiplier: Decimal, sample_rate: Fraction, steps: int, delta: Decimal) -> float:
        """PLD epsilon of ``steps`` Poisson-subsampled Gaussian releases."""

    def evaluation_epsilon(self, noise_multiplier: Decimal, delta: Decimal) -> float:
        """PLD epsilon of one Gaussian release of sensitivity 1."""


def check_consistency(study: schema.Protocol, accountant: Accountant) -> None:
    """Refuse a protocol or study whose figures contradict each other.

    Raises:
        StudyError: listing every contradiction with the figure that would fit.
    """
    faults = [*_steps(study), *_epsilons(study, accountant), *_noise(study), *_field(study), *_contributors(study)]
    if faults:
        raise StudyError(
            "The study's figures contradict each other:\n" + "\n".join(f"  {f}" for f in faults) + "\n",
            next_step="Mend the figures and run `securefl study check` again.",
        )


def _steps(study: schema.Protocol) -> list[str]:
    want = study.training.rounds * study.training.local_steps
    if study.privacy.steps == want:
        return []
    return [f"privacy.steps is {study.privacy.steps}, but {study.training.rounds} rounds of {study.training.local_steps} make {want}"]


def _epsilons(study: schema.Protocol, accountant: Accountant) -> list[str]:
    p, e = study.privacy, study.evaluation
    train = accountant.training_epsilon(p.noise_multiplier, p.sample_rate, p.steps, p.delta)
    evaluation = accountant.evaluation_epsilon(e.noise_multiplier, p.delta)
    faults = []
    for name, claimed, real in (("privacy.epsilon", p.epsilon, train), ("evaluation.epsilon", e.epsilon, evaluation)):
        if not real <= float(claimed) <= real * (1 + CLAIM_SLACK):
            need = f"{math.ceil(real * 1000) / 1000:.3f}"
            faults.append(f'{name} says {claimed}, but its noise gives {real:.4f} at delta {p.delta}; write "{need}" or change the noise')
    return faults


def _noise(study: schema.Protocol) -> list[str]:
    sigma = float(study.privacy.noise_multiplier) * study.privacy.grid
    if sigma >= 2:
        return []
    return [f"the noise is {sigma:.2f} grid units; at least 2 are needed: raise privacy.grid"]


def field_headroom(study: schema.Protocol, noised_values: int) -> float:
    """How far a field's largest value lies above the largest noised sum (grid units; negative: it does not fit).

    The tail leaves a chance of at most 2^-40 over ``noised_values`` Gaussian draws that any value overflows; that
    chance is part of delta.
    """
    p, t = study.privacy, study.training
    sigma = float(p.noise_multiplier) * p.grid
    tail = math.sqrt(2 * (math.log(2) * 41 + math.log(max(noised_values, 1))))
    # the noise of one update is a sum of local_steps draws: its deviation grows with the root
    largest_training = t.local_steps * study.secagg.bound + tail * sigma * math.sqrt(t.local_steps)
    largest_evaluation = study.evaluation.bound + tail * float(study.evaluation.noise_multiplier)
    return (1 << (study.secagg.bits - 1)) - 1 - max(largest_training, largest_evaluation)


def _field(study: schema.Protocol) -> list[str]:
    # 2^24 values a round and hospital cover every model this version can describe
    draws = (1 << 24) * study.training.rounds
    headroom = field_headroom(study, draws)
    if headroom >= 0:
        return []
    fault = (
        f"secagg.bits = {study.secagg.bits} is {-headroom:.0f} grid units too small for the clamp, the noise and its "
        "tail; lower secagg.bound or privacy.grid, or take more bits"
    )
    return [fault]


def _contributors(study: schema.Protocol) -> list[str]:
    s = study.secagg
    faults = []
    if s.min_contributors < s.colluders + 2:
        faults.append(f"secagg.min_contributors must be at least colluders + 2 = {s.colluders + 2}")
    participants = getattr(study, "participants", None)
    if participants is None:
        return faults
    k = len(participants)
    if s.min_contributors > k:
        faults.append(f"secagg.min_contributors is {s.min_contributors}, but the study has {k} participants")
    if 2 * s.min_contributors <= k + s.colluders:
        need = (k + s.colluders) // 2 + 1
        faults.append(
            f"secagg.min_contributors must be at least {need}: with fewer, two different sets of hospitals could be opened "
            f"in one round (2 x min_contributors > participants + colluders)"
        )
    return faults
