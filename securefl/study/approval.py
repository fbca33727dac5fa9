"""A hospital's signed yes to exactly one digest, with the key it made for this study (rule 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from securefl.curve25519 import is_agreement_key
from securefl.errors import MessageError
from securefl.identity import Verifier
from securefl.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable

#: An approval is a few lines; more is refused before it is parsed.
MAX_BYTES = 4096

_HEX32 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|\+00:00)")


@dataclass(frozen=True)
class Approval(Statement):
    """Approval as other parties see it.

    ``study_key`` is an X25519 public key (hex) made for this study alone; ``at`` is the time of
    signing, RFC 3339 in UTC.
    """

    TYPE: ClassVar[str] = "securefl-approval/1"
    WHAT: ClassVar[str] = "The approval"
    MAX_BYTES: ClassVar[int] = MAX_BYTES

    study: str
    site: str
    signing_public: str
    study_key: str
    at: str

    def contradiction(self) -> str:
        """See :meth:`securefl.statement.Statement.contradiction`."""
        if not _HEX32.fullmatch(self.study_key):
            return "malformed: its study key is not 32 bytes in hex"
        if not is_agreement_key(self.study_key):
            return (
                "unusable: its study key is no sound X25519 key (not canonical, or of small order)"
            )
        if not _TIME.fullmatch(self.at):
            return "malformed: its time is not a date and time"
        return ""


def open_approval(
    data: bytes,
    *,
    site: str,
    study: str,
    verify: Callable[[bytes, bytes], bool],
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

    found = Approval.open(data, verify=remembering, site=site, study=study)
    named = Verifier(site, found.signing_public)
    if not _HEX32.fullmatch(found.signing_public) or not named(*checked[0]):
        raise MessageError(
            f"The approval of {site} is refused: the key it names is not the one that signed it.",
            whose=site,
            next_step=f"Ask {site} to approve again.",
        )
    return found
