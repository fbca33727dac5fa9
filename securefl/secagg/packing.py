"""Packing of fixed-width integer fields into a plaintext: sums open as exact integers.

A value is a signed integer of ``bits`` bits. It is stored with an offset of 2^(bits-1), in a field
wide enough for the sum over all contributors: ``bits + ceil(log2 K)``. About 12 of a ring's bits
are left to the encryption noise: 46 of 58 are usable, 38 of 51 and 12 of 25. Field 0 of coefficient 0 of every
ciphertext is the canary: each contributor adds 1, so a complete sum opens to K there and an
incomplete one does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from securefl.errors import StudyError, UsageError
from securefl.secagg.cipher_ring import LARGE_RING, cipher_ring
from securefl.secagg.integer_fields import IntegerFields, check_length, incomplete_sum

if TYPE_CHECKING:
    from securefl.secagg.cipher_ring import CipherRing
    from securefl.types import IntArray, WordArray

MIN_BITS: Final = 6
#: The noise of a sum may reach this many standard deviations before it can change an integer.
MARGIN_SDS: Final = 12.0


@dataclass(frozen=True)
class FieldLayout(IntegerFields):
    """Layout of ``bits``-bit integers from ``contributors`` hospitals in a ciphertext.

    Args:
        bits: bits of one contributor's value, sign included (6 to 24).
        contributors: K, how many contributions make the sum (1 to 4096).
        degree: of the ciphertexts' ring (:mod:`securefl.secagg.cipher_ring`).

    Raises:
        StudyError: no such layout keeps the margin of 12 standard deviations.
    """

    least_bits: ClassVar[int] = MIN_BITS

    degree: int = LARGE_RING.degree

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fields == 0:
            raise StudyError(
                f"{self.bits} bits for {self.contributors} contributors leave the encryption noise"
                " too little room.",
                next_step="Choose fewer bits, or fewer participants.",
            )

    @property
    def ring(self) -> CipherRing:
        """Ring of the ciphertexts."""
        return cipher_ring(self.degree)

    @property
    def fields(self) -> int:
        """Fields in one coefficient: the most that leave the noise its margin."""
        ring = self.ring
        margin = MARGIN_SDS * ring.noise_sd * math.sqrt(self.contributors)
        for count in range(ring.usable_bits // self.field_bits, 0, -1):
            scale = ring.modulus >> (count * self.field_bits)
            if scale / 2 >= margin:
                return count
        return 0

    @property
    def scale(self) -> int:
        """D, the factor of a message: the noise must stay below D/2 in absolute value."""
        return self.ring.modulus >> (self.fields * self.field_bits)

    @property
    def values_per_chunk(self) -> int:
        """Values in one ciphertext; one field is the canary's."""
        return self.fields * self.degree - 1

    def chunks_for(self, length: int) -> int:
        """Ciphertexts needed for ``length`` values (at least one).

        Raises:
            UsageError: ``length`` is not positive.
        """
        check_length(length)
        return -(-length // self.values_per_chunk)

    def pack(self, values: IntArray) -> WordArray:
        """Pack one contributor's values into messages.

        Args:
            values: int64[d], each at most :attr:`max_value` in absolute value.

        Returns:
            uint64[chunks, degree], each below 2^(fields * field_bits), canaries included.

        Raises:
            UsageError: not a one-dimensional int64 array.
            RoundError: a value is out of range; it is never wrapped or clipped here.
        """
        self.check_values(values)
        chunks = self.chunks_for(values.size)
        slots = np.zeros((chunks, self.values_per_chunk + 1), dtype=np.int64)
        # The canary of each ciphertext.
        slots[:, 0] = 1
        padded = np.zeros(chunks * self.values_per_chunk, dtype=np.int64)
        padded[: values.size] = values
        slots[:, 1:] = padded.reshape(chunks, -1)
        fields = (slots + self.offset).astype(np.uint64).reshape(chunks, self.fields, self.degree)
        messages = np.zeros((chunks, self.degree), dtype=np.uint64)
        for index in range(self.fields):
            messages |= fields[:, index] << np.uint64(index * self.field_bits)
        return messages

    def unpack(
        self,
        messages: WordArray,
        length: int,
        contributors: int | None = None,
    ) -> tuple[IntArray, IntArray]:
        """Take apart the opened sum of all K contributors, or of the survivors among them.

        Args:
            messages: uint64[chunks, degree], the sums of what :meth:`pack` returned.
            length: d.
            contributors: how many contributions make the sum, at most K; K unless said otherwise.

        Returns:
            The sums int64[d], and the canaries int64[chunks] (each must be ``contributors``; the
            caller refuses others).

        Raises:
            UsageError: shape or dtype is not that of ``length`` values.
            RoundError: a field holds what no K honest contributions can add up to, or the padding
                is not zero.
        """
        chunks = self.chunks_for(length)
        count = contributors
        if count is None:
            count = self.contributors
        if messages.dtype != np.uint64 or messages.shape != (chunks, self.degree):
            raise UsageError(
                f"{length} values are unpacked from uint64[{chunks}, {self.degree}], not "
                f"{messages.dtype}{list(messages.shape)}.",
                next_step="Unpack with the layout of the round.",
            )
        whole = self.fields * self.field_bits
        low = np.uint64((1 << self.field_bits) - 1)
        slots = np.empty((chunks, self.fields, self.degree), dtype=np.int64)
        for index in range(self.fields):
            slots[:, index] = (messages >> np.uint64(index * self.field_bits)) & low
        if np.any(messages >> np.uint64(whole)):
            raise incomplete_sum()
        return self.sums(slots.reshape(chunks, -1), count, length)
