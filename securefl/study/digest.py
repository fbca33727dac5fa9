"""The study's identity: SHA-256 over canonical JSON (RFC 8785).

Any edit of a value is another study.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from securefl.signed import canonical
from securefl.study.parse import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = b"securefl-study-digest/1\n"


def digest_of(raw: Mapping[str, Any]) -> str:
    """Digest (64 hex characters) of a sealed study's TOML values.

    They were checked before (:class:`securefl.study.sealed.SealedStudy`). It covers every value of
    the file, among them the securefl version and the hash of requirements.lock, and the hash of the
    code where there is one. Comments and the order of keys do not count.
    """
    return hashlib.sha256(_LABEL + canonical(plain(dict(raw)))).hexdigest()
