"""Evaluation of a number in the study file: sums of powers of values and errors, noised.

A held-out patient adds a short list of whole numbers to the released one. Its length (L2) is at
most :attr:`R2Section.units`, whoever the patient is, and the noise is the multiplier times that.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, Self

from pydantic import model_validator

from securefl.study.claims import MAX_BITS
from securefl.study.counts import EvaluateSection, NoisedNumbers
from securefl.study.fields import DecimalText, Fault, Line
from securefl.study.wire import count_bits

#: Whole numbers that one patient's contribution is long. More would be finer than needed: rounding
#: a patient's numbers is far below the noise already with the least.
_MOST_UNITS: Final = 1 << 10
_LEAST_UNITS: Final = 1 << 6


class R2Section(EvaluateSection):
    """R2 and mean absolute error of a number.

    ``bound`` is the largest number of held-out patients of one hospital. ``largest_error`` is a
    part of the range: a larger error of the model counts as that one, so that one patient can move
    the sums by little. ``deviation`` is the published standard deviation of the values, on a log
    scale the factor: with it a plan says which interval to expect.
    """

    metric: Literal["r2"]
    largest_error: DecimalText = Decimal("0.5")
    deviation: DecimalText | None = None
    deviation_source: Line | None = None

    @property
    def units(self) -> int:
        """Length of one patient's contribution: the finest power of two that the fields hold."""
        units = _MOST_UNITS
        while units > _LEAST_UNITS and count_bits(self._in(units)) > MAX_BITS:
            units //= 2
        return units

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each number, in units."""
        return self.noise_multiplier * self.units

    @property
    def numbers(self) -> NoisedNumbers:
        """Sums in units: no patient adds more than all of them to one number."""
        return self._in(self.units)

    def _in(self, units: int) -> NoisedNumbers:
        return NoisedNumbers(self.bound * units, self.noise_multiplier * units)

    @model_validator(mode="after")
    def _error_range(self) -> Self:
        if not Decimal("0.01") <= self.largest_error <= 1:
            raise Fault("is a part of the range: at least 0.01 and at most 1", "largest_error")
        return self

    @model_validator(mode="after")
    def _deviation_has_a_source(self) -> Self:
        if self.deviation is None:
            return self
        if self.deviation <= 0:
            raise Fault("must be above 0: it is a published standard deviation", "deviation")
        if self.deviation_source is None:
            raise Fault(
                "is missing: say where the standard deviation was published; it may not come from"
                " the hospitals' tables",
                "deviation_source",
            )
        return self
