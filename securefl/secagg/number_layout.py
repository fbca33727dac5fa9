"""Packing of integer fields across the primes of a number ring: sums open as exact integers.

For sums under keys that add up. A coefficient is a long integer: the lowest bits are room for the
errors' sum, then come the fields, each wide enough for the sum of all contributors' values. A value
is a signed integer of ``bits`` bits, stored with an offset of 2^(bits-1). Slot 0 of every element
is the canary: each contributor adds 1, so a complete sum opens to K there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from securefl.secagg.gaussian import SIGMA
from securefl.secagg.integer_fields import IntegerFields, check_length, incomplete_sum
from securefl.secagg.number_ring import WORD_BITS, ring_of
from securefl.secagg.packing import MARGIN_SDS
from securefl.secagg.sections import Section

if TYPE_CHECKING:
    from securefl.secagg.number_ring import NumberRing
    from securefl.types import IntArray, WordArray

#: Fewest bits of a value: noise may be rounded to steps this coarse (the wire's grid stands in the
#: study).
LEAST_BITS: Final = 4
#: Bits of a key's coefficient in the ciphertexts that carry the keys: the largest sample is 65.
KEY_BITS: Final = 8
#: Residues are packed into bytes by so many at a time.
_GROUP: Final = 64


@dataclass(frozen=True)
class NumberLayout(IntegerFields):
    """Layout of ``bits``-bit integers of ``contributors`` hospitals in a ring of so many primes.

    Args:
        bits: bits of one contributor's value, sign included (4 to 24).
        contributors: K, how many contributions make the sum (1 to 4096).
        primes: 1 to 3.

    Raises:
        StudyError: no such layout.
    """

    least_bits: ClassVar[int] = LEAST_BITS

    primes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        ring_of(self.primes)

    @property
    def ring(self) -> NumberRing:
        """Ring of the elements."""
        return ring_of(self.primes)

    @property
    def error_bits(self) -> int:
        """Lowest bits of a coefficient, left to the errors.

        Half their range is 12 standard deviations of the sum of all.
        """
        deviations = MARGIN_SDS * float(SIGMA) * math.sqrt(self.contributors)
        return math.ceil(math.log2(deviations)) + 1

    @property
    def fields(self) -> int:
        """Fields in one coefficient: as many as the modulus holds above the errors, at least one.

        The modulus lies a little below the power of two that the words hold, so the highest bit is
        used where the largest sum of the last field stays below it: that bit decides for eight bits
        and eight hospitals.
        """
        found = (WORD_BITS * self.primes - self.error_bits) // self.field_bits
        largest = self.contributors * ((1 << self.bits) - 1)
        top = self.error_bits + (found - 1) * self.field_bits
        if (largest + 1) << top > self.ring.modulus:
            found -= 1
        return found

    @property
    def values_per_element(self) -> int:
        """Values in one element; one field is the canary's."""
        return self.fields * self.ring.degree - 1

    def sections(self, length: int) -> tuple[Section, ...]:
        """The elements of ``length`` values: whole ones, and a last one that is cut.

        It is cut to the coefficients that it needs. Whole elements travel in transformed order, the
        cut one by its coefficients: each of those opens by itself.

        Raises:
            UsageError: ``length`` is not positive.
        """
        check_length(length)
        ring = self.ring
        whole, rest = divmod(length, self.values_per_element)
        found = []
        if whole:
            found.append(Section(whole, ring.degree, ring.primes, masked=False))
        if rest:
            # One field more for the canary, then up to whole groups of 64 for the bit packing.
            needed = -(-(rest + 1) // self.fields)
            degree = -(-needed // _GROUP) * _GROUP
            found.append(Section(1, degree, ring.primes, masked=False))
        return tuple(found)

    def bytes_for(self, length: int) -> int:
        """Bytes on the wire of ``length`` values, the key apart."""
        return sum(section.count * section.item_bytes for section in self.sections(length))

    def pack(self, values: IntArray) -> WordArray:
        """Pack one contributor's values into coefficients, before the errors.

        Args:
            values: int64[d], each at most :attr:`max_value` in absolute value.

        Returns:
            uint64[elements, primes, degree]: long integers in words of 58 bits, lowest first,
            canaries included.

        Raises:
            UsageError: not a one-dimensional int64 array.
            RoundError: a value is out of range; it is never wrapped or clipped here.
        """
        self.check_values(values)
        size = self.values_per_element
        elements = max(1, -(-values.size // size))
        words = np.zeros((elements, self.primes, self.ring.degree), dtype=np.uint64)
        slots = np.empty(size + 1, dtype=np.int64)
        # An element at a time stays in the processor's cache.
        for index, element in enumerate(words):
            some = values[index * size : (index + 1) * size]
            # The canary of each element.
            slots[0] = self.offset + 1
            np.add(some, self.offset, out=slots[1 : 1 + some.size])
            slots[1 + some.size :] = self.offset
            self._place(slots.view(np.uint64), element)
        return words

    def _place(self, slots: WordArray, element: WordArray) -> None:
        """Write one element's fields, uint64[slots], into its words, which are zero."""
        low = np.uint64((1 << WORD_BITS) - 1)
        fields = np.ascontiguousarray(slots.reshape(-1, self.fields).T)
        for field, (word, shift) in zip(fields, self._places, strict=True):
            if shift + self.field_bits <= WORD_BITS:
                element[word] |= field << np.uint64(shift)
            else:
                # A field that reaches into the next word leaves its upper bits there.
                element[word + 1] |= field >> np.uint64(WORD_BITS - shift)
                element[word] |= (field << np.uint64(shift)) & low

    @property
    def _places(self) -> list[tuple[int, int]]:
        """Where the fields begin: (word, bit in it)."""
        starts = range(
            self.error_bits, self.error_bits + self.fields * self.field_bits, self.field_bits
        )
        return [divmod(start, WORD_BITS) for start in starts]

    def unpack(
        self,
        words: WordArray,
        length: int,
        contributors: int,
    ) -> tuple[IntArray, IntArray, float]:
        """Take apart the opened sum of ``contributors`` contributions.

        Args:
            words: uint64[elements, primes, coefficients], the sums with their errors, to which half
                the errors' range was added so that none is negative.
            length: how many values they hold.
            contributors: how many contributions make the sum, at most K.

        Returns:
            The sums int64[length], the canaries int64[elements] (each must be ``contributors``; the
            caller refuses others), and the largest error as a share of half its range: 1.0 would
            change an integer.

        Raises:
            RoundError: a field holds what no such contributions add up to, or the padding is not
                zero.
        """
        if self._holds_more(words):
            raise incomplete_sum()
        elements, _, degree = words.shape
        size = degree * self.fields - 1
        values = np.empty(length, dtype=np.int64)
        canaries = np.empty(elements, dtype=np.int64)
        slots = np.empty((degree, self.fields), dtype=np.uint64)
        largest = 0
        for index, element in enumerate(words):
            self._take(element, slots)
            some = values[index * size : (index + 1) * size]
            found, canaries[index : index + 1] = self.sums(
                slots.view(np.int64).reshape(1, -1), contributors, some.size
            )
            some[:] = found
            largest = max(largest, self._largest_error(element[0]))
        return values, canaries, largest / (1 << (self.error_bits - 1))

    def _take(self, element: WordArray, slots: WordArray) -> None:
        """Read one element's fields from its words into ``slots``, uint64[degree, fields]."""
        keep = np.uint64((1 << self.field_bits) - 1)
        for index, (word, shift) in enumerate(self._places):
            field = element[word] >> np.uint64(shift)
            if shift + self.field_bits > WORD_BITS:
                field |= element[word + 1] << np.uint64(WORD_BITS - shift)
            np.bitwise_and(field, keep, out=slots[:, index])

    def _largest_error(self, words: WordArray) -> int:
        """Find the largest error, in absolute value, in the lowest words of an element."""
        half = 1 << (self.error_bits - 1)
        errors = (words & np.uint64(2 * half - 1)).astype(np.int64) - half
        return int(np.abs(errors).max())

    def _holds_more(self, words: WordArray) -> bool:
        """True if any coefficient has bits above its last field."""
        word, shift = divmod(self.error_bits + self.fields * self.field_bits, WORD_BITS)
        if word == self.primes:
            return False
        above = words[:, word] >> np.uint64(shift)
        return bool(np.any(above)) or bool(np.any(words[:, word + 1 :]))
