"""Public key of one round as plain residues, in a form of our own.

The frame carries numbers, never a file that SEAL or TenSEAL wrote: foreign bytes meet no native
loader (TenSEAL's is not memory-safe on crafted bytes). ``seal.py`` builds SEAL's file itself, from
residues that were checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import MessageError
from securefl.secagg.ring import (
    DEGREE,
    MODULUS,
    MODULUS_BITS,
    SPECIAL_MODULUS,
    SPECIAL_MODULUS_BITS,
    looks_degenerate,
    pack_bits,
    unpack_bits,
)

if TYPE_CHECKING:
    from securefl.types import WordArray

_WIDE: Final = 2 * DEGREE * MODULUS_BITS // 8
#: Bytes of a public key on the wire: two polynomials mod the 58-bit prime, then two mod the 22-bit
#: special prime.
PUBLIC_KEY_BYTES: Final = _WIDE + 2 * DEGREE * SPECIAL_MODULUS_BITS // 8


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A CKKS public key (b, a) in number-theoretic-transform form.

    Args:
        residues: uint64[2 polynomials, 2 primes, 4096].

    Raises:
        MessageError: wrong shape, a residue at or above its prime, or a polynomial that is all but
            zero.
    """

    residues: WordArray

    def __post_init__(self) -> None:
        r = self.residues
        # Every path to a key leads through here, so `seal.py` never meets an unchecked one.
        if r.dtype != np.uint64 or r.shape != (2, 2, DEGREE):
            raise _refused(f"has shape {r.dtype}{list(r.shape)} instead of uint64[2, 2, {DEGREE}]")
        if int(r[:, 0].max()) >= MODULUS or int(r[:, 1].max()) >= SPECIAL_MODULUS:
            raise _refused("holds a residue at or above its prime")
        if looks_degenerate(r):
            raise _refused("is degenerate")

    @property
    def body(self) -> bytes:
        """The key's 81920 bytes: residues mod the 58-bit prime [b, a], then mod the special one."""
        wide = pack_bits(self.residues[:, 0], MODULUS_BITS)
        special = pack_bits(self.residues[:, 1], SPECIAL_MODULUS_BITS)
        return wide + special

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of :attr:`body`; hospitals pin it, and the round digest covers it."""
        return sha256(self.body).hexdigest()

    @classmethod
    def from_body(cls, body: bytes) -> PublicKey:
        """Read a key that :attr:`body` wrote.

        Raises:
            MessageError: wrong length, or residues that make no key.
        """
        if len(body) != PUBLIC_KEY_BYTES:
            raise _refused(f"has {len(body)} bytes instead of {PUBLIC_KEY_BYTES}")
        residues = np.empty((2, 2, DEGREE), dtype=np.uint64)
        residues[:, 0] = unpack_bits(body[:_WIDE], MODULUS_BITS).reshape(2, DEGREE)
        residues[:, 1] = unpack_bits(body[_WIDE:], SPECIAL_MODULUS_BITS).reshape(2, DEGREE)
        return cls(residues)


def _refused(why: str) -> MessageError:
    """Make the refusal of a round's public key."""
    return MessageError(
        f"The round's public key {why}.",
        whose="the coordinator",
        next_step="Do not contribute to this round; ask the coordinator to start a new attempt.",
    )
