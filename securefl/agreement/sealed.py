"""Agreements that were read: the text, what it says, and the digest that follows from both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from securefl.agreement.schema import SCHEMA, Agreement
from securefl.errors import StudyError
from securefl.signed import canonical
from securefl.study.parse import AGREEMENT, load_raw, plain, validated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_LABEL: Final = b"securefl-agreement-digest/1\n"


@dataclass(frozen=True)
class SealedAgreement:
    """An agreement. Only the text can be given; the rest is worked out from it.

    Attributes:
        text: the bytes of ``agreement.toml``.
        agreement: what they say.
        digest: SHA-256 (hex) over its canonical JSON (RFC 8785). Comments and the order of keys do
            not count; every value does.

    Raises:
        StudyError: the text is no valid agreement.
    """

    text: bytes = field(repr=False)
    agreement: Agreement = field(init=False, repr=False, compare=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        raw = load_raw(self.text, AGREEMENT)
        if raw.get("schema") != SCHEMA:
            raise StudyError(
                f'The agreement has no line schema = "{SCHEMA}".',
                whose=AGREEMENT.whose,
                next_step="`securefl consortium new` writes a folder to start from.",
            )
        object.__setattr__(self, "agreement", validated(raw, self.text, Agreement, AGREEMENT))
        object.__setattr__(self, "digest", digest_of(raw))

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Parse an agreement.

        Raises:
            StudyError: with each fault's line number, what is wrong and how to mend it.
        """
        return cls(text)

    @property
    def name(self) -> str:
        """The name on pages: id, version and the first twelve digits of the digest."""
        about = self.agreement.consortium
        return f"{about.id}, version {about.version} ({self.digest[:12]})"


def digest_of(raw: Mapping[str, Any]) -> str:
    """Digest (64 hex characters) of an agreement's TOML values."""
    return hashlib.sha256(_LABEL + canonical(plain(dict(raw)))).hexdigest()
