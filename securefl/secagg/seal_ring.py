"""Number-theoretic transform of number rings, through TenSEAL's binding of SEAL.

Value ``i`` of a transformed element is the polynomial at ``psi^(2 rev(i) + 1)`` modulo each prime:
``psi`` the least primitive root of unity of order twice the degree, ``rev`` the reversal of the
bits of ``i``. A product of polynomials modulo ``x^degree + 1`` is then a product value by value
(:meth:`securefl.secagg.number_ring.NumberRing.multiply`).

SEAL transforms ciphertexts, so up to 15 elements pose as one. A ciphertext has at least two parts, and
SEAL refuses one that is nothing but zeros behind its first: a constant stands behind an element
that comes alone.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tenseal import sealapi

from securefl.errors import SecureFLError
from securefl.secagg.ring import DEGREE, SPECIAL_MODULUS_BITS
from securefl.secagg.seal import load_seal_file, read_residues, seal_file, write_residues

if TYPE_CHECKING:
    from securefl.secagg.number_ring import NumberRing
    from securefl.types import WordArray

#: SEAL_CIPHERTEXT_SIZE_MAX less one.
_MOST_ELEMENTS: Final = 15


def to_transformed(ring: NumberRing, elements: WordArray) -> WordArray:
    """Transform coefficients uint64[n, primes, degree] to values in transformed order."""
    return _through_seal(ring, elements, forward=True)


def from_transformed(ring: NumberRing, elements: WordArray) -> WordArray:
    """Transform values in transformed order uint64[n, primes, degree] to coefficients."""
    return _through_seal(ring, elements, forward=False)


def _through_seal(ring: NumberRing, elements: WordArray, *, forward: bool) -> WordArray:
    """Transform elements as parts of ciphertexts, up to 15 at a time."""
    found = np.empty_like(elements)
    for start in range(0, len(elements), _MOST_ELEMENTS):
        block = elements[start : start + _MOST_ELEMENTS]
        parts = block
        if not block[1:].any():
            constant = np.ones((1, len(ring.primes), ring.degree), dtype=np.uint64)
            parts = np.concatenate((block, constant))
        transformed = _carrier(ring, len(parts), forward).transform(parts)
        found[start : start + len(block)] = transformed[: len(block)]
        # It may hold a key.
        transformed.fill(0)
    return found


class _Carrier:
    """Two ciphertexts of ``size`` parts: elements pose as one, the other takes their transform.

    They are kept, because to make a ciphertext from a file takes longer than to transform it. They
    hold nothing between two transforms.
    """

    def __init__(self, ring: NumberRing, size: int, forward: bool) -> None:
        self._context = _context(ring)
        self._forward = forward
        self._shape = (size, len(ring.primes), ring.degree)
        self._before, self._after = sealapi.Ciphertext(), sealapi.Ciphertext()
        self._load(np.ones(self._shape, dtype=np.uint64))
        # Of two threads, one would write over the other's elements.
        self._lock = threading.Lock()

    def transform(self, parts: WordArray) -> WordArray:
        """Transform uint64[size, primes, degree]."""
        evaluator = sealapi.Evaluator(self._context)
        transform = evaluator.transform_from_ntt
        if self._forward:
            transform = evaluator.transform_to_ntt
        with self._lock:
            if not write_residues(self._before, parts):
                self._load(parts)
            transform(self._before, self._after)
            found = read_residues(self._after)
            for carrier in (self._before, self._after):
                write_residues(carrier, found[:0])
        return found.reshape(self._shape)

    def _load(self, parts: WordArray) -> None:
        """Make the ciphertext from a file: the form that it is in, SEAL takes from there alone."""
        file = seal_file(self._context.first_parms_id(), parts, ntt=not self._forward)
        load_seal_file(self._context, self._before, file)


@cache
def _carrier(ring: NumberRing, size: int, forward: bool) -> _Carrier:
    """Make the carrier of so many parts, once a process."""
    return _Carrier(ring, size, forward)


@cache
def _context(ring: NumberRing) -> Any:  # noqa: ANN401 - sealapi has no types
    """SEAL's context of a number ring, made once a process."""
    bits = [prime.bit_length() for prime in ring.primes]
    if ring.degree >= DEGREE:
        # SEAL keeps its last prime for key switching, which nothing here uses: the small one is
        # never in an element.
        bits.append(SPECIAL_MODULUS_BITS)
    moduli = sealapi.CoeffModulus.Create(ring.degree, bits)
    parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(ring.degree)
    parameters.set_coeff_modulus(moduli)
    context = sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)
    primes = tuple(prime.value() for prime in moduli)[: len(ring.primes)]
    if primes != ring.primes or not context.parameters_set():
        raise SecureFLError(
            "This TenSEAL builds another ring than securefl's wire format names.",
            whose="whoever installed securefl",
            next_step="Install the TenSEAL that requirements.lock pins.",
        )
    return context
