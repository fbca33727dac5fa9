"""Rings of the ciphertexts: one for many numbers, two smaller ones for few.

A ciphertext is two polynomials of ``degree`` residues modulo one prime. The largest ring has a
second, special prime that occurs in public keys only and swamps the noise of public-key
encryption. The small rings have none: in so small a modulus, bits that only swamp noise cost more
room than the noise does.

Security follows from degree and bits of the whole modulus. The homomorphic encryption standard
(Albrecht et al. 2018) allows 27, 54 and 109 bits at degree 1024, 2048 and 4096 for 128 bits
of security against classical attacks, and 25, 51 and 101 against quantum ones. Every ring here is
inside both.

Noise of a fresh ciphertext without a special prime: ``e0 + e1 s + e u`` with errors of variance
10.5 (SEAL's centred binomial of 42 coins) and ternary ``s`` and ``u``, so of variance
``10.5 (1 + 4/3 degree)`` in a coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from securefl.errors import StudyError
from securefl.secagg.number_ring import NumberRing
from securefl.secagg.ring import DEGREE, MODULUS, SPECIAL_MODULUS


@dataclass(frozen=True)
class CipherRing:
    """Ring of ciphertexts, public keys and masks of one round.

    Args:
        degree: residues in a polynomial.
        modulus: prime of the ciphertexts.
        special: prime that only public keys have; 1 where there is none.
        usable_bits: bits of a coefficient that fields may fill, where the noise leaves them.
        noise_sd: standard deviation of a fresh ciphertext's noise in one coefficient; measured
            with TenSEAL 0.3.18, a test measures it again.
    """

    degree: int
    modulus: int
    special: int
    usable_bits: int
    noise_sd: float

    @property
    def primes(self) -> tuple[int, ...]:
        """Primes of a public key: that of the ciphertexts first."""
        if self.special == 1:
            return (self.modulus,)
        return (self.modulus, self.special)

    @property
    def bits(self) -> int:
        """Bits of a residue of a ciphertext."""
        return self.modulus.bit_length()

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one ciphertext on the wire."""
        return 2 * self.degree * self.bits // 8

    @property
    def public_key_bytes(self) -> int:
        """Bytes of a public key on the wire."""
        widths = sum(prime.bit_length() for prime in self.primes)
        return 2 * self.degree * widths // 8

    @property
    def elements(self) -> NumberRing:
        """The same polynomials, for products with a key."""
        return NumberRing(self.degree, (self.modulus,))


#: Ring of many numbers, and of the keys of numbers.
LARGE_RING: Final = CipherRing(DEGREE, MODULUS, SPECIAL_MODULUS, 46, 15.2)
#: All rings, the largest first.
CIPHER_RINGS: Final = (
    LARGE_RING,
    CipherRing(2048, 2_251_799_813_640_193, 1, 51, 170.0),
    CipherRing(1024, 33_550_337, 1, 25, 120.0),
)


def cipher_ring(degree: int) -> CipherRing:
    """Return the ring of that degree.

    Raises:
        StudyError: there is none.
    """
    for ring in CIPHER_RINGS:
        if ring.degree == degree:
            return ring
    known = ", ".join(str(ring.degree) for ring in CIPHER_RINGS)
    raise StudyError(
        f"Ciphertexts of degree {degree}; {known} are possible.",
        next_step="Choose one of these.",
    )
