"""Closing of a process's memory while it holds keys: no core file, no reading by others.

PR_SET_DUMPABLE (prctl(2)) off also gives /proc/self/mem, /proc/self/fd and ptrace(2) to root alone;
RLIMIT_CORE 0 stands beside it for systems whose core files go through a pipe only when the limit is
not zero. A new program (execve(2)) starts dumpable again, with the limit kept.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from functools import cache
from typing import Final

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


@cache
def make_undumpable() -> None:
    """Close this process's memory to core files and to other processes.

    Harmless when repeated, and elsewhere than on Linux.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_dumpable() -> bool:
    """True if this process could still leave a core file or be read by others of its user."""
    if sys.platform.startswith("linux"):
        return bool(
            ctypes.CDLL(None, use_errno=True).prctl(
                _PR_GET_DUMPABLE,
                0,
                0,
                0,
                0,
            )
            != 0
        )
    return resource.getrlimit(resource.RLIMIT_CORE)[0] != 0
