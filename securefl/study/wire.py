"""Two grids: privacy on a fine one, the same for every study, the wire on a coarse one after noise.

Each patient's clipped gradient is rounded toward zero on :data:`GRID` units a clip norm, and the
noise is drawn there. What is noised may be rounded as one likes: that is post-processing and costs
no privacy (Dwork, Roth 2014, proposition 2.1). So a hospital rounds its noised sum to *steps* of a
public width, up or down by lot so that the mean is right, and what would not fit into a field of
the encrypted sum is cut to the field's largest value. The coordinator multiplies the opened sum by
the width.

Where hospitals share the noise, rounding is no post-processing of the sum. It costs nothing all the
same, as :mod:`securefl.study.noise_shares` proves, but cutting would. So there each hospital limits
its sum to ``bound`` before the noise, which moves nobody's part by more, and a field shows every
draw of the noise beside it.

The width follows from the study's figures alone. A field shows the largest sum before noise that is
planned for (``bound``, in clip norms) and :data:`SHOWN` standard deviations of the noise on
either side.

Counts are small integers already. They travel unrounded, in fields of their own width: wide enough
for the largest count and the largest draw of the noise, so that nothing is cut.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Protocol

from securefl.study.noise_shares import noise_shares
from securefl.study.registries import FAMILIES, TASKS
from securefl.study.training import training_of

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.study import schema

#: Units a clip norm of the grid on which gradients are rounded and noise is drawn. Rounding toward
#: zero loses at most sqrt(d) / 2^21 of the clip at d weights on average: below 1 % up to 10^8.
#: Noise is at least 0.3 of it: 3 * 10^5 units.
GRID: Final = 1 << 20
#: Standard deviations of a round's noise that a field shows beside ``bound``: 8 in 10^11 draws are
#: larger.
SHOWN: Final = 6.5
#: Largest draw of the noise, in standard deviations (:data:`securefl.privacy.noise.TAIL`).
_LARGEST_DRAW: Final = 14
#: The same where nothing may be cut: the largest draw, and the width of a block in which it is drawn.
_SHOWN_WHOLE: Final = _LARGEST_DRAW + 1 / 128
#: ``bound``, where a study states none, lets rounding add this part of the noise's variance ...
_FREE: Final = 0.001
#: ... but shows at least 1 / sqrt(weights) of a step's patients pulling one way, and one in 32.
_LEAST_PART: Final = 1 / 32


class Counting(Protocol):
    """The two figures of a release of counts that decide the width of its fields."""

    @property
    def bound(self) -> int:
        """The largest count before noise."""

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise, in counts."""


@dataclass(frozen=True)
class Wire:
    """Form in which the sum of a round's steps travels.

    Attributes:
        bits: of a field, sign included.
        step: grid units that one step on the wire stands for.
        bound: the largest sum of a round before noise that is planned for, in grid units.
        sigma: standard deviation of a round's noise at one hospital, in grid units; where they
            differ, the largest.
    """

    bits: int
    step: int
    bound: int
    sigma: float

    @property
    def largest(self) -> int:
        """The largest value of a field, in steps."""
        return largest_value(self.bits)

    @property
    def added_variance(self) -> float:
        """Variance that rounding adds to the noise's, as a part of it: step^2 / 6 on average."""
        return self.step**2 / 6 / self.sigma**2

    def chance_of_saturation(self, total: float) -> float:
        """The chance that a value is cut whose sum before noise is ``total`` grid units."""
        most = float(self.largest * self.step)
        normal = NormalDist(total, self.sigma)
        return normal.cdf(-most) + normal.cdf(2 * total - most)


def largest_value(bits: int) -> int:
    """The largest absolute value in a field of ``bits`` bits."""
    return (1 << (bits - 1)) - 1


def count_bits(spec: Counting) -> int:
    """Bits of a field that holds every noised count: 14 standard deviations are the largest draw.

    >>> from types import SimpleNamespace
    >>> count_bits(SimpleNamespace(bound=20_000, sigma=3.75)), largest_value(16)
    (16, 32767)
    """
    largest = spec.bound + math.ceil(_LARGEST_DRAW * spec.sigma) + 1
    return largest.bit_length() + 1


def largest_update(study: schema.Template) -> int:
    """Bound the number of values in one hospital's update from above.

    From the columns and the model that the study names.
    """
    features = sum(
        len(getattr(c, "levels", (0,))) + (c.missing == "flag") for c in study.data.columns
    )
    model = training_of(study).model
    outputs = TASKS[study.data.label.task](study.data.label).outputs
    return FAMILIES[model.family](model, features, outputs).parameters


def sum_unit(study: schema.Template) -> float:
    """Steps of the wire in one clip norm, times the normaliser.

    A sum of updates divided by it is a mean gradient, in clip norms.
    """
    return float(Fraction(GRID, wire_of(study).step) * Fraction(training_of(study).normaliser))


def planned_patients(study: schema.Template) -> Fraction:
    """Patients whom a step is planned to draw at the hospital with the largest weight.

    Normaliser times weight. A template names no hospitals yet: equal weights of as many as must
    contribute.
    """
    weights = [p.weight for p in getattr(study, "participants", ())]
    largest = max(weights, default=Fraction(1, study.secagg.min_contributors))
    return Fraction(training_of(study).normaliser) * largest


def least_bound(study: schema.Template) -> int:
    """The least ``bound`` that is taken, in clip norms.

    With less, most of what a round could teach is cut away. Clipped gradients of d weights have
    values of about 1 / sqrt(d). Only few weights, as that of the output's bias, get more, and only
    in the first rounds, where a cut sum still points the right way. Measured: benchmarks/rounding.
    """
    part = max(_LEAST_PART, 1 / math.sqrt(largest_update(study)))
    return max(1, math.ceil(part * float(planned_patients(study))))


def usual_bound(study: schema.Template, bits: int) -> int:
    """``bound`` where the study states none, in clip norms.

    Every patient planned in a step may pull one way, where that costs nothing; with few bits it is
    as many as keep the rounding below a thousandth of the noise's variance, and never less than
    :func:`least_bound`.
    """
    train = training_of(study)
    noise = _noise_of_one(study) * train.spread / train.local_steps
    free = math.floor((largest_value(bits) * math.sqrt(6 * _FREE) - _shown(study)) * noise)
    most = max(1, math.ceil(planned_patients(study)))
    return min(most, max(free, least_bound(study)))


def bound_of(study: schema.Template) -> int:
    """The largest sum of a step before noise that a field shows, in clip norms.

    As stated, or the usual one.
    """
    train = training_of(study)
    if train.bound is None:
        return usual_bound(study, train.bits)
    return train.bound


def wire_of(
    study: schema.Template,
    bits: int | None = None,
    bound: int | None = None,
) -> Wire:
    """The wire of a study's updates; with other bits or another bound to compare."""
    train = training_of(study)
    bits = train.bits if bits is None else bits
    if bound is None:
        bound = usual_bound(study, bits) if train.bound is None else train.bound
    steps = train.local_steps
    sigma = _noise_of_one(study) * GRID * train.spread
    total = bound * steps * GRID
    step = math.ceil((total + _shown(study) * sigma) / largest_value(bits))
    return Wire(bits, max(1, step), total, sigma)


def limit_of(study: schema.Template) -> int | None:
    """Largest value of a step's sum before noise, in grid units; None where nothing limits it.

    A sum of clipped gradients is cut to it number by number, so that one patient still moves it by
    at most a clip norm.
    """
    if noise_shares(study).count == 1:
        return None
    return bound_of(study) * GRID


def _noise_of_one(study: schema.Template) -> float:
    """Standard deviation of the noise that a hospital adds in a step, in clip norms."""
    return float(noise_shares(study).each(training_of(study).noise_multiplier))


def _shown(study: schema.Template) -> float:
    """Standard deviations of a hospital's noise that a field shows."""
    if noise_shares(study).count == 1:
        return SHOWN
    return _SHOWN_WHOLE
