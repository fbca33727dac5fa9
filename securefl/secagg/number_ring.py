"""Rings of numbers under keys that add up: polynomials modulo one, two or three 58-bit primes.

A ring element is held by its residues modulo each prime (residue number system), uint64[...,
primes, degree]. Every prime is ``2^58 - c`` with a small ``c``, so that a product is reduced by
shifts, and a long integer is written in words of 58 bits: ``x = w0 + 2^58 w1 + 2^116 w2``.

The primes are those SEAL 4.1 chooses for ``CoeffModulus.Create(degree, [58, ...])``; a test
compares them. Degree and modulus lie inside the homomorphic encryption standard (Albrecht et al.
2018: 109 bits at 4096, 218 at 8192 for 128-bit security); nothing here is public-key encryption, so
no special prime is added to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import StudyError
from securefl.secagg.ring import DEGREE, MODULUS, add, subtract

if TYPE_CHECKING:
    from securefl.types import IntArray, WordArray


#: Bits of every prime, and of a word of a long integer.
WORD_BITS: Final = 58
LARGE_DEGREE: Final = 8192
_LARGE_PRIMES: Final = (288_230_376_150_630_401, 288_230_376_150_712_321, 288_230_376_150_876_161)

_WORD: Final = np.uint64((1 << WORD_BITS) - 1)
_HALF_BITS: Final = np.uint64(WORD_BITS // 2)
_HALF: Final = np.uint64((1 << (WORD_BITS // 2)) - 1)
_SHIFT: Final = np.uint64(WORD_BITS)
#: Bits of a limb: with a residue of 51 bits they fill a word of 64.
_LIMB_BITS: Final = 13


@dataclass(frozen=True)
class NumberRing:
    """Polynomials of ``degree`` coefficients modulo the product of ``primes``.

    Args:
        degree: 4096 or 8192; of a small ring of ciphertexts 1024 or 2048.
        primes: each ``2^58 - c`` with ``c`` below 2^21; that of a small ring has at most 51 bits,
            and takes no long integers.
    """

    degree: int
    primes: tuple[int, ...]

    @property
    def modulus(self) -> int:
        """Product of the primes: integers below it do not wrap."""
        return math.prod(self.primes)

    def add(self, a: WordArray, b: WordArray) -> WordArray:
        """(a + b), residue by residue; uint64[..., primes, degree]."""
        return add(a, b, self._column())

    def subtract(self, a: WordArray, b: WordArray) -> WordArray:
        """(a - b), residue by residue; uint64[..., primes, degree]."""
        return subtract(a, b, self._column())

    def multiply(self, a: WordArray, b: WordArray) -> WordArray:
        """(a * b), residue by residue: the product of elements in transformed order.

        Args:
            a: uint64[n, primes, degree].
            b: uint64[primes, degree], one element for all.
        """
        found = np.empty_like(a)
        for element, product in zip(a, found, strict=True):
            # A row at a time stays in the processor's cache.
            for i, prime in enumerate(self.primes):
                if prime.bit_length() == WORD_BITS:
                    product[i] = _product(element[i], b[i], prime)
                else:
                    product[i] = _product_by_limbs(element[i], b[i], prime)
        return found

    def contains(self, element: WordArray) -> bool:
        """Check that an array holds residues of this ring: dtype, shape, each below its prime."""
        if element.dtype != np.uint64 or element.shape[-2:] != (len(self.primes), self.degree):
            return False
        return element.size > 0 and bool((element < self._column()).all())

    def small(self, values: IntArray) -> WordArray:
        """Residues of small signed integers: int64[..., degree] to uint64[..., primes, degree]."""
        wide = values[..., None, :]
        column = self._column().astype(np.int64)
        return np.where(wide < 0, wide + column, wide).astype(np.uint64)

    def from_words(self, words: WordArray) -> WordArray:
        """Residues of long integers: uint64[n, primes, degree] words, lowest first, to residues."""
        found = np.empty_like(words)
        for integer, element in zip(words, found, strict=True):
            for i, prime in enumerate(self.primes):
                # Horner's rule in base 2^58, from the highest word down. Between two steps a value
                # stays below 2^59, which is all that the next one asks.
                value = integer[-1].copy()
                for word in integer[-2::-1]:
                    value = _below(value, prime, 1)
                    value = _times_word(value, prime)
                    value += word
                element[i] = _below(value, prime, 2)
        return found

    def to_words(self, element: WordArray) -> WordArray:
        """The integers from 0 that have these residues, in words, lowest first.

        uint64[n, primes, degree], by mixed radix (Garner 1959): ``x = r0 + p0 (k1 + p1 k2)``, each
        digit from the residues before it.
        """
        found = np.empty_like(element)
        for residues, integer in zip(element, found, strict=True):
            digits = self._digits(residues)
            words = [digits[-1]]
            for digit, prime in zip(digits[-2::-1], self.primes[-2::-1], strict=True):
                words = _shift_in(digit, words, prime)
            integer[:] = words
        return found

    def _digits(self, residues: WordArray) -> list[WordArray]:
        """Garner's digits: each is below its own prime."""
        digits = [residues[0]]
        for i, prime in enumerate(self.primes[1:], start=1):
            value = residues[i]
            # Take each earlier digit off and divide by its prime, all modulo this one.
            for j, digit in enumerate(digits):
                inverse = np.uint64(pow(self.primes[j], -1, prime))
                # The prime is added first: below zero the unsigned difference would wrap.
                difference = value + np.uint64(prime) - _below(digit.copy(), prime, 1)
                value = _product(_below(difference, prime, 1), inverse, prime)
            digits.append(value)
        return digits

    def _column(self) -> WordArray:
        """Return the primes as a column that broadcasts over residues."""
        return np.array(self.primes, dtype=np.uint64)[:, None]


RINGS: Final = (
    NumberRing(DEGREE, (MODULUS,)),
    NumberRing(LARGE_DEGREE, _LARGE_PRIMES[1:]),
    NumberRing(LARGE_DEGREE, _LARGE_PRIMES),
)


def ring_of(primes: int) -> NumberRing:
    """Return the ring with that many primes.

    Raises:
        StudyError: there is none.
    """
    if not 1 <= primes <= len(RINGS):
        raise StudyError(
            f"A ring of {primes} primes; 1 to {len(RINGS)} are possible.",
            next_step="Choose one of these.",
        )
    return RINGS[primes - 1]


def _below(values: WordArray, prime: int, times: int) -> WordArray:
    """Take the prime off ``values`` until they are below it, in place.

    They are below ``(times + 1) * prime``.
    """
    step = np.uint64(prime)
    for _ in range(times):
        # Where a value is below the prime the subtraction wraps to a huge number, so the minimum
        # is the residue.
        np.minimum(values, values - step, out=values)
    return values


def _times_word(values: WordArray, prime: int) -> WordArray:
    """``values * 2^58`` up to multiples of the prime, below 2^58.1.

    2^58 is c modulo ``2^58 - c``.
    """
    small = np.uint64((1 << WORD_BITS) - prime)
    low, high = _times_small(values, small)
    high *= small
    low += high
    return low


def _times_small(values: WordArray, small: np.uint64) -> tuple[WordArray, WordArray]:
    """(low, high) with ``values * small == low + 2^58 high``.

    For values below 2^59 and small below 2^21; low is then below 2^58.1.
    """
    high = values >> _HALF_BITS
    high *= small
    low = high & _HALF
    low <<= _HALF_BITS
    rest = values & _HALF
    rest *= small
    low += rest
    high >>= _HALF_BITS
    return low, high


def _product(a: WordArray, b: WordArray | np.uint64, prime: int) -> WordArray:
    """(a * b) mod prime for residues below 2^58, by halves of 29 bits."""
    a1 = a >> _HALF_BITS
    a0 = a & _HALF
    b1 = b >> _HALF_BITS
    b0 = b & _HALF
    # Two products below 2^58 each: their sum is below 2^59.
    middle = a1 * b0
    middle += a0 * b1
    high = a1 * b1
    high += middle >> _HALF_BITS
    middle &= _HALF
    middle <<= _HALF_BITS
    low = a0 * b0
    low += middle
    # Below 3.2 primes in all, so three subtractions are enough.
    low += _times_word(high, prime)
    return _below(low, prime, 3)


def _product_by_limbs(a: WordArray, b: WordArray, prime: int) -> WordArray:
    """(a * b) mod prime for residues of at most 51 bits, by limbs of 13 bits of ``b``."""
    modulus = np.uint64(prime)
    limb = np.uint64(_LIMB_BITS)
    low = np.uint64((1 << _LIMB_BITS) - 1)
    found = np.zeros_like(a)
    # Horner's rule from the highest limb down: both terms are below 2^64, each is reduced at once.
    for place in range(prime.bit_length() // _LIMB_BITS, -1, -1):
        digit = (b >> np.uint64(place * _LIMB_BITS)) & low
        shifted = np.remainder(found << limb, modulus)
        term = np.remainder(a * digit, modulus)
        np.remainder(shifted + term, modulus, out=found)
    return found


def _shift_in(digit: WordArray, words: list[WordArray], prime: int) -> list[WordArray]:
    """``digit + prime * x`` in words, for x in ``words``: ``prime * x`` is ``2^58 x - c x``."""
    small = np.uint64((1 << WORD_BITS) - prime)
    # The words move one place up, which is the product with 2^58; c x is then taken off.
    signed = [digit.astype(np.int64), *(w.astype(np.int64) for w in words)]
    for place, word in enumerate(words):
        low, high = _times_small(word, small)
        signed[place] -= low.astype(np.int64)
        signed[place + 1] -= high.astype(np.int64)
    for place in range(len(signed) - 1):
        # An arithmetic shift: it borrows where the word is negative.
        signed[place + 1] += signed[place] >> WORD_BITS
        signed[place] &= np.int64(_WORD)
    return [part.astype(np.uint64) for part in signed]
