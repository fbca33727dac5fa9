"""Starting a long-running role so that the terminal comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from securefl.errors import RoundError, UsageError
from securefl.node.presence import present

if TYPE_CHECKING:
    from pathlib import Path

#: A role that has not said that it runs after this many seconds has not started.
_PATIENCE = 30.0


def start_role(arguments: list[str], folder: Path, role: str, output: Path) -> None:
    """Run ``securefl ARGUMENTS`` in a session of its own and wait until it says that it runs.

    Args:
        arguments: the command that runs in the foreground.
        folder: the party's folder.
        role: ``agent`` or ``aggregator``.
        output: where what it says when it cannot go on is written (0600); it begins anew at each start. What it says while it
            works is in its log.

    Raises:
        UsageError: one runs already.
        RoundError: it ended, or did not start in time.
    """
    if present(folder, role) is not None:
        raise UsageError(f"The {role} of this folder runs already.", next_step="Stop it first.")
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "securefl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=fd, start_new_session=True
        )
    finally:
        os.close(fd)
    end = time.monotonic() + _PATIENCE
    while present(folder, role) is None:
        if process.poll() is not None or time.monotonic() > end:
            raise RoundError(f"The {role} did not start.", whose="this machine's operator", next_step=f"See {output}.")
        time.sleep(0.05)
