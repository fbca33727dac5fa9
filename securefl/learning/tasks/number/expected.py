"""The interval of R2 to expect from a study's public figures: sizes, deviation and noise.

Values and the model's errors are thought normal, the model calibrated and the values' mean the
typical one; then the deviation of the values and a true R2 give every power that is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from securefl.learning.tasks.number.evaluation import Squares, frame_of
from securefl.learning.tasks.number.moments import noise_of_items
from securefl.study.counts import evaluation_of
from securefl.study.number_evaluation import R2Section
from securefl.study.schema import quality_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from securefl.learning.tasks.number.evaluation import Frame
    from securefl.learning.tasks.number.scale import Scale
    from securefl.study.schema import Template

#: True values of R2 for which a plan says the interval.
R2S = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class ExpectedR2:
    """The interval to expect where the true R2 is ``r2``."""

    r2: float
    low: float
    high: float

    @property
    def told(self) -> bool:
        """Tell whether such a model can be told from always saying the mean."""
        return self.low > 0


@dataclass(frozen=True)
class NumberPlan:
    """Plan of a study's evaluation; numbers of patients are expectations from public figures.

    Attributes:
        patients: held-out patients.
        expected: a row for each of :data:`R2S`.
        least_told: the lowest true R2, in steps of .01, that is expected to be told from always
            saying the mean; None where none is.
        minimum: the lowest R2 that the study accepts.
        least_met: the lowest true R2 that is expected to meet that; None where none is.
    """

    patients: float
    expected: tuple[ExpectedR2, ...]
    least_told: float | None
    minimum: float
    least_met: float | None


def plan_evaluation(
    study: Template,
    noises: float,
    scale: Scale,
    typical: float,
) -> NumberPlan | None:
    """The plan of a study's evaluation; None where it names no deviation.

    Args:
        study: with this evaluation.
        noises: full noises that the sum will carry.
        scale: of the number.
        typical: place from which values are counted.
    """
    spec = evaluation_of(study)
    train = training_of(study)
    if not isinstance(spec, R2Section) or spec.deviation is None:
        return None
    trained = Fraction(train.normaliser) / train.sample_rate
    patients = float(trained * study.data.holdout / (1 - study.data.holdout))
    frame = frame_of(scale, typical, spec)
    spread = scale.apart(spec.deviation)
    noise = noise_of_items(spec.units, noises * float(spec.sigma) ** 2)

    def expect(r2: float) -> ExpectedR2:
        low, high = _squares(r2, spread**2, patients, frame, noise).interval()
        return ExpectedR2(r2, low, high)

    steps = [expect(i / 100) for i in range(1, 100)]
    minimum = float(quality_of(study).minimum)
    return NumberPlan(
        patients,
        tuple(expect(r2) for r2 in R2S),
        next((e.r2 for e in steps if e.told), None),
        minimum,
        next((e.r2 for e in steps if e.low >= minimum), None),
    )


def _squares(
    r2: float,
    variance: float,
    patients: float,
    frame: Frame,
    noise: dict[str, float],
) -> Squares:
    """Sums of squares of so many normal values and errors, with their variances."""
    of_error = (1.0 - r2) * variance
    noise_of_errors = frame.most**4 * noise["e2"]
    noise_of_values = frame.reach**4 * noise["v2"]
    # fourth powers of normal variables; error and value share the error's variance
    both = of_error * variance + 2.0 * of_error**2
    return Squares(
        errors=patients * of_error,
        values=patients * variance,
        variance=(
            3.0 * patients * of_error**2 + noise_of_errors,
            patients * both,
            3.0 * patients * variance**2 + noise_of_values,
        ),
        noise=noise_of_values,
    )
