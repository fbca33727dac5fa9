"""Judgement of a study's quality rule, as its coordinator signed it.

Kept beside the study for the owner's screen.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.files import read_file, replace_file
from securefl.study.schema import VERDICTS

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "quality.json"


def keep_verdict(folder: Path, verdict: str) -> None:
    """Keep it in the study's ``folder``; a disk that takes nothing more ends nothing."""
    with suppress(OSError):
        replace_file(folder / _FILE, json.dumps({"quality": verdict}).encode())


def verdict_of(folder: Path) -> str | None:
    """The judgement of a completed study in ``folder``; None where none was told."""
    try:
        found = json.loads(read_file(folder / _FILE))["quality"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if isinstance(found, str) and found in VERDICTS:
        return found
    return None
