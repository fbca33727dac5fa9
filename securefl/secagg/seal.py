"""CKKS with exact integers, through TenSEAL's binding of SEAL.

The only module that imports tenseal, with ``seal_ring``. Messages are integers times D in the
coefficients. Decryption rounds the noise away before anything leaves this module: CKKS results with
their noise would hand out the secret key (Li and Micciancio 2021, measured here: 0.1 s). SEAL's
loader is given only files that this module wrote from residues that were checked. Its files live in
memory (memfd): a decrypted polynomial never touches a disk.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from tenseal import sealapi

from securefl.errors import RoundError, SecureFLError, UsageError
from securefl.secagg.cipher import RoundKeys, SumCipher
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.publickey import PublicKey
from securefl.secagg.ring import add, are_residues
from securefl.secagg.seal_memory import layout_matches, read_all, write_all
from securefl.secagg.total_check import RoundSecret

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.packing import FieldLayout
    from securefl.types import WordArray

#: Noise beyond this share of D/2 fails the round: 9 of the 12 standard deviations that the layout
#: leaves at least. A sum that misses a contribution is uniform mod q, and passes with probability
#: 0.75^1024 in the smallest ring.
NOISE_LIMIT: Final = 0.75

_SEAL_MAGIC: Final = 0xA15E
_UNCOMPRESSED: Final = 0
#: SEAL_CIPHERTEXT_SIZE_MAX.
_MOST_POLYNOMIALS: Final = 16


class RoundKeyPair(RoundKeys):
    """CKKS key pair that opens one sum and is then erased.

    Made by :meth:`generate`; it cannot be copied or stored (:meth:`secret` is, until the sum is
    opened: :mod:`securefl.secagg.stored_keys`). SEAL keeps secret keys in memory pools
    that are overwritten when they are freed, which is when this object lets go; a test reads the
    process's memory to see it. Of the decrypted polynomial, from which the key could be solved,
    copies are zeroed where Python reaches them, but SEAL's general pool may keep one until the
    process ends. What such a key is worth after the round: the sum, which is released anyway.
    Contributions stay closed to it, they are masked.
    """

    def __init__(self, public: PublicKey, decryptor: object, secret: object = None) -> None:
        self._public = public
        self._decryptor: Any = decryptor
        self._secret: Any = secret
        self._lock = threading.Lock()

    @classmethod
    def generate(cls, ring: CipherRing = LARGE_RING) -> RoundKeyPair:
        """Generate a fresh key pair of ``ring`` from the operating system's randomness.

        By SEAL's Blake2xb, seeded by it.
        """
        context = _context(ring)
        generator = sealapi.KeyGenerator(context)
        public = sealapi.PublicKey()
        generator.create_public_key(public)
        secret = generator.secret_key()
        decryptor = sealapi.Decryptor(context, secret)
        residues = read_residues(public.data()).reshape(2, len(ring.primes), ring.degree)
        return cls(PublicKey(residues, ring), decryptor, secret)

    @property
    def public(self) -> PublicKey:
        """Public half."""
        return self._public

    @property
    def erased(self) -> bool:
        """True once the secret half is gone."""
        return self._decryptor is None

    def erase(self) -> None:
        """Forget the secret half; calling it again is harmless."""
        with self._lock:
            self._decryptor = None
            self._secret = None

    def secret(self) -> RoundSecret:
        """See :class:`RoundKeys`.

        Raises:
            RoundError: the key was used or erased.
        """
        from securefl.secagg.seal_ring import from_transformed

        with self._lock:
            secret = self._secret
        if secret is None:
            raise RoundError("The key of this round was used or erased.", whose="the coordinator")
        # Modulo every prime, in transformed order; the first says all of a ternary key.
        ring = self._public.ring
        residues = read_residues(secret.data())
        first = residues[: ring.degree].reshape(1, 1, ring.degree)
        wide = from_transformed(ring.elements, first)[0, 0]
        values = np.where(wide > 1, -1, wide.astype(np.int64)).astype(np.int8)
        residues.fill(0)
        wide.fill(0)
        return RoundSecret(values)

    def open_once(self, ciphertext: WordArray, layout: FieldLayout) -> tuple[WordArray, float]:
        """Decrypt a sum to exact integers and erase the key, whatever the outcome.

        Args:
            ciphertext: uint64[chunks, 2, degree], residues below q.
            layout: gives D.

        Returns:
            Messages uint64[chunks, degree], and the largest noise as a share of D/2, rounded up to
            twentieths or to its limit: finer, it would say something about the key.

        Raises:
            UsageError: not an array of residues of that shape. The key is erased all the same.
            RoundError: the key was used before, or the noise leaves the margin. Nothing is
                released.
        """
        ((messages, noise),) = self.open_blocks([ciphertext], layout)
        return messages, noise

    def open_blocks(
        self, blocks: Iterable[WordArray], layout: FieldLayout
    ) -> Generator[tuple[WordArray, float], None, None]:
        """:meth:`open_once` block by block, for sums that do not fit in memory.

        See :meth:`RoundKeys.open_blocks`.

        Raises:
            UsageError, RoundError: as :meth:`open_once`; a block that fails ends the opening and
                erases the key.
        """
        # Taken out under the lock: of two threads one has the key, and it has no second use.
        with self._lock:
            decryptor = self._decryptor
            self._decryptor = None
            self._secret = None
        if decryptor is None:
            raise RoundError(
                "The key of this round was used or erased: a sum is decrypted once and never"
                " again.",
                whose="the coordinator",
                next_step="Start a new attempt, which has a new key pair.",
            )
        return _open_blocks([decryptor], blocks, layout.scale, self._public.ring)

    def __reduce__(self) -> NoReturn:
        raise UsageError(
            "A round's key pair is never stored.", next_step="Generate a new one for a new attempt."
        )

    def __repr__(self) -> str:
        return f"RoundKeyPair(public={self._public.sha256[:16]}…, erased={self.erased})"


def encrypt(public: PublicKey, messages: WordArray, layout: FieldLayout) -> WordArray:
    """Encrypt one contributor's messages.

    Args:
        public: the round's public key.
        messages: uint64[chunks, degree] from :meth:`FieldLayout.pack`.
        layout: gives D.

    Returns:
        uint64[chunks, 2, degree], residues mod q in coefficient form.

    Raises:
        UsageError: messages that this layout did not make, or a key of another ring.
    """
    ring = layout.ring
    limit = 1 << (layout.fields * layout.field_bits)
    packed = messages.ndim == 2 and messages.shape[1] == ring.degree
    if public.ring != ring or not packed or not are_residues(messages, limit):
        raise UsageError(
            "Only messages packed with the round's layout can be encrypted, by a key of its ring.",
            next_step="Pass what FieldLayout.pack returned.",
        )
    context = _context(ring)
    key = sealapi.PublicKey()
    load_seal_file(context, key, seal_file(context.key_parms_id(), public.residues, ntt=True))
    encryptor = sealapi.Encryptor(context, key)
    evaluator = sealapi.Evaluator(context)
    ciphertext = np.empty((messages.shape[0], 2, ring.degree), dtype=np.uint64)
    # An encryption of zero, to which the message is added here: SEAL's encoder works in floats.
    for index in range(messages.shape[0]):
        zero = sealapi.Ciphertext()
        encryptor.encrypt_zero(zero)
        evaluator.transform_from_ntt_inplace(zero)
        ciphertext[index] = read_residues(zero).reshape(2, ring.degree)
    scaled = messages * np.uint64(layout.scale)
    ciphertext[:, 0] = add(ciphertext[:, 0], scaled, np.uint64(ring.modulus))
    return ciphertext


class CkksIntegers(SumCipher):
    """Exact-integer CKKS, the home of :class:`securefl.secagg.cipher.SumCipher`."""

    def generate(self, ring: CipherRing = LARGE_RING) -> RoundKeyPair:
        """Generate a fresh key pair for one round, whose ciphertexts are in ``ring``."""
        return RoundKeyPair.generate(ring)

    def encrypt(
        self,
        public: PublicKey,
        messages: WordArray,
        layout: FieldLayout,
    ) -> WordArray:
        """See :func:`encrypt`."""
        return encrypt(public, messages, layout)


def _open_blocks(
    held: list[Any],
    blocks: Iterable[WordArray],
    scale: int,
    ring: CipherRing = LARGE_RING,
) -> Generator[tuple[WordArray, float], None, None]:
    """Decrypt blocks and round them; the key goes at the end, or at the first that fails.

    The decryptor comes in a list, so that here is its last reference: SEAL overwrites the key as it
    frees it.
    """
    try:
        for ciphertext in blocks:
            _check_ciphertext(ciphertext, ring)
            transformed = np.empty((len(ciphertext), ring.degree), dtype=np.uint64)
            for chunk, polynomial in zip(ciphertext, transformed, strict=True):
                residues = _decrypt_chunk(held[0], chunk, ring)
                polynomial[:] = residues
                residues.fill(0)
            noisy = _from_ntt(transformed, ring)
            try:
                opened = round_exactly(noisy, scale, ring)
            finally:
                # With the ciphertext it would give the key away.
                noisy.fill(0)
            yield opened
    finally:
        held.clear()


def round_exactly(
    polynomials: WordArray,
    scale: int,
    ring: CipherRing = LARGE_RING,
) -> tuple[WordArray, float]:
    """Round to the nearest multiple of D; return the integers and the largest noise, coarsely."""
    # Half of D is added first: noise below zero then rounds up instead of borrowing.
    half = np.uint64(scale // 2)
    shifted = add(polynomials, np.broadcast_to(half, polynomials.shape), np.uint64(ring.modulus))
    messages = shifted // np.uint64(scale)
    noise = (shifted - messages * np.uint64(scale)).astype(np.int64) - scale // 2
    largest = float(np.abs(noise).max()) / (scale / 2)
    if largest > NOISE_LIMIT:
        raise RoundError(
            "The decrypted sum is no sum of a complete set of contributions to this round; nothing"
            " was released.",
            whose=(
                "a hospital that was told other facts of the round or sent a malformed"
                " contribution, or the aggregator"
            ),
            next_step=(
                "Start a new attempt; if it fails again, let every hospital verify the round."
            ),
        )
    return messages, _coarsely(largest, ring)


def _coarsely(share: float, ring: CipherRing) -> float:
    """Round a share of noise up, for the exact noise would say something about the key.

    To twentieths where the special prime leaves every honest sum the same one. The noise of other
    rings differs by more, so that no more is said than that it is within its limit.
    """
    if ring.special == 1:
        return NOISE_LIMIT
    return math.ceil(share * 20) / 20


@cache
def _context(ring: CipherRing = LARGE_RING) -> Any:  # noqa: ANN401 - sealapi has no types
    """SEAL's context of a round's ring, made once a process."""
    bits = [prime.bit_length() for prime in ring.primes]
    parameters = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(ring.degree)
    parameters.set_coeff_modulus(sealapi.CoeffModulus.Create(ring.degree, bits))
    context = sealapi.SEALContext(parameters, True, sealapi.SEC_LEVEL_TYPE.TC128)
    primes = tuple(prime.value() for prime in parameters.coeff_modulus())
    if primes != ring.primes or not context.parameters_set():
        raise SecureFLError(
            "This TenSEAL builds another ring than securefl's wire format names.",
            whose="whoever installed securefl",
            next_step="Install the TenSEAL that requirements.lock pins.",
        )
    return context


def _check_ciphertext(ciphertext: WordArray, ring: CipherRing) -> None:
    """Check shape and residues of a sum before SEAL sees it."""
    shaped = ciphertext.ndim == 3 and ciphertext.shape[1:] == (2, ring.degree)
    if not shaped or not are_residues(ciphertext, ring.modulus):
        raise UsageError(
            f"A sum is uint64[chunks, 2, {ring.degree}] of residues mod q.",
            next_step="Pass the ciphertext of a frame that was read by securefl.secagg.frame.",
        )


def _decrypt_chunk(
    decryptor: Any,  # noqa: ANN401 - sealapi has no types
    chunk: WordArray,
    ring: CipherRing = LARGE_RING,
) -> WordArray:
    """Decrypt uint64[2, degree] to c0 + c1·s mod q, in transformed order: uint64[degree]."""
    context = _context(ring)
    ciphertext = sealapi.Ciphertext()
    plaintext = sealapi.Plaintext()
    file = seal_file(context.first_parms_id(), chunk[:, None], ntt=False)
    load_seal_file(context, ciphertext, file)
    sealapi.Evaluator(context).transform_to_ntt_inplace(ciphertext)
    decryptor.decrypt(ciphertext, plaintext)
    residues = read_residues(plaintext)
    plaintext.set_zero()
    return residues


def _from_ntt(polynomials: WordArray, ring: CipherRing = LARGE_RING) -> WordArray:
    """Invert the transform of uint64[n, degree], which is zeroed, to coefficients.

    SEAL offers the inverse transform for ciphertexts only, so the polynomials pose as one
    ciphertext of up to 16 parts.
    """
    context = _context(ring)
    evaluator = sealapi.Evaluator(context)
    result = np.empty_like(polynomials)
    for start in range(0, len(polynomials), _MOST_POLYNOMIALS):
        block = polynomials[start : start + _MOST_POLYNOMIALS]
        # A ciphertext has at least two parts: a lone polynomial goes twice.
        parts = block
        if len(block) == 1:
            parts = np.repeat(block, 2, axis=0)
        carrier = sealapi.Ciphertext()
        file = seal_file(context.first_parms_id(), parts[:, None], ntt=True)
        load_seal_file(context, carrier, file)
        evaluator.transform_from_ntt_inplace(carrier)
        flat = read_residues(carrier)
        result[start : start + len(block)] = flat.reshape(-1, ring.degree)[: len(block)]
        # Decrypted polynomials: each copy goes as soon as it was used.
        flat.fill(0)
    polynomials.fill(0)
    return result


def read_residues(carrier: Any) -> WordArray:  # noqa: ANN401 - sealapi has no types
    """Read all residues of a SEAL object: uint64[n], the only copy of them that is made here."""
    return read_all(carrier.dyn_array(), whole=_arrays_are_whole())


def write_residues(carrier: Any, residues: WordArray) -> bool:  # noqa: ANN401 - sealapi has no types
    """Overwrite the residues of a SEAL object of at least that size; the rest become zero.

    Returns whether this TenSEAL's arrays allow it; if not, :func:`load_seal_file` is the way.
    """
    return write_all(carrier.dyn_array(), residues, whole=_arrays_are_whole())


@cache
def _arrays_are_whole() -> bool:
    """True if this TenSEAL's arrays can be read in one piece.

    The benchmarks would show it if not.
    """
    known = sealapi.Plaintext("2Ax^3 + 7x^1 + FFFFFFFFFFFF")
    return layout_matches(known.dyn_array(), (0xFFFFFFFFFFFF, 7, 0, 0x2A))


def seal_file(parms_id: list[int], residues: WordArray, *, ntt: bool) -> bytes:
    """Write an uncompressed SEAL 4.x file of a ciphertext or public key.

    From uint64[polynomials, primes, degree].
    """
    size, primes, degree = residues.shape
    data = residues.astype("<u8").tobytes()
    members = struct.pack("<4Q", *parms_id)
    members += struct.pack("<BQQQdQ", ntt, size, degree, primes, 1.0, 1)
    array = _seal_header(8 + len(data)) + struct.pack("<Q", residues.size) + data
    return _seal_header(len(members) + len(array)) + members + array


def _seal_header(payload: int) -> bytes:
    """Write SEAL's header of 16 bytes: magic, its own size, version, no compression, total size."""
    return struct.pack(
        "<HBBBBHQ",
        _SEAL_MAGIC,
        16,
        4,
        3,
        _UNCOMPRESSED,
        0,
        16 + payload,
    )


def load_seal_file(context: Any, target: Any, content: bytes) -> None:  # noqa: ANN401 - sealapi has no types
    """Load a SEAL object from a file that :func:`seal_file` made, through memory."""
    with _memory_file(content) as path:
        target.load(context, path)


@contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """Hold a path that SEAL can open and that names no file on a disk.

    Elsewhere than on Linux it is an unlinked temporary file.
    """
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("securefl", os.MFD_CLOEXEC), "wb", buffering=0) as file:
            file.write(content)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            yield f"/dev/fd/{file.fileno()}"
