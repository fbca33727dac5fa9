"""Public pseudo-random numbers: the same on every machine, for things that everybody may know.

Mock tables and initial weights must be repeatable and say nothing about anybody. They come from
SHAKE-256 (FIPS 202) over a label and a seed, never from a library whose stream could change between
versions. Nothing that protects a person may use this module: noise and sampling come from
:mod:`securefl.privacy`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray


def public_uniforms(label: str, seed: bytes, count: int) -> FloatArray:
    """``count`` numbers in (0, 1), float64, each the middle of one of 2^52 equal cells.

    ``label`` keeps two uses of the same seed apart.
    """
    if count == 0:
        return np.zeros(0)
    head = f"securefl/public/1/{label}".encode()
    stream = hashlib.shake_256(len(head).to_bytes(4, "big") + head + seed).digest(8 * count)
    words = np.frombuffer(stream, dtype="<u8") >> np.uint64(12)
    return (words.astype(np.float64) + 0.5) / float(1 << 52)
