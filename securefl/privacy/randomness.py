"""Source of random bytes: ChaCha20 (RFC 8439) keyed by the operating system.

Samplers take their source by constructor (:class:`RandomBytes`), so tests can fix it; no file, flag
or environment variable reaches it. numpy's own generators are never used: their output can be
predicted from a stretch of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

if TYPE_CHECKING:
    from securefl.types import WordArray

KEY_BYTES = 32
#: A key is replaced long before ChaCha20's 32-bit block counter (256 GiB) could wrap.
REKEY_BYTES = 1 << 30
_NONCE = bytes(16)


class RandomBytes(Protocol):
    """Random bytes on demand: uniform, and independent of all that were returned before."""

    def __call__(self, size: int, /) -> bytes:
        """Return ``size`` fresh bytes."""


class ChaChaStream:
    """The ChaCha20 key stream of one key: the same key gives the same bytes.

    For tests and simulation.
    """

    def __init__(self, key: bytes) -> None:
        self._stream = Cipher(ChaCha20(key, _NONCE), mode=None).encryptor()

    def __call__(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes of the stream."""
        # The key stream is the encryption of zeros.
        return self._stream.update(bytes(size))


class SystemRandomness:
    """ChaCha20 under a key from :func:`os.urandom`: fresh for each object, process and GiB.

    A forked child would otherwise repeat its parent's noise, and two releases with the same noise
    have none in their difference; so the process id is checked at every call.
    """

    def __init__(self) -> None:
        # No process has this id, so the first call keys the stream.
        self._pid = -1
        self._left = 0
        self._stream = ChaChaStream(bytes(KEY_BYTES))

    def __call__(self, size: int, /) -> bytes:
        """Return ``size`` fresh bytes."""
        if self._pid != os.getpid() or size > self._left:
            self._stream = ChaChaStream(os.urandom(KEY_BYTES))
            self._pid = os.getpid()
            self._left = max(REKEY_BYTES, size)
        self._left -= size
        return self._stream(size)


def uniform_words(count: int, source: RandomBytes) -> WordArray:
    """Draw ``count`` uniform 64-bit words: uint64[count]."""
    return np.frombuffer(source(8 * count), dtype="<u8").astype(np.uint64, copy=False)


def uniform_below(count: int, bound: int, source: RandomBytes) -> WordArray:
    """Draw integers uniform on ``0 .. bound - 1``, by rejection and so without bias: uint64[count].

    Args:
        count: how many.
        bound: 1 <= bound <= 2^63.
        source: where the bytes come from.
    """
    # Words at or above the largest multiple of bound are drawn again; fewer than half are, whatever
    # the bound.
    limit = (1 << 64) - (1 << 64) % bound
    words = uniform_words(count, source)
    while limit < 1 << 64:
        again = np.flatnonzero(words >= np.uint64(limit))
        if not again.size:
            break
        words = words.copy()
        words[again] = uniform_words(again.size, source)
    return words % np.uint64(bound)
