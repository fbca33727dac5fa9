"""Pairwise masks in the ciphertext ring: uniform mod q, bound to the round, cancelling in the sum.

Each pair of hospitals shares a secret. For one round it gives a seed, for each ciphertext a key,
for each key a polynomial uniform mod q. The hospital whose name sorts first adds it to c0, the
other subtracts it (Bonawitz et al. 2017). The holder of the CKKS key can then open the sum of the
whole cohort and nothing else.

    pair secret  = HKDF-SHA256(X25519(a, B),
                               "securefl/secagg/pair-secret/1" | lesser key | greater key)
    pair seed    = HKDF-SHA256(pair secret, "securefl/secagg/pair-seed/1" | round digest)
    chunk key    = HKDF-SHA256(seed, "securefl/secagg/chunk-key/1" | chunk index)
    self mask    = the same from a random self-mask seed,
                   with "securefl/secagg/self-mask-key/1" in place of that label
    polynomial   = AES-256-CTR(chunk key, counter from 0) read as little-endian 64-bit words,
                   each cut to the bits of q, words at or above q skipped, the first N kept

N and q are those of the ciphertexts' ring. A chunk index is 4 bytes, big-endian; lesser and greater
are the two public keys as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securefl.curve25519 import is_agreement_key
from securefl.errors import MessageError, UsageError
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.ring import add, subtract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.round_context import RoundContext
    from securefl.types import WordArray

PAIR_SECRET_LABEL: Final = b"securefl/secagg/pair-secret/1"
PAIR_SEED_LABEL: Final = b"securefl/secagg/pair-seed/1"
CHUNK_KEY_LABEL: Final = b"securefl/secagg/chunk-key/1"
SELF_MASK_LABEL: Final = b"securefl/secagg/self-mask-key/1"
SECRET_BYTES: Final = 32


def pair_secret(own: X25519PrivateKey, other_public: bytes, *, other: str = "") -> bytes:
    """Agree on the secret that two hospitals share for one study.

    Args:
        own: this hospital's agreement key for the study, never used for sealing.
        other_public: the other hospital's 32 byte X25519 public key, whose signature the caller has
            checked.
        other: the other hospital's name, for the error.

    Returns:
        32 bytes, the same on both sides.

    Raises:
        MessageError: the other key is not 32 bytes, our own, or a point of small order (RFC 7748
            section 6.1).
    """
    own_public = own.public_key().public_bytes_raw()
    if not is_agreement_key(other_public.hex()):
        raise _bad_key(other, "is not a usable X25519 key")
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(other_public))
    except ValueError as error:
        raise _bad_key(other, "is not a usable X25519 key") from error
    if other_public == own_public:
        raise _bad_key(other, "is this hospital's own key")
    # Both keys go in, in an order that is the same on both sides: the secret is this pair's only.
    first, second = sorted((own_public, other_public))
    return _hkdf(shared, PAIR_SECRET_LABEL + first + second)


def pair_seed(secret: bytes, round_digest: str) -> bytes:
    """Derive this round's 32 byte seed of one pair.

    It is a one-way output: revealing it reveals no other round's seed.

    Raises:
        UsageError: the secret is not 32 bytes, or the digest is no hex SHA-256.
    """
    if len(secret) != SECRET_BYTES or len(round_digest) != 64:
        raise UsageError(
            "A pair seed needs a 32 byte secret and a round digest.",
            next_step="Pass what pair_secret and RoundContext.digest return.",
        )
    return _hkdf(secret, PAIR_SEED_LABEL + bytes.fromhex(round_digest))


def expand_chunk(
    seed: bytes,
    index: int,
    label: bytes = CHUNK_KEY_LABEL,
    ring: CipherRing = LARGE_RING,
) -> WordArray:
    """Expand a seed to the mask polynomial of ciphertext ``index``.

    uint64[degree], uniform mod q.
    """
    key = _hkdf(seed, label + index.to_bytes(4, "big"))
    return uniform_residues(key, ring.degree, ring.modulus)


def uniform_residues(key: bytes, count: int, modulus: int) -> WordArray:
    """Draw ``count`` residues from AES-256-CTR under ``key`` by rejection: uniform mod ``modulus``.

    uint64[count]. The stream is read in order, so how much is drawn at a time changes nothing: the
    same on every platform. A word is accepted with probability modulus / 2^bit_length(modulus): all
    but 2e-12 of them for the ring's q.
    """
    # A key is used for one polynomial only, so the counter may start at 0.
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    keep = np.uint64((1 << modulus.bit_length()) - 1)
    accepted = np.empty(0, dtype=np.uint64)
    while accepted.size < count:
        words = np.frombuffer(stream.update(bytes(8 * count)), dtype="<u8") & keep
        below = words < np.uint64(modulus)
        if not below.all():
            words = words[below]
        accepted = np.concatenate((accepted, words))
    return accepted[:count]


@dataclass(frozen=True)
class Seeds:
    """Seeds whose masks add up: on a contribution, or to be taken off a sum of survivors.

    ``pairs`` are pair seeds, each with whether it is added (else subtracted); ``own`` are self-mask
    seeds, added.
    """

    pairs: tuple[tuple[bool, bytes], ...]
    own: tuple[bytes, ...]

    def block(
        self,
        start: int,
        stop: int,
        ring: CipherRing = LARGE_RING,
    ) -> WordArray:
        """Sum the masks of ciphertexts ``start`` to ``stop``: uint64[stop - start, degree]."""
        modulus = np.uint64(ring.modulus)
        total = np.zeros((stop - start, ring.degree), dtype=np.uint64)
        for row, index in zip(total, range(start, stop), strict=True):
            for plus, seed in self.pairs:
                mask = expand_chunk(seed, index, ring=ring)
                change = add if plus else subtract
                row[:] = change(row, mask, modulus)
            for seed in self.own:
                own = expand_chunk(seed, index, SELF_MASK_LABEL, ring)
                row[:] = add(row, own, modulus)
        return total


def pairwise_seeds(me: str, secrets: Mapping[str, bytes], facts: RoundContext) -> Seeds:
    """Seeds of the masks that hospital ``me`` adds to c0: + for a peer that sorts after it, else -.

    Over the cohort these add up to zero.

    Args:
        me: this hospital's name in the cohort.
        secrets: :func:`pair_secret` with each other hospital of the cohort, and no one else.
        facts: the facts of the round as this hospital was told them.

    Raises:
        UsageError: ``me`` is not in the cohort, or the secrets are not those of its other members.
    """
    if me not in facts.cohort or set(secrets) != set(facts.cohort) - {me}:
        raise UsageError(
            f"The masks of {me} need one secret for each other hospital of the cohort:"
            f" {', '.join(facts.cohort)}.",
            next_step="Agree on a secret with every hospital of the cohort.",
        )
    # Told other facts of the round, a hospital has another digest, and its masks do not cancel.
    digest = facts.digest()
    peers = [peer for peer in facts.cohort if peer != me]
    return Seeds(tuple((peer > me, pair_seed(secrets[peer], digest)) for peer in peers), ())


def add_mask(
    ciphertext: WordArray,
    mask: WordArray,
    ring: CipherRing = LARGE_RING,
) -> WordArray:
    """Add a mask to c0 of a copy of the ciphertexts.

    Args:
        ciphertext: uint64[chunks, 2, degree].
        mask: uint64[chunks, degree].
        ring: of both.

    Raises:
        UsageError: shapes that do not fit.
    """
    if ciphertext.shape[:1] + ciphertext.shape[2:] != mask.shape:
        raise UsageError(
            f"A mask of shape {mask.shape} does not fit a ciphertext of shape {ciphertext.shape}.",
            next_step="Make both from the same facts.",
        )
    masked = ciphertext.copy()
    masked[:, 0] = add(masked[:, 0], mask, np.uint64(ring.modulus))
    return masked


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) without salt, 32 bytes: ``info`` alone tells the uses apart."""
    return HKDF(
        algorithm=SHA256(),
        length=SECRET_BYTES,
        salt=None,
        info=info,
    ).derive(secret)


def _bad_key(other: str, why: str) -> MessageError:
    """Make the refusal of an agreement key, naming its hospital where it is known."""
    name = other or "another hospital"
    return MessageError(
        f"The agreement key of {name} {why}.",
        whose=name,
        next_step="Ask for a new, signed study key.",
    )
