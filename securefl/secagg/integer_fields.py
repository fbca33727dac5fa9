"""Signed integers in fields of fixed width, such that the fields of a sum do not run into each other.

A value of ``bits`` bits is stored with an offset of 2^(bits-1), in a field wide enough for the sum
over all contributors. Where the fields lie is each layout's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from securefl.errors import RoundError, StudyError, UsageError

if TYPE_CHECKING:
    from securefl.types import IntArray

MAX_BITS: Final = 24
MAX_CONTRIBUTORS: Final = 4096


@dataclass(frozen=True)
class IntegerFields:
    """Fields for ``bits``-bit integers of ``contributors`` hospitals.

    Args:
        bits: bits of one contributor's value, sign included (:attr:`least_bits` to 24).
        contributors: K, how many contributions make the sum (1 to 4096).

    Raises:
        StudyError: one of the two is out of range.
    """

    least_bits: ClassVar[int]

    bits: int
    contributors: int

    def __post_init__(self) -> None:
        if not self.least_bits <= self.bits <= MAX_BITS:
            raise StudyError(
                f"{self.bits} bits a value; {self.least_bits} to {MAX_BITS} are possible.",
                next_step="Choose bits in this range.",
            )
        if not 1 <= self.contributors <= MAX_CONTRIBUTORS:
            raise StudyError(
                f"{self.contributors} contributors; 1 to {MAX_CONTRIBUTORS} are possible.",
                next_step="Change the list of participants.",
            )

    @property
    def field_bits(self) -> int:
        """Bits of one field: room for the sum of all contributors' offset values."""
        return self.bits + (self.contributors - 1).bit_length()

    @property
    def max_value(self) -> int:
        """The largest absolute value one contributor may send: 2^(bits-1) - 1."""
        return (1 << (self.bits - 1)) - 1

    @property
    def offset(self) -> int:
        """Added to each value, so that every field is positive: no field of a sum borrows from the
        next.
        """
        return 1 << (self.bits - 1)

    def check_values(self, values: IntArray) -> None:
        """Refuse what one contributor may not send.

        Raises:
            UsageError: not a one-dimensional int64 array.
            RoundError: a value is out of range; it is never wrapped or clipped here.
        """
        if values.dtype != np.int64 or values.ndim != 1:
            raise UsageError(
                f"Values are packed from int64[d], not {values.dtype}{list(values.shape)}.",
                next_step="Round to integers first.",
            )
        # Each bound by itself: the absolute value of the least int64 is negative.
        largest = int(values.max(initial=0))
        smallest = int(values.min(initial=0))
        if largest > self.max_value or smallest < -self.max_value:
            raise RoundError(
                f"A value does not fit in {self.bits} bits; nothing was encrypted.",
                whose="this hospital: its worker rounds to the study's fields",
                next_step="Report this; the study ends here.",
            )

    def sums(
        self,
        fields: IntArray,
        contributors: int,
        length: int,
    ) -> tuple[IntArray, IntArray]:
        """Take the offsets off an opened sum.

        Args:
            fields: int64[items, fields], canary first; changed in place.
            contributors: how many contributions make the sum.
            length: how many values they hold.

        Returns:
            The sums int64[length] and the canaries int64[items].

        Raises:
            RoundError: a field holds what no such contributions add up to, or the padding is not
                zero.
        """
        # As many offsets come off as were added: one for each contributor.
        fields -= contributors * self.offset
        values = fields[:, 1:].reshape(-1)
        limit = contributors * self.max_value
        too_large = int(fields.max()) > limit or int(fields.min()) < -limit
        padding = bool(np.any(values[length:]))
        if too_large or padding:
            raise incomplete_sum()
        return values[:length].copy(), fields[:, 0].copy()


def incomplete_sum() -> RoundError:
    """The refusal of a sum that no complete set of contributions adds up to."""
    return RoundError(
        "The sum holds values that no complete set of contributions adds up to; nothing was"
        " released.",
        whose="a hospital that sent a malformed contribution, or the aggregator",
        next_step="Start a new attempt; if it fails again, let every hospital verify the round.",
    )


def check_length(length: int) -> None:
    """Refuse a vector without values.

    Raises:
        UsageError: ``length`` is not positive.
    """
    if length < 1:
        raise UsageError(
            f"A vector of {length} values cannot be sent.", next_step="Send at least one value."
        )
