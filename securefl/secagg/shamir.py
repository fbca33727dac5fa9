"""Shamir's secret sharing of 32-byte seeds: ``threshold`` shares give a seed, fewer say nothing.

Over the integers modulo 65521, the largest prime below 2^16 (Shamir 1979). A seed is 18 numbers of
15 bits, each shared by a polynomial of its own whose constant term it is; a share is 18 numbers
below 65521, 36 bytes. All arithmetic is on whole arrays of 64-bit integers, without a table or a
branch that depends on a secret. No library that we know of shares 32-byte secrets by the thousand:
pycryptodome's works on 16 bytes at a time in Python, and its field needs tables or loops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from securefl.types import WordArray

PRIME: Final = 65521
SECRET_BYTES: Final = 32
LIMB_BITS: Final = 15
LIMBS: Final = 18
SHARE_BYTES: Final = 2 * LIMBS

_P: Final = np.uint64(PRIME)


def split(
    secrets: Sequence[bytes],
    holders: int,
    threshold: int,
    draw: Callable[[int], bytes],
) -> NDArray[np.uint16]:
    """Share each secret among ``holders``.

    Args:
        secrets: 32 bytes each.
        holders: how many shares of each; holder h (from 0) gets the value at h + 1.
        threshold: how many shares give the secret back, 1 to ``holders``.
        draw: n bytes from the operating system's generator.

    Returns:
        uint16[holders, secrets, 18], each below 65521.

    Raises:
        UsageError: secrets of another size, or a threshold that is none.
    """
    wrong_size = any(len(secret) != SECRET_BYTES for secret in secrets)
    if not 1 <= threshold <= holders < PRIME or wrong_size:
        raise UsageError(
            f"{len(secrets)} secrets cannot be shared among {holders} so that {threshold} restore"
            " them.",
            next_step="Share 32-byte secrets, with a threshold of 1 to the number of holders.",
        )
    # A polynomial a limb: the secret is its value at 0, all other coefficients are random.
    limbs = np.stack([_to_limbs(secret) for secret in secrets])
    random = _below_prime((threshold - 1) * limbs.size, draw).reshape(threshold - 1, limbs.size)
    coefficients = np.concatenate((limbs.reshape(1, -1), random))
    # Powers below 2^16 times coefficients below 2^16, at most 2^16 of them: no sum leaves 64 bits.
    shares = _powers(holders, threshold) @ coefficients % _P
    return shares.astype(np.uint16).reshape(holders, len(secrets), LIMBS)


def restore(shares: NDArray[np.uint16], holders: Sequence[int]) -> list[bytes | None]:
    """Restore the secrets that these shares give: None for one whose numbers make no 32 bytes.

    Then a share was wrong. Wrong shares that do make 32 bytes give wrong ones: whoever restores
    compares with a commitment.

    Args:
        shares: uint16[threshold, secrets, 18].
        holders: the numbers (from 0) of the holders that they come from, all different.

    Raises:
        UsageError: a holder twice, or not one row of shares for each holder.
    """
    if (
        len(set(holders)) != len(holders)
        or shares.shape[0] != len(holders)
        or shares.shape[2:] != (LIMBS,)
    ):
        raise UsageError(
            "Secrets are restored from one row of shares a holder.",
            next_step="Name each holder once.",
        )
    weights = np.array(_at_zero([holder + 1 for holder in holders]), dtype=np.uint64)
    flat = shares.reshape(len(holders), -1).astype(np.uint64)
    limbs = (weights @ flat % _P).reshape(shares.shape[1], LIMBS)
    return [_from_limbs(row) for row in limbs]


def share_bytes(share: NDArray[np.uint16]) -> bytes:
    """Write a share (uint16[..., 18]) as it travels: little-endian."""
    return share.astype("<u2").tobytes()


def read_shares(data: bytes | memoryview, count: int) -> NDArray[np.uint16] | None:
    """uint16[count, 18] from ``count`` times 36 bytes; None if a number is not below the prime."""
    shares = np.frombuffer(data, dtype="<u2").astype(np.uint16).reshape(count, LIMBS)
    if count == 0 or int(shares.max()) < PRIME:
        return shares
    return None


def _to_limbs(secret: bytes) -> WordArray:
    """Split 32 bytes into 18 numbers of 15 bits, the lowest first."""
    whole = int.from_bytes(secret, "little")
    mask = (1 << LIMB_BITS) - 1
    return np.array([whole >> (i * LIMB_BITS) & mask for i in range(LIMBS)], dtype=np.uint64)


def _from_limbs(limbs: WordArray) -> bytes | None:
    """Join 18 numbers to 32 bytes; None where one has over 15 bits, or all together over 256."""
    values = limbs.tolist()
    whole: int = sum(value << (i * LIMB_BITS) for i, value in enumerate(values))
    if max(values) >> LIMB_BITS == 0 and whole >> (8 * SECRET_BYTES) == 0:
        return whole.to_bytes(SECRET_BYTES, "little")
    return None


def _powers(holders: int, threshold: int) -> WordArray:
    """x^m mod p for x = 1 … holders and m = 0 … threshold - 1."""
    x = np.arange(1, holders + 1, dtype=np.uint64)
    powers = np.ones((holders, threshold), dtype=np.uint64)
    for m in range(1, threshold):
        powers[:, m] = powers[:, m - 1] * x % _P
    return powers


def _at_zero(points: list[int]) -> list[int]:
    """Lagrange's weights for the value at zero."""
    weights = []
    for one in points:
        above = below = 1
        for other in points:
            if other != one:
                above = above * other % PRIME
                below = below * (other - one) % PRIME
        weights.append(above * pow(below, -1, PRIME) % PRIME)
    return weights


def _below_prime(count: int, draw: Callable[[int], bytes]) -> WordArray:
    """``count`` numbers uniform below the prime: 16 bits each, those at or above it drawn again."""
    found = np.empty(0, dtype=np.uint64)
    while found.size < count:
        missing = count - found.size
        # 15 in 65,536 words are rejected: a thousandth more than wanted is nearly always enough.
        data = draw(2 * (missing + missing // 1000 + 16))
        drawn = np.frombuffer(data, dtype="<u2").astype(np.uint64)
        found = np.concatenate((found, drawn[drawn < _P]))
    return found[:count]
