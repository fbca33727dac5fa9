"""Sealing of the global model on its way to the hospitals.

Encrypted once, its key sealed to each of them under the round's facts.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from securefl.errors import MessageError
from securefl.signed import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.identity import Identity, IdentityCard

_LABEL: Final = b"securefl/global-model/1"
_NONCE: Final = bytes(12)  # each content key encrypts one payload, ever
_HEAD_BYTES: Final = 4
_TAG_BYTES: Final = 16
#: An HPKE-wrapped 32 byte key in hex with its site name and JSON punctuation.
_ENTRY_BYTES: Final = 256


def sealed_limit(parameters: int, hospitals: int) -> int:
    """The longest sealed model of this size, in bytes."""
    return 8 * parameters + _TAG_BYTES + _HEAD_BYTES + 2 + _ENTRY_BYTES * hospitals


def seal_model(
    payload: bytes,
    readers: Iterable[IdentityCard],
    context: bytes,
) -> bytearray:
    """Encrypt ``payload`` for the readers.

    ``context`` (study, round, attempt) must be the same when it is opened.
    """
    key = secrets.token_bytes(32)
    wrapped = {card.name: card.seal(key, _info(context, card.name)).hex() for card in readers}
    head = canonical(wrapped)
    start = _HEAD_BYTES + len(head)
    sealed = bytearray(
        start + len(payload) + _TAG_BYTES
    )  # in place: it may be most of this machine's memory
    sealed[:start] = len(head).to_bytes(_HEAD_BYTES, "big") + head
    ChaCha20Poly1305(key).encrypt_into(
        _NONCE, payload, _LABEL + context, memoryview(sealed)[start:]
    )
    return sealed


def open_model(data: bytes | bytearray, reader: Identity, context: bytes) -> bytes:
    """Open the payload sealed to ``reader``.

    The caller has checked the hash of ``data`` against the signed announcement.

    Raises:
        MessageError: not sealed to this reader or under this context, or altered.
    """
    size = int.from_bytes(data[:_HEAD_BYTES], "big")
    head = data[_HEAD_BYTES : _HEAD_BYTES + size]
    body = memoryview(data)[_HEAD_BYTES + size :]
    try:
        wrapped = bytes.fromhex(json.loads(head)[reader.card.name])
        key = reader.unseal(wrapped, _info(context, reader.card.name))
        return ChaCha20Poly1305(key).decrypt(_NONCE, body, _LABEL + context)
    except (MessageError, ValueError, KeyError, TypeError, InvalidTag, RecursionError):
        raise MessageError(
            "The global model is not sealed to this hospital for this round.",
            whose="the coordinator",
            next_step="Ask for a new attempt.",
        ) from None


def _info(context: bytes, name: str) -> bytes:
    return _LABEL + b"/key/" + name.encode() + b"/" + context
