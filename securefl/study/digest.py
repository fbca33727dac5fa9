"""The study's identity: SHA-256 over canonical JSON (RFC 8785).

Any edit of a value is another study.
"""

from __future__ import annotations

import hashlib

from securefl.signed import canonical
from securefl.study.parse import load_raw, parse_study, plain

_LABEL = b"securefl-study-digest/1\n"


def study_digest(text: str | bytes) -> str:
    """The digest (64 hex characters) of a valid sealed study.

    It covers every value of the file, among them the securefl version and the hash of
    requirements.lock, and the hash of the code where there is one. Comments and the order of keys
    do not count.

    Raises:
        StudyError: the text is no valid study.
    """
    parse_study(text)
    return hashlib.sha256(_LABEL + canonical(plain(load_raw(text)))).hexdigest()
