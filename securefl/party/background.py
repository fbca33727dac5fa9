"""Start of a command in a process of its own, which no terminal, session or notebook ends."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def started(arguments: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
    """Start ``securefl ARGUMENTS`` in a session of its own.

    Args:
        arguments: the command, which runs in the foreground there.
        output: where what it says when it cannot go on is written (0600); it begins anew.
    """
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "securefl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=fd,
            start_new_session=True,
        )
    finally:
        os.close(fd)
