"""Why a study failed here, in a line for its owner: kept beside the study and never sent, as it could describe patients. Others get a code (rule 1)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.identity import replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.errors import SecureFLError
from securefl.files import read_file

_FILE = "failure.json"
_LONGEST = 400
NOT_KEPT = "see agent.log"


def keep_reason(folder: Path, digest: str, error: SecureFLError) -> None:
    """Keep the error in the study's folder below this hospital's ``folder``; a disk that takes nothing more ends nothing."""
    words = "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(error).split()))
    line = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} ... ({NOT_KEPT})"
    with suppress(OSError):
        replace_file(folder / "studies" / digest / _FILE, json.dumps({"reason": line}).encode())


def reason_of(folder: Path, digest: str) -> str:
    """Why the study failed, or where to look for it."""
    try:
        return str(json.loads(read_file(folder / "studies" / digest / _FILE))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return NOT_KEPT
