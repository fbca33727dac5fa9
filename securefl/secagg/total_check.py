"""A round's secret key as it is shown to the participants after the opening, and the opening of the
round's sum with it.

Whoever knows the key opens the sum of the signed frames again, to the same integers. So the total of
a round needs no trust in the coordinator. Three bounds make the integers unique:

- the key is ternary, and ``b + a s`` of the announced public key is at most
  :data:`LARGEST_KEY_ERROR` in every coefficient (SEAL's centred binomial errors reach no further)
  and no longer in all than such errors are: in a small ring the noise of every contribution grows
  with that length;
- the ciphertexts' noise stays within 0.75 of half a step (:data:`securefl.secagg.seal.NOISE_LIMIT`),
  the numbers' errors within 0.75 of half their room (:data:`securefl.secagg.additive.ERROR_LIMIT`);
- each canary is the number of contributors.

Rounds of few numbers have no keys that add up, so it is this key that is shown, in every round; the
sum of the hospitals' keys opens with it. See docs/key-additive-sum.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import MessageError, RoundError
from securefl.secagg.cipher import RoundKeys
from securefl.secagg.cipher_ring import CIPHER_RINGS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from securefl.secagg.packing import FieldLayout
    from securefl.secagg.publickey import PublicKey
    from securefl.types import IntArray, WordArray

#: SEAL draws errors from a centred binomial distribution of 42 coins.
LARGEST_KEY_ERROR: Final = 21
#: Variance of such an error.
KEY_ERROR_VARIANCE: Final = LARGEST_KEY_ERROR / 2
#: Most that the square of all errors may be of what is expected: 14 standard deviations of it above
#: in the smallest ring. Noise under any key that passes is then at most 1.28 times what margins
#: assume.
MOST_KEY_ERROR: Final = 1.75
#: Coefficients of a shown key in one byte, two bits each.
_A_BYTE: Final = 4
#: Bytes of a shown key, by the ring of its round.
SECRET_SIZES: Final = frozenset(ring.degree // _A_BYTE for ring in CIPHER_RINGS)
#: The most bytes of a shown key.
SECRET_BYTES: Final = max(SECRET_SIZES)


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class RoundSecret:
    """Secret half of a round's key pair, outside SEAL. Erase it where it is not shown.

    Args:
        values: int8[degree], each -1, 0 or 1.
    """

    values: np.ndarray[tuple[int], np.dtype[np.int8]]

    def pack(self) -> bytes:
        """Write the key in a quarter of its degree in bytes: two bits a coefficient plus 1, the first one lowest."""
        digits = (self.values + 1).astype(np.uint8).reshape(-1, _A_BYTE)
        packed = np.zeros(len(digits), dtype=np.uint8)
        for place in range(_A_BYTE):
            packed |= digits[:, place] << np.uint8(2 * place)
        return packed.tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> RoundSecret:
        """Read what :meth:`pack` wrote.

        Raises:
            MessageError: another length, or a coefficient that is none of the three.
        """
        packed = np.frombuffer(data, dtype=np.uint8)
        if packed.size not in SECRET_SIZES:
            sizes = ", ".join(str(size) for size in sorted(SECRET_SIZES))
            raise _refused(f"has {packed.size} bytes instead of one of {sizes}")
        shifts = np.arange(
            0,
            2 * _A_BYTE,
            2,
            dtype=np.uint8,
        )
        digits = (packed[:, None] >> shifts) & np.uint8(3)
        if digits.max() > 2:
            raise _refused("is not ternary")
        return cls(digits.reshape(-1).astype(np.int8) - np.int8(1))

    def erase(self) -> None:
        """Overwrite the key; it must not be used again."""
        self.values.fill(0)


def check_secret(public: PublicKey, secret: RoundSecret) -> WordArray:
    """Check that a shown key is the secret half of ``public``.

    Returns:
        The key in transformed order, uint64[1, degree].

    Raises:
        MessageError: it is another.
    """
    from securefl.secagg.seal_ring import from_transformed, to_transformed

    if len(secret.values) != public.ring.degree:
        raise _refused("is of another ring than the announced public key")
    ring = public.ring.elements
    transformed: WordArray = to_transformed(ring, ring.small(secret.values.astype(np.int64))[None])
    b = public.residues[0, :1]
    a = public.residues[1, :1]
    products = ring.multiply(a[None], transformed[0])
    errors = from_transformed(ring, ring.add(b[None], products))[0, 0]
    prime = np.uint64(ring.primes[0])
    magnitudes = np.minimum(errors, prime - errors)
    if int(magnitudes.max()) > LARGEST_KEY_ERROR:
        raise _refused("is not the one of the announced public key")
    square = int((magnitudes * magnitudes).sum())
    if square > MOST_KEY_ERROR * KEY_ERROR_VARIANCE * ring.degree:
        raise _refused("belongs to a public key whose errors are none that a key is made with")
    found: WordArray = transformed[0]
    return found


class ShownKeys(RoundKeys):
    """Key pair of a finished round, whose secret half was shown. Opens the round's sum again.

    Args:
        public: the announced public key.
        secret: the key that was shown.

    Raises:
        MessageError: the two are no pair.
    """

    def __init__(
        self,
        public: PublicKey,
        secret: RoundSecret,
    ) -> None:
        self._public = public
        self._key: WordArray | None = check_secret(public, secret)

    @property
    def public(self) -> PublicKey:
        """Public half."""
        return self._public

    @property
    def erased(self) -> bool:
        """True once the secret half is gone."""
        return self._key is None

    def erase(self) -> None:
        """Forget the secret half."""
        self._key = None

    def secret(self) -> RoundSecret:
        """See :class:`RoundKeys`. Nobody shows a key a second time."""
        raise RoundError("A key that was shown is not shown again.", whose="this program")

    def open_once(
        self,
        ciphertext: WordArray,
        layout: FieldLayout,
    ) -> tuple[WordArray, float]:
        """See :class:`RoundKeys`."""
        ((messages, noise),) = self.open_blocks([ciphertext], layout)
        return messages, noise

    def open_blocks(
        self, blocks: Iterable[WordArray], layout: FieldLayout
    ) -> Generator[tuple[WordArray, float], None, None]:
        """See :class:`RoundKeys`.

        Raises:
            RoundError: the noise leaves the margin.
        """
        from securefl.secagg.seal import round_exactly
        from securefl.secagg.seal_ring import from_transformed, to_transformed

        key = self._key
        ring = self._public.ring.elements
        if key is None:
            raise RoundError("The shown key was used before.", whose="this program")
        for block in blocks:
            second = to_transformed(ring, np.ascontiguousarray(block[:, 1:]))
            products = from_transformed(ring, ring.multiply(second, key))
            noisy = ring.add(block[:, :1], products)[:, 0]
            yield round_exactly(noisy, layout.scale, self._public.ring)


def total_sha256(values: IntArray) -> str:
    """Hash of a total: hex SHA-256 of int64[n] in little-endian order."""
    return sha256(np.ascontiguousarray(values, dtype="<i8").data).hexdigest()


def _refused(why: str) -> MessageError:
    """Make the refusal of a shown key."""
    return MessageError(f"The key that was shown {why}.", whose="the coordinator")
