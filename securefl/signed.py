"""Signed statements: one line with an Ed25519 signature, then canonical JSON (RFC 8785).

The signature covers the bytes as they stand, so that it is checked before anything is parsed (rule
5).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import rfc8785

from securefl.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAGIC = b"securefl-signed/1 "
_HEAD = len(_MAGIC) + 128 + 1
_FIRST_LINE = re.compile(re.escape(_MAGIC) + rb"([0-9a-f]{128})\n")


#: The largest integer that RFC 8785 writes.
_MOST: Final = 2**53 - 1
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value without floats
    """Write a JSON value as RFC 8785 says.

    What nearly all statements hold, Python's own encoder writes the same, in a hundredth of the
    time; a property test compares the two.
    """
    if _is_plain(value):
        # A lone surrogate is the other's to refuse.
        with suppress(UnicodeEncodeError):
            return _ENCODER.encode(value).encode()
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:  # noqa: ANN401 - as above
    """True for a value of texts, truths and whole numbers under keys of ASCII letters.

    RFC 8785 sorts keys by UTF-16, Python by code points: the same within ASCII.
    """
    kind = type(value)
    if kind is dict:
        keys = all(type(key) is str and key.isascii() for key in value)
        return keys and all(map(_is_plain, value.values()))
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    if kind is int:
        return bool(-_MOST <= value <= _MOST)
    return kind is str or kind is bool or value is None


def dump_signed(body: dict[str, Any], sign: Callable[[bytes], bytes]) -> bytes:
    """Write ``body`` as it travels, signed.

    ``body["type"]`` names and versions the statement, so that none passes for another.
    """
    payload = canonical(body)
    return _MAGIC + sign(payload).hex().encode() + b"\n" + payload


def open_signed(
    data: bytes,
    *,
    kind: str,
    fields: frozenset[str],
    verify: Callable[[bytes, bytes], bool],
    sender: str,
    max_bytes: int,
) -> dict[str, Any]:
    """Check and parse a statement: length, signature, JSON, canonical form, type, exact fields.

    Args:
        data: the bytes as they came.
        kind: the expected ``type``.
        fields: the expected keys beside ``type``.
        verify: ``verify(signature, message)`` with the key held for the sender.
        sender: for the error's text.
        max_bytes: longer data is refused unread.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    return open_signed_form(
        data, forms={kind: fields}, verify=verify, sender=sender, max_bytes=max_bytes
    )


def open_signed_form(
    data: bytes,
    *,
    forms: Mapping[str, frozenset[str]],
    verify: Callable[[bytes, bytes], bool],
    sender: str,
    max_bytes: int,
) -> dict[str, Any]:
    """Check and parse a statement as :func:`open_signed`, of one of several types.

    ``forms``: the fields of each ``type`` that is taken. Raises as :func:`open_signed`.
    """
    payload, signature = _split(data, sender, max_bytes)
    if not verify(signature, payload):
        raise _refused(sender, "its signature is not by the key that is trusted here")
    return _parse(payload, forms, sender)


def peek_signed(
    data: bytes,
    *,
    forms: Mapping[str, frozenset[str]],
    sender: str,
    max_bytes: int,
) -> tuple[dict[str, Any], bytes, bytes]:
    """Parse a statement that is not yet verified: ``(body, signature, signed bytes)``.

    For self-signed statements only, where the key stands inside. ``forms``: the fields of each
    ``type`` that is taken.
    """
    payload, signature = _split(data, sender, max_bytes)
    return _parse(payload, forms, sender), signature, payload


def _split(data: bytes, sender: str, max_bytes: int) -> tuple[bytes, bytes]:
    """Split a statement into payload and signature, by fixed places and without parsing."""
    if len(data) > max_bytes:
        raise _refused(sender, f"{len(data)} bytes, at most {max_bytes} are read")
    head = _FIRST_LINE.match(data)
    if head is None:
        raise _refused(sender, "not a signed statement")
    return data[_HEAD:], bytes.fromhex(head.group(1).decode("ascii"))


def _parse(
    payload: bytes,
    forms: Mapping[str, frozenset[str]],
    sender: str,
) -> dict[str, Any]:
    """Parse a payload of one of these forms; return its fields without the type."""
    try:
        body = json.loads(payload, parse_float=_no_float, parse_constant=_no_float)
        # One statement has one spelling: a hash of its bytes then stands for its meaning.
        same = canonical(body) == payload
    except (ValueError, TypeError, RecursionError):
        raise _refused(sender, "not JSON") from None
    if not same or not isinstance(body, dict):
        raise _refused(sender, "not in canonical form")
    kind = body.pop("type", None)
    if not isinstance(kind, str) or kind not in forms:
        raise _refused(sender, f"not a {' or '.join(forms)}")
    if set(body) != forms[kind]:
        raise _refused(sender, "unknown or missing fields")
    return body


def _no_float(text: str) -> None:
    """Refuse a number that is not whole."""
    # Such numbers travel as text: a float has no single exact form.
    raise ValueError(text)


def _refused(sender: str, why: str) -> MessageError:
    """Make the refusal of a statement, naming its sender."""
    return MessageError(
        f"A message of {sender} is refused: {why}.",
        whose=sender,
        next_step=f"Ask {sender} to send it again.",
    )
