"""Rules by which the figures of a training follow from public sizes, each with its reason.

Nothing here reads a table. Figures that a rule cannot know, like the best learning rate, are taken
so that the noise that ends up in the model has a stated size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.designer.commented import Entry
from securefl.designer.own_table import two_digits
from securefl.errors import UsageError
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.planning import noise_for_epsilon
from securefl.study.claims import claim
from securefl.study.plausible import LEAST_PATIENTS

if TYPE_CHECKING:
    from securefl.designer.question import Question, Sizes

#: Noised steps: enough for a linear model to settle; with more, each carries more noise.
ROUNDS: Final = 40
#: Part of the server's last step that the next one keeps.
MOMENTUM: Final = Decimal("0.7")
#: Share of patients who check the model.
HOLDOUT: Final = Fraction(3, 10)
#: Patients in a step; with more, a share of them is drawn.
_MOST_IN_A_STEP: Final = 500_000
#: Integer noise on counts needs two units.
_LEAST_COUNT_NOISE: Final = Decimal(2)
_HUNDREDTH: Final = Decimal("0.01")
_LEAST_DELTA_SHARE: Final = 10
_MOST_DELTA: Final = Decimal("1e-3")
#: Patients in a step whom half a second more is allowed for.
_PATIENTS_A_SECOND: Final = 50_000


class Figure(NamedTuple):
    """A value of the study file and the reason for it."""

    value: str
    why: str


@dataclass(frozen=True)
class TrainingFigures:
    """Figures of the training.

    Attributes:
        delta: chance that the promise does not hold.
        sample_rate: share of the patients in a step.
        noise: noise multiplier.
        epsilon: what the training costs.
        normaliser: patients whom a step is expected to draw.
        rate: server's learning rate.
        reply_after: seconds after which hospitals answer.
    """

    delta: Figure
    sample_rate: Figure
    noise: Figure
    epsilon: Figure
    normaliser: Figure
    rate: Figure
    reply_after: Figure


def figure_entry(key: str, figure: Figure) -> Entry:
    """A figure as a key of the file."""
    return Entry(key, figure.value, figure.why)


def training_figures(
    question: Question,
    sizes: Sizes,
    most_rate: float,
    noise_in_weight: float,
) -> TrainingFigures:
    """Work out the training.

    Args:
        question: with its epsilon and hospitals.
        sizes: as published.
        most_rate: learning rate above which a step overshoots, for the question's task.
        noise_in_weight: standard deviation that the noise of all rounds may leave in one weight.

    Raises:
        UsageError: so few patients that no noise leaves anything to learn.
    """
    delta = delta_for(sizes)
    trained = Fraction(sizes.patients) * (1 - HOLDOUT)
    _check_patients(trained)
    rate = Fraction(1)
    if trained > _MOST_IN_A_STEP:
        rate = Fraction(1, math.ceil(trained / _MOST_IN_A_STEP))
    noise = noise_for_epsilon(
        question.epsilon,
        Decimal(delta.value),
        rate,
        ROUNDS,
    )
    step = trained * rate
    per_round = float(noise) * math.sqrt(question.hospitals) / float(step)
    _check_noise(
        question,
        per_round,
        sizes,
    )
    real = PldAccountant().training_epsilon(
        noise,
        rate,
        ROUNDS,
        Decimal(delta.value),
    )
    return TrainingFigures(
        delta,
        _sample_rate(rate),
        Figure(
            str(noise),
            f"In clip norms: the least, in hundredths, at which {ROUNDS} steps cost epsilon"
            f" {question.epsilon} at delta {delta.value}.",
        ),
        Figure(claim(real), "What the accountant finds for this noise, rounded up."),
        _normaliser(
            step,
            sizes,
            rate,
        ),
        _rate(
            per_round,
            most_rate,
            noise_in_weight,
        ),
        _reply_after(step),
    )


def delta_for(sizes: Sizes) -> Figure:
    """A power of ten, at most a tenth of one in the number of patients."""
    power = math.ceil(math.log10(_LEAST_DELTA_SHARE * sizes.patients))
    delta = min(Decimal(10) ** -power, _MOST_DELTA)
    return Figure(
        f"1e-{-delta.adjusted()}",
        f"A power of ten, at most a tenth of 1 in {sizes.patients:,} patients, and at most 1e-3.",
    )


def count_noise(epsilon: Decimal, delta: Decimal) -> tuple[Decimal, str]:
    """Noise multiplier of one release of counts, and the epsilon to claim for it."""
    accountant = PldAccountant()
    noise = noise_for_epsilon(
        epsilon,
        delta,
        Fraction(1),
        1,
    )
    noise = max(noise, _LEAST_COUNT_NOISE)
    # integer noise costs a little more than the continuous noise that the search is for
    while (real := accountant.evaluation_epsilon(noise, delta)) > epsilon:
        noise += _HUNDREDTH
    return noise, claim(real)


def _check_patients(trained: Fraction) -> None:
    if trained >= LEAST_PATIENTS:
        return
    raise UsageError(
        f"{math.floor(trained)} patients would train, and noise hides so few: {LEAST_PATIENTS} are"
        " the least.",
        next_step="Find more hospitals or a wider question.",
    )


def _check_noise(question: Question, per_round: float, sizes: Sizes) -> None:
    """Refuse what `securefl study check` would: noise above all that there is to learn."""
    if per_round <= math.sqrt(ROUNDS):
        return
    raise UsageError(
        f"At epsilon {question.epsilon} the noise of {question.hospitals} hospitals is larger than"
        f" all that {sizes.patients:,} patients could teach.",
        next_step="Take a larger epsilon, or find more patients.",
    )


def _sample_rate(rate: Fraction) -> Figure:
    why = "All patients take part in each step: nothing is lost to a lot."
    if rate < 1:
        why = f"A step draws about {_MOST_IN_A_STEP:,} patients at most, so that it stays quick."
    return Figure(f"{rate.numerator}/{rate.denominator}", why)


def _normaliser(step: Fraction, sizes: Sizes, rate: Fraction) -> Figure:
    part = ""
    if rate < 1:
        part = f", times {rate} drawn for a step"
    exact = Decimal(step.numerator) / Decimal(step.denominator)
    text = format(round(exact, 3).normalize(), "f")
    return Figure(
        text, f"{sizes.source}: {sizes.patients:,} patients, times {1 - HOLDOUT} who train{part}"
    )


def _rate(per_round: float, most: float, noise_in_weight: float) -> Figure:
    """The learning rate that leaves so much noise in a weight, below what overshoots.

    The server's velocity adds up 1 / (1 - momentum) of each round's noise, and rounds add up as
    their root.
    """
    gain = math.sqrt(ROUNDS) * per_round / float(1 - MOMENTUM)
    by_noise = noise_in_weight / gain
    if by_noise < most:
        return Figure(
            two_digits(by_noise, ROUND_FLOOR),
            f"So that the noise of all {ROUNDS} rounds leaves a standard deviation of"
            f" {noise_in_weight} in one weight; a higher rate adds noise, a lower one learns less.",
        )
    return Figure(
        f"{most:g}",
        "As high as steps do not overshoot; the noise alone would allow"
        f" {two_digits(by_noise, ROUND_FLOOR)}.",
    )


def _reply_after(step: Fraction) -> Figure:
    halves = 1 + math.floor(step / _PATIENTS_A_SECOND)
    return Figure(
        str(Decimal(halves) / 2),
        "Seconds. Answers leave at this public time, not when ready: it must be longer than the"
        " slowest hospital needs for a step.",
    )
