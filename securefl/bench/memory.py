"""Memory that a process holds, and held at most.

``ru_maxrss`` is no answer for a child: Linux starts it at what its parent held when it was forked.
"""

from __future__ import annotations

import resource
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_mb() -> float:
    """Memory that this process holds now, in MB of 2^20 bytes.

    Where the system does not say, what it held at most.
    """
    return _field("VmRSS")


def peak_mb() -> float:
    """The most memory that this process held so far, in MB of 2^20 bytes."""
    return _field("VmHWM")


def _field(name: str) -> float:
    """Read a field of the process's status in MB."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        # Not Linux, where the largest memory so far is all that there is.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
