"""Ciphertext or not, as far as somebody without a key can tell.

What is sealed to one reader opens nowhere else, so a checker sees bytes. Ciphertext cannot be made
shorter; text, tables and arrays of numbers can. This finds what was put there in error. It does not
find plaintext that somebody encrypted or compressed before, and no check without the key can.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from io import BytesIO

    from securefl.boards.capped import CappedReader

_PIECE: Final = 1 << 20
_LEAST: Final = 48
_HEAD_BYTES: Final = 4
#: A wrapped key in hex with its reader's name.
_ENTRY_BYTES: Final = 512


def check_looks_sealed(data: bytes, path: str) -> None:
    """Refuse bytes that are shorter than any ciphertext, or that can be made shorter.

    Raises:
        MessageError: naming the object.
    """
    if len(data) < _LEAST:
        raise refused(path, "it is too short for something sealed")
    for start in range(0, len(data), _PIECE):
        _check_piece(data[start : start + _PIECE], path)


def check_sealed_to(
    file: CappedReader | BytesIO,
    readers: Collection[str],
    path: str,
) -> None:
    """Refuse an object that is not a list of wrapped keys, one a reader, and one ciphertext.

    Args:
        file: at its beginning (:mod:`securefl.federation.sealing`).
        readers: names that may stand in its list.
        path: of the object, for the refusal.

    Raises:
        MessageError: naming the object.
    """
    size = int.from_bytes(file.read(_HEAD_BYTES), "big")
    if size > _ENTRY_BYTES * (len(readers) + 1):
        raise refused(path, "its list of readers is longer than the study has parties")
    try:
        wrapped = json.loads(file.read(size))
        keys = {name: bytes.fromhex(key) for name, key in wrapped.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise refused(path, "it has no list of readers") from None
    if not set(keys) <= set(readers):
        raise refused(path, "it is sealed to somebody who is no party of the study")
    for key in keys.values():
        if len(key) > _ENTRY_BYTES // 2:
            raise refused(path, "a wrapped key is too long")
        check_looks_sealed(key, path)
    while piece := file.read(_PIECE):
        _check_piece(piece, path)


def _check_piece(piece: bytes, path: str) -> None:
    if len(zlib.compress(piece, 9)) < len(piece):
        raise refused(path, "it can be made shorter, as no ciphertext can: it is not sealed")


def refused(path: str, why: str) -> MessageError:
    """Make the refusal of an object of a bundle."""
    return MessageError(
        f"{path} does not pass the airlock: {why}.",
        whose="whoever put it there",
        next_step="Find out what it is before anything else is carried.",
    )
