"""Public key of one round as plain residues, in a form of our own.

The frame carries numbers, never a file that SEAL or TenSEAL wrote: foreign bytes meet no native
loader (TenSEAL's is not memory-safe on crafted bytes). ``seal.py`` builds SEAL's file itself, from
residues that were checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import MessageError
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.ring import looks_degenerate, pack_bits, unpack_bits

if TYPE_CHECKING:
    from securefl.secagg.cipher_ring import CipherRing
    from securefl.types import WordArray


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A CKKS public key (b, a) in number-theoretic-transform form.

    Args:
        residues: uint64[2 polynomials, the ring's primes, degree].
        ring: of the round's ciphertexts.

    Raises:
        MessageError: wrong shape, a residue at or above its prime, or a polynomial that is all but
            zero.
    """

    residues: WordArray
    ring: CipherRing = LARGE_RING

    def __post_init__(self) -> None:
        r = self.residues
        primes = self.ring.primes
        shape = (2, len(primes), self.ring.degree)
        # Every path to a key leads through here, so `seal.py` never meets an unchecked one.
        if r.dtype != np.uint64 or r.shape != shape:
            raise _refused(f"has shape {r.dtype}{list(r.shape)} instead of uint64{list(shape)}")
        if any(int(r[:, i].max()) >= prime for i, prime in enumerate(primes)):
            raise _refused("holds a residue at or above its prime")
        if looks_degenerate(r):
            raise _refused("is degenerate")

    @property
    def body(self) -> bytes:
        """The key's bytes: residues [b, a] mod the first prime, then mod the special one."""
        found = b""
        for i, prime in enumerate(self.ring.primes):
            found += pack_bits(self.residues[:, i], prime.bit_length())
        return found

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of :attr:`body`; hospitals pin it, and the round digest covers it."""
        return sha256(self.body).hexdigest()

    @classmethod
    def from_body(cls, body: bytes, ring: CipherRing = LARGE_RING) -> PublicKey:
        """Read a key of ``ring`` that :attr:`body` wrote.

        Raises:
            MessageError: wrong length, or residues that make no key.
        """
        if len(body) != ring.public_key_bytes:
            raise _refused(f"has {len(body)} bytes instead of {ring.public_key_bytes}")
        residues = np.empty((2, len(ring.primes), ring.degree), dtype=np.uint64)
        start = 0
        for i, prime in enumerate(ring.primes):
            width = prime.bit_length()
            stop = start + 2 * ring.degree * width // 8
            residues[:, i] = unpack_bits(body[start:stop], width).reshape(2, ring.degree)
            start = stop
        return cls(residues, ring)


def _refused(why: str) -> MessageError:
    """Make the refusal of a round's public key."""
    return MessageError(
        f"The round's public key {why}.",
        whose="the coordinator",
        next_step="Do not contribute to this round; ask the coordinator to start a new attempt.",
    )
