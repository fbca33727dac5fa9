"""Evaluation of a number from noised sums: R2 and mean errors, intervals first.

R2 is 1 - A / B, with A the sum of the model's squared errors and B that of the values' squared
distances from their own mean. A and B are noised independently, so A times Voinov's inverse of B
has no bias (:mod:`securefl.learning.tasks.binary.discrimination`), and Fieller's interval of the
ratio covers with its stated chance however noisy B is. Variances hold the noise and the sampling of
patients (Poisson), read off fourth powers. Where an interval of R2 holds 0, no single figure is
given: the model cannot be told from always saying the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError
from securefl.learning.intervals import fieller, unbiased_inverse
from securefl.learning.tasks.number.moments import ITEMS, Moments, read_moments, row_numbers
from securefl.learning.whole_vectors import padded
from securefl.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.tasks.number.scale import Scale
    from securefl.study.number_evaluation import R2Section
    from securefl.study.schema import Quality, Verdict
    from securefl.types import FloatArray, IntArray

#: The least R2 that is told apart: a model with twice the squared error of saying the mean. An
#: interval from here to 1 says nothing.
LEAST_R2 = -1.0


@dataclass(frozen=True)
class Frame:
    """Public constants by which values and errors are cut and divided.

    Attributes:
        scale: of the number.
        typical: place on the scale from which values are counted.
        most: the largest error that counts, on the scale.
    """

    scale: Scale
    typical: float
    most: float

    @property
    def reach(self) -> float:
        """The largest distance of a value from the typical one."""
        return 1.0 + abs(self.typical)


def frame_of(
    scale: Scale,
    typical: float,
    section: R2Section,
) -> Frame:
    """The frame of a label and an evaluation. The scale is 2 long, so a part of it is twice that."""
    return Frame(scale, typical, 2.0 * float(section.largest_error))


@dataclass(frozen=True, repr=False)
class NumberEvaluation(Shown):
    """Figures of the noised sums, each as an interval first. Distances are those of the scale.

    Attributes:
        low: lower end of the 95 % interval of R2, at least -1.
        high: upper end, at most 1.
        r2: R2 itself, within the interval; None where the interval holds 0 or nothing is known.
        mae_low: lower end of the 95 % interval of the mean absolute error.
        mae_high: upper end.
        mae: the error itself; None where nothing is known.
        bias_low: lower end of the 95 % interval of the mean error, prediction less value.
        bias_high: upper end.
        deviation: estimated standard deviation of the values; None where the noise hides it.
        patients: estimated number of held-out patients, at least 0.
        most: the largest error that counted.
    """

    low: float
    high: float
    r2: float | None
    mae_low: float
    mae_high: float
    mae: float | None
    bias_low: float
    bias_high: float
    deviation: float | None
    patients: float
    most: float

    @property
    def known(self) -> bool:
        """Tell whether anything is known about R2."""
        return (self.low, self.high) != (LEAST_R2, 1.0)

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("R2", f"R2 {self.low:.2f} to {self.high:.2f} (95 %)"),
            ("patients", f"about {self.patients:,.0f}"),
        ]


def numbers_of_rows(
    predictions: FloatArray,
    places: FloatArray,
    frame: Frame,
    section: R2Section,
) -> IntArray:
    """What each held-out row adds to the sums, int64[m, 11].

    Args:
        predictions: float64[m], in the number's unit.
        places: the true values, float64[m], on the scale.
        frame: public constants.
        section: of the study file.
    """
    said = frame.scale.places(padded(predictions))[: len(predictions)]
    errors = np.clip(said - places, -frame.most, frame.most) / frame.most
    values = np.clip((places - frame.typical) / frame.reach, -1.0, 1.0)
    return row_numbers(values, errors, section.units)


def evaluate(
    total: IntArray,
    frame: Frame,
    section: R2Section,
    noises: float,
) -> NumberEvaluation:
    """The figures from the opened sum of lists, which carries so many full ``noises``.

    Raises:
        RoundError: the sum has another length.
    """
    if total.shape != (len(ITEMS),):
        raise RoundError(
            f"the evaluation sum has shape {list(total.shape)}; {len(ITEMS)} values are due.",
            whose="the coordinator",
            next_step="Do not release this round; check the packing that the study names.",
        )
    moments = read_moments(total, section.units, noises * float(section.sigma) ** 2)
    squares = _squares(moments, frame)
    low, high = squares.interval()
    told = low > 0 or high < 0
    mae = _mean_of_part(moments, "abs_e", "e2")
    bias = _mean_error(moments)
    known = mae != (0.0, 1.0)
    return NumberEvaluation(
        low=low,
        high=high,
        r2=_within(squares.point(), low, high) if told else None,
        mae_low=mae[0] * frame.most,
        mae_high=mae[1] * frame.most,
        mae=_mean_size(moments, mae) * frame.most if known else None,
        bias_low=bias[0] * frame.most,
        bias_high=bias[1] * frame.most,
        deviation=squares.deviation(moments.patients),
        patients=max(0.0, moments.patients),
        most=frame.most,
    )


def judge(
    evaluation: NumberEvaluation,
    quality: Quality,
) -> Verdict:
    """The quality rule on the interval of R2: met where all of it is high enough, not met where
    none of it is.
    """
    minimum = float(quality.minimum)
    if evaluation.low >= minimum:
        return "met"
    if evaluation.high < minimum:
        return "not-met"
    return "cannot-be-judged"


@dataclass(frozen=True)
class Squares:
    """The two sums of squares of R2, on the scale.

    Attributes:
        errors: A, of the model's errors.
        values: B, of the values around their mean.
        variance: var(A), cov(A, B), var(B), of noise and sampling.
        noise: of B, its variance from noise alone.
    """

    errors: float
    values: float
    variance: tuple[float, float, float]
    noise: float

    def interval(self) -> tuple[float, float]:
        """95 % interval of R2; (-1, 1) where nothing can be said."""
        if self.values <= 0:
            return LEAST_R2, 1.0
        # A / 2B lies in [0, 1] where R2 lies in [-1, 1]
        of_errors, both, of_values = self.variance
        low, high = fieller(
            self.errors,
            2.0 * self.values,
            (of_errors, 2.0 * both, 4.0 * of_values),
        )
        return 1.0 - 2.0 * high, 1.0 - 2.0 * low

    def point(self) -> float:
        """R2 with no bias over the noise; it may lie outside [-1, 1]."""
        return 1.0 - self.errors * unbiased_inverse(self.values, self.noise**0.5)

    def deviation(self, patients: float) -> float | None:
        """Standard deviation of the values; None where the noise hides it."""
        if patients <= 0 or self.values <= 2.0 * self.noise**0.5:
            return None
        return float((self.values / patients) ** 0.5)


def _squares(
    moments: Moments,
    frame: Frame,
) -> Squares:
    """A and B with their variances: by the delta method around the values' mean."""
    s = moments.sums
    noise = moments.noise
    most = frame.most**2
    reach = frame.reach**2
    mean = 0.0
    square_of_mean = 0.0
    if s["one"] > 0:
        mean = s["v"] / s["one"]
        # the square of a noised sum is too large by the noise's variance
        square_of_mean = (s["v"] ** 2 - noise["v"]) / s["one"]
    noise_of_values = noise["v2"] + 4 * mean**2 * noise["v"] + mean**4 * noise["one"]
    sampled = _sampled(s, mean)
    return Squares(
        errors=most * s["e2"],
        values=reach * (s["v2"] - square_of_mean),
        variance=(
            most**2 * (sampled[0] + noise["e2"]),
            most * reach * sampled[1],
            reach**2 * (sampled[2] + noise_of_values),
        ),
        noise=reach**2 * noise_of_values,
    )


def _sampled(
    s: Mapping[str, float],
    mean: float,
) -> tuple[float, float, float]:
    """Variances and covariance that sampling gives: sums of e^4, e^2 w^2 and w^4, w = v - mean.

    What noise made impossible is cut: a variance below 0, a covariance above what variances allow.
    """
    errors = max(s["e4"], 0.0)
    both = s["e2v2"] - 2 * mean * s["e2v"] + mean**2 * s["e2"]
    values = (
        s["v4"]
        - 4 * mean * s["v3"]
        + 6 * mean**2 * s["v2"]
        - 4 * mean**3 * s["v"]
        + mean**4 * s["one"]
    )
    values = max(values, 0.0)
    most = (errors * values) ** 0.5
    return errors, min(max(both, -most), most), values


def _mean_of_part(
    moments: Moments,
    part: str,
    squared: str,
) -> tuple[float, float]:
    """95 % interval of the mean of an item in [0, 1]; (0, 1) where nothing can be said.

    Args:
        moments: as read.
        part: the item.
        squared: the item that is its square.
    """
    s = moments.sums
    noise = moments.noise
    if s["one"] <= 0:
        return 0.0, 1.0
    variance = (
        max(s[squared], 0.0) + noise[part],
        max(s[part], 0.0),
        s["one"] + noise["one"],
    )
    return fieller(s[part], s["one"], variance)


def _mean_error(moments: Moments) -> tuple[float, float]:
    """95 % interval of the mean of e; (-1, 1) where nothing can be said."""
    s = moments.sums
    noise = moments.noise
    if s["one"] <= 0:
        return -1.0, 1.0
    # (e + 1) / 2 lies in [0, 1]
    half = (s["e"] + s["one"]) / 2
    square = max((s["e2"] + 2 * s["e"] + s["one"]) / 4, 0.0)
    variance = (
        square + (noise["e"] + noise["one"]) / 4,
        half + noise["one"] / 2,
        s["one"] + noise["one"],
    )
    low, high = fieller(half, s["one"], variance)
    return 2 * low - 1, 2 * high - 1


def _mean_size(
    moments: Moments,
    interval: tuple[float, float],
) -> float:
    inverse = unbiased_inverse(moments.patients, moments.noise["one"] ** 0.5)
    return _within(moments.sums["abs_e"] * inverse, *interval)


def _within(
    value: float,
    low: float,
    high: float,
) -> float:
    return min(max(value, low), high)
