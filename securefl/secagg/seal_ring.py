"""Number-theoretic transform of number rings, through TenSEAL's binding of SEAL.

Value ``i`` of a transformed element is the polynomial at ``psi^(2 rev(i) + 1)`` modulo each prime:
``psi`` the least primitive root of unity of order twice the degree, ``rev`` the reversal of the
bits of ``i``. A product of polynomials modulo ``x^degree + 1`` is then a product value by value
(:meth:`securefl.secagg.number_ring.NumberRing.multiply`).

SEAL transforms ciphertexts, so up to 15 elements pose as one, with a constant behind them: SEAL
refuses a ciphertext that is nothing but zeros behind its first part.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tenseal import sealapi

from securefl.errors import SecureFLError
from securefl.secagg.ring import SPECIAL_MODULUS_BITS
from securefl.secagg.seal import load_seal_file, read_residues, seal_file

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
    context = _context(ring)
    evaluator = sealapi.Evaluator(context)
    if forward:
        transform = evaluator.transform_to_ntt_inplace
    else:
        transform = evaluator.transform_from_ntt_inplace
    found = np.empty_like(elements)
    constant = np.ones((1, len(ring.primes), ring.degree), dtype=np.uint64)
    for start in range(0, len(elements), _MOST_ELEMENTS):
        block = elements[start : start + _MOST_ELEMENTS]
        parts = np.concatenate((block, constant))
        carrier = sealapi.Ciphertext()
        file = seal_file(context.first_parms_id(), parts, ntt=not forward)
        load_seal_file(context, carrier, file)
        transform(carrier)
        flat = read_residues(carrier)
        found[start : start + len(block)] = flat.reshape(parts.shape)[: len(block)]
        # It may hold a key.
        flat.fill(0)
    return found


@cache
def _context(ring: NumberRing) -> Any:  # noqa: ANN401 - sealapi has no types
    """SEAL's context of a number ring, made once a process."""
    bits = [prime.bit_length() for prime in ring.primes]
    # SEAL keeps its last prime for key switching, which nothing here uses: the small one is never
    # in an element.
    moduli = sealapi.CoeffModulus.Create(ring.degree, [*bits, SPECIAL_MODULUS_BITS])
    parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(ring.degree)
    parameters.set_coeff_modulus(moduli)
    context = sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)
    primes = tuple(prime.value() for prime in moduli)[:-1]
    if primes != ring.primes or not context.parameters_set():
        raise SecureFLError(
            "This TenSEAL builds another ring than securefl's wire format names.",
            whose="whoever installed securefl",
            next_step="Install the TenSEAL that requirements.lock pins.",
        )
    return context
