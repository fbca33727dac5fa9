"""Keys and keyed hashes from a hospital's site secret: nobody without it can test a guess against
what they stand for.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def split_secret(secret: bytes, population: str) -> bytes:
    """The 32 bytes that decide who is held out of one population."""
    return HKDF(
        SHA256(),
        32,
        salt=None,
        info=b"securefl/split/1/" + population.encode(),
    ).derive(secret)


def keyed_text(secret: bytes, text: str) -> str:
    """HMAC-SHA256 (hex) of a text."""
    return hmac.new(secret, b"securefl/keyed/1\0" + text.encode(), hashlib.sha256).hexdigest()
