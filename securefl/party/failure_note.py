"""Reason for a study's failure here, in a line for its owner. It is kept beside the study and never
sent, as it could describe patients. Others get a code (rule 1).
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.files import read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.errors import SecureFLError

_FILE = "failure.json"
_LONGEST = 400
NOT_KEPT = "see agent.log"


def one_line(text: str, more: str = NOT_KEPT) -> str:
    r"""A text as one printable line of bounded length; ``more`` says where the rest stands.

    >>> one_line("away:\n no\x1b[2J route")
    'away: no?[2J route'
    """
    words = "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
    if len(words) <= _LONGEST:
        return words
    return f"{words[:_LONGEST]} ... ({more})"


def keep_reason(folder: Path, digest: str, error: SecureFLError) -> None:
    """Keep the error in the study's folder below this hospital's ``folder``.

    A disk that takes nothing more ends nothing.
    """
    with suppress(OSError):
        line = one_line(str(error))
        replace_file(folder / "studies" / digest / _FILE, json.dumps({"reason": line}).encode())


def reason_of(folder: Path, digest: str) -> str:
    """Read why the study failed, or where to look for it."""
    try:
        return str(json.loads(read_file(folder / "studies" / digest / _FILE))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return NOT_KEPT
