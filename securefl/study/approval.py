"""A hospital's signed yes to exactly one digest, with the key it made for this study (rule 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.study.digest import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

TYPE = "securefl-approval/1"
#: An approval is a few lines; more is refused before it is parsed.
MAX_BYTES = 4096
_FIELDS = {"type", "study", "site", "signing_public", "study_key", "at"}


@dataclass(frozen=True)
class Approval:
    """The statement other parties see. ``study_key`` is an X25519 public key (hex) made for this study alone."""

    study: str
    site: str
    signing_public: str
    study_key: str
    at: str

    def statement(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical({"type": TYPE, **self.__dict__})

    def sign(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The approval as it travels: canonical JSON of statement and signature (Ed25519, hex)."""
        return canonical({"statement": json.loads(self.statement()), "signature": sign(self.statement()).hex()})


def open_approval(data: bytes, *, site: str, study: str, verify: Callable[[bytes, bytes], bool]) -> Approval:
    """Check an approval that came from elsewhere: size, signature, then fields.

    Args:
        data: the bytes as they came.
        site: whose approval it must be.
        study: the digest it must be for.
        verify: ``verify(signature, message)`` with the key that this party holds for ``site``.

    Raises:
        MessageError: naming the site and what is wrong.
    """

    def refuse(why: str) -> MessageError:
        return MessageError(f"The approval of {site} is refused: {why}.", whose=site, next_step=f"Ask {site} to approve again.")

    if len(data) > MAX_BYTES:
        raise refuse(f"{len(data)} bytes, at most {MAX_BYTES}")
    try:
        outer: Any = json.loads(data)
        statement, signature = outer["statement"], bytes.fromhex(outer["signature"])
        signed = canonical(statement)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise refuse("not an approval") from None
    if not verify(signature, signed):
        raise refuse("its signature is not by the key that is trusted here")
    if not isinstance(statement, dict) or set(statement) != _FIELDS or statement["type"] != TYPE:
        raise refuse("unknown or missing fields")
    if not all(isinstance(v, str) for v in statement.values()):
        raise refuse("a field is not text")
    if statement["site"] != site or statement["study"] != study:
        raise refuse("it is for another study or by another hospital")
    key = statement["study_key"]
    if len(key) != 64 or set(key) - set("0123456789abcdef"):
        raise refuse("its study key is not 32 bytes in hex")
    return Approval(**{k: statement[k] for k in ("study", "site", "signing_public", "study_key", "at")})
