r"""Symmetric ciphertexts under keys that add up: a sum opens under the sum of its keys.

For one round every hospital draws a key ``s_i`` and errors ``e_ij`` from a discrete Gaussian
(:mod:`securefl.secagg.gaussian`). The elements ``a_j`` are public and the same for all, from the
round digest. What travels is

    b_ij = a_j s_i + e_ij + m_ij

where ``m_ij`` are the packed numbers (:mod:`securefl.secagg.number_layout`). Over a set U of
hospitals

    sum b_ij - a_j S = sum e_ij + sum m_ij        with S = sum s_i

so whoever knows S and the sum opens exact integers, and nothing about one hospital's. The keys
themselves, a few thousand small numbers, go through the masked, encrypted, loss-tolerant sum; they
decide who is in U. A key is drawn for one contribution and never used again: two payloads under one
key and one ``a_j`` show their difference.

Elements of the kind ``a_j`` and ``b_ij`` are held in transformed order
(:mod:`securefl.secagg.seal_ring`), where a uniform element is uniform too.

    element key    = HKDF-SHA256(round digest,
                     "securefl/secagg/shared-element/1" | j, 4 bytes | prime index, 1 byte)
    a_j mod prime  = AES-256-CTR under it, cut to 58 bits, words at or above the prime skipped
                     (securefl.secagg.masks)

Ring-LWE with Gaussian secret and error (Lyubashevsky, Peikert, Regev 2010), additive keys as in
Tutdere and others: see docs/key-additive-sum.md for the argument and its parameters.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securefl.errors import RoundError, UsageError
from securefl.secagg.gaussian import LARGEST, gaussian_samples
from securefl.secagg.masks import uniform_residues

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.secagg.number_layout import NumberLayout
    from securefl.secagg.number_ring import NumberRing
    from securefl.secagg.sections import Section
    from securefl.types import IntArray, WordArray

ELEMENT_LABEL: Final = b"securefl/secagg/shared-element/1"
#: An error beyond this share of half its range fails the round: 9 of the 12 standard deviations
#: that the layout leaves.
ERROR_LIMIT: Final = 0.75


def shared_elements(
    ring: NumberRing,
    round_digest: str,
    start: int,
    stop: int,
) -> WordArray:
    """Expand the public elements ``a_j`` for j from ``start`` to ``stop``, in transformed order.

    uint64[n, primes, degree].

    Raises:
        UsageError: the digest is no hex SHA-256.
    """
    digest = bytes.fromhex(round_digest)
    if len(digest) != SHA256.digest_size:
        raise UsageError(
            "Shared elements follow from a round digest.", next_step="Pass RoundContext.digest()."
        )
    found = np.empty((stop - start, len(ring.primes), ring.degree), dtype=np.uint64)
    for element, index in zip(found, range(start, stop), strict=True):
        # A key for each element and prime, so that a block anywhere is expanded without those
        # before it, by hospitals, coordinator and whoever verifies alike.
        for place, prime in enumerate(ring.primes):
            info = ELEMENT_LABEL + index.to_bytes(4, "big") + bytes([place])
            key = HKDF(
                algorithm=SHA256(),
                length=32,
                salt=None,
                info=info,
            ).derive(digest)
            element[place] = uniform_residues(key, ring.degree, prime)
    return found


@dataclass(frozen=True, eq=False)
class NumberKey:
    """Key of numbers, or the sum of several.

    Args:
        ring: the numbers' ring.
        values: int64[degree], the small coefficients.
    """

    ring: NumberRing
    values: IntArray

    @classmethod
    def draw(
        cls, ring: NumberRing, draw: Callable[[int], bytes] = secrets.token_bytes
    ) -> NumberKey:
        """Draw a fresh key for one contribution, from the operating system's generator."""
        return cls(ring, gaussian_samples(ring.degree, draw))

    @classmethod
    def opened(
        cls,
        ring: NumberRing,
        values: IntArray,
        contributors: int,
    ) -> NumberKey:
        """Take the sum of ``contributors`` keys as it was opened.

        Raises:
            RoundError: a coefficient that no such sum has.
        """
        # Checked before it multiplies anything: a larger "key" would move errors into the fields.
        if values.shape != (ring.degree,) or int(np.abs(values).max()) > contributors * LARGEST:
            raise RoundError(
                "The sum of the hospitals' keys holds what no keys add up to; nothing was"
                " released.",
                whose="a hospital that sent a malformed contribution",
                next_step=(
                    "Start a new attempt; if it fails again, let every hospital verify the round."
                ),
            )
        return cls(ring, values)

    @cached_property
    def _transformed(self) -> WordArray:
        """The key in transformed order, uint64[primes, degree]: worked out once."""
        from securefl.secagg.seal_ring import to_transformed

        found: WordArray = to_transformed(self.ring, self.ring.small(self.values)[None])[0]
        return found

    def times(self, elements: WordArray) -> WordArray:
        """Multiply with each element, in transformed order: uint64[n, primes, degree]."""
        return self.ring.multiply(elements, self._transformed)

    def erase(self) -> None:
        """Overwrite the key where Python reaches it; it must not be used again."""
        self.values.fill(0)
        self._transformed.fill(0)


def encrypt_numbers(
    values: IntArray,
    layout: NumberLayout,
    section: Section,
    key: NumberKey,
    shared: WordArray,
    *,
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> WordArray:
    """Encrypt one hospital's values to ciphertexts ``b`` of n elements.

    uint64[n, primes, the section's degree].

    Args:
        values: int64[d], what the n elements hold; each within the layout's ``max_value``.
        layout: how they are packed.
        section: whole elements, or the cut one.
        key: this contribution's own.
        shared: the n elements ``a`` at their places.
        draw: the operating system's generator, unless a test says otherwise. Errors are never drawn
            twice the same.

    Raises:
        RoundError: a value out of range.
    """
    from securefl.secagg.seal_ring import from_transformed, to_transformed

    ring = layout.ring
    words = layout.pack(values)
    # An error on every coefficient, of a cut element's unsent ones too: they are never seen. The
    # lowest word takes it as it is: its first field is at least 1, which is more than any error.
    errors = gaussian_samples(len(words) * ring.degree, draw)
    lowest = words[:, 0].view(np.int64)
    lowest += errors.reshape(lowest.shape)
    coefficients = ring.from_words(words)
    if section.degree == ring.degree:
        return ring.add(to_transformed(ring, coefficients), key.times(shared))
    # A cut element leaves the transformed order: there every value depends on all coefficients.
    whole = ring.add(coefficients, from_transformed(ring, key.times(shared)))
    return np.ascontiguousarray(whole[:, :, : section.degree])


def open_numbers(
    total: WordArray,
    layout: NumberLayout,
    key: NumberKey,
    shared: WordArray,
    *,
    length: int,
    contributors: int,
) -> tuple[IntArray, IntArray, float]:
    """Open ``total``, the sum of ``contributors`` hospitals' ciphertexts, to exact integers.

    Args:
        total: uint64[n, primes, degree or less].
        layout: how the values are packed.
        key: the sum of exactly those hospitals' keys.
        shared: the n elements ``a`` at their places.
        length: how many values they hold.
        contributors: how many hospitals.

    Returns:
        The sums int64[length], canaries int64[n], and the largest error as a share of half its
        range.

    Raises:
        RoundError: the errors leave the margin, or a field holds what no contributions add up to:
            nothing is released.
    """
    from securefl.secagg.seal_ring import from_transformed

    ring = layout.ring
    degree = total.shape[-1]
    if degree == ring.degree:
        noisy = from_transformed(ring, ring.subtract(total, key.times(shared)))
    else:
        noisy = ring.subtract(total, from_transformed(ring, key.times(shared))[:, :, :degree])
    # Half the errors' range is added, so that a negative error does not borrow from the fields.
    half = np.uint64(1 << (layout.error_bits - 1))
    shifted = ring.add(noisy, np.full((len(ring.primes), 1), half))
    values, canaries, share = layout.unpack(ring.to_words(shifted), length, contributors)
    if share > ERROR_LIMIT:
        raise RoundError(
            "The opened sum is no sum of a complete set of contributions to this round; nothing was"
            " released.",
            whose=(
                "a hospital that was told other facts of the round or sent a malformed"
                " contribution, or the aggregator"
            ),
            next_step=(
                "Start a new attempt; if it fails again, let every hospital verify the round."
            ),
        )
    return values, canaries, share
