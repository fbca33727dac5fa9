"""Shortage of memory in a worker, told to its owner with the figure and the next step.

Three ways lead to it: Python or PyTorch is refused memory and says so, the C library ends the
process (signal 6), or the kernel ends the largest process of a machine (signal 9), and counts it.
The figure stays on the owner's screen: how much a study needs follows from how many rows it reads.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

from securefl.errors import RoundError

_ENDED_HERE: Final = "The study ends here."
#: Words of libraries that tell a shortage in an error of another kind: PyTorch, and the loader of
#: shared libraries.
_WORDS: Final = ("can't allocate memory", "Cannot allocate memory", "bad_alloc")
#: Where the kernel counts, since it started, the processes that it ended for lack of memory.
_COUNTERS: Final = Path("/proc/vmstat")


def is_shortage(error: Exception) -> bool:
    """True for an error by which a library says that it was refused memory."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return any(words in str(error) for words in _WORDS)


def shortage_error(memory: int | None, machine: int) -> RoundError:
    """The error of a worker that was refused memory.

    Args:
        memory: bytes that the owner's policy allows; None where it says nothing.
        machine: bytes of the machine.
    """
    if memory is None:
        return RoundError(
            f"The worker needed more memory than this machine has, {_megabytes(machine)}.",
            whose="this hospital's operator",
            next_step=(
                "Give the machine more memory, or ask the researcher for smaller batches or a"
                f" smaller model. {_ENDED_HERE}"
            ),
        )
    return RoundError(
        f"The worker needed more memory than {_megabytes(memory)}, which this hospital's policy"
        " allows.",
        whose="this hospital's data owner",
        next_step=(
            "Write a larger memory_gb into the policy and sign it again, or ask the researcher for"
            f" smaller batches or a smaller model. {_ENDED_HERE}"
        ),
    )


def ended_by_kernel_error(machine: int) -> RoundError:
    """The error of a worker that the kernel ended, since the machine's memory had run out.

    Args:
        machine: its bytes.
    """
    return RoundError(
        "The worker needed more memory than was left: the system ended it. This machine has"
        f" {_megabytes(machine)} for all programs.",
        whose="this hospital's operator",
        next_step=(
            "Close other programs or give the machine more memory; studies_at_once in the policy"
            f" lets fewer studies run at a time. {_ENDED_HERE}"
        ),
    )


def _megabytes(size: int) -> str:
    return f"{size // 10**6:,} MB"


def kernel_kills(counters: Path = _COUNTERS) -> int:
    """Processes that the kernel ended for lack of memory since it started; 0 where it does not say."""
    with suppress(OSError, ValueError):
        for line in counters.read_text("ascii").splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0
