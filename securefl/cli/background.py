"""Starting a long-running role so that the terminal comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def start_in_background(arguments: list[str], output: Path) -> int:
    """Run ``securefl ARGUMENTS`` in a session of its own; its output goes to ``output`` (0600). Returns its process id."""
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "securefl", *arguments], stdin=subprocess.DEVNULL, stdout=fd, stderr=fd, start_new_session=True
        )
    finally:
        os.close(fd)
    return process.pid
