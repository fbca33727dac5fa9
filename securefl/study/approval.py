"""A hospital's signed yes to exactly one digest, with the key it made for this study (rule 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl import identity
from securefl.curve25519 import is_agreement_key
from securefl.errors import MessageError
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable

TYPE = "securefl-approval/1"
#: An approval is a few lines; more is refused before it is parsed.
MAX_BYTES = 4096

_HEX32 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|\+00:00)")


@dataclass(frozen=True)
class Approval:
    """Approval as other parties see it.

    ``study_key`` is an X25519 public key (hex) made for this study alone; ``at`` is the time of
    signing, RFC 3339 in UTC.
    """

    study: str
    site: str
    signing_public: str
    study_key: str
    at: str

    def sign(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The approval as it travels (:mod:`securefl.signed`)."""
        return dump_signed({"type": TYPE, **self.__dict__}, sign)


def open_approval(
    data: bytes, *, site: str, study: str, verify: Callable[[bytes, bytes], bool]
) -> Approval:
    """Check an approval that came from elsewhere: size, signature, then fields.

    Args:
        data: the bytes as they came.
        site: whose approval it must be.
        study: the digest it must be for.
        verify: ``verify(signature, message)`` with the key that this party holds for ``site``.

    Raises:
        MessageError: naming the site and what is wrong.
    """
    checked: list[tuple[bytes, bytes]] = []

    def remembering(signature: bytes, message: bytes) -> bool:
        checked.append((signature, message))
        return verify(signature, message)

    fields = frozenset(Approval.__dataclass_fields__)
    body = open_signed(
        data, kind=TYPE, fields=fields, verify=remembering, sender=site, max_bytes=MAX_BYTES
    )
    wrong = None
    if not all(isinstance(v, str) for v in body.values()):
        wrong = "a field is not text"
    elif body["site"] != site or body["study"] != study:
        wrong = "it is for another study or by another hospital"
    elif not _HEX32.fullmatch(body["study_key"]):
        wrong = "its study key is not 32 bytes in hex"
    elif not is_agreement_key(body["study_key"]):
        wrong = "its study key is no sound X25519 key (not canonical, or of small order)"
    elif not _HEX32.fullmatch(body["signing_public"]) or not identity.verify(
        body["signing_public"], *checked[0]
    ):
        wrong = "the key it names is not the one that signed it"
    elif not _TIME.fullmatch(body["at"]):
        wrong = "its time is not a date and time"
    if wrong:
        raise MessageError(
            f"The approval of {site} is refused: {wrong}.",
            whose=site,
            next_step=f"Ask {site} to approve again.",
        )
    return Approval(**body)
