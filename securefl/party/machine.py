"""Size of a machine, and whether it is enough to take part: cores, memory, disk, open files, the store's pace.

Figures are for the owner of the process. They are written to a file only where somebody asks for
one, and nothing is sent.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot
from securefl.errors import SecureFLError

if TYPE_CHECKING:
    from securefl.boards.board import Board

#: Bytes that a worker with PyTorch and an agent take together, before any table.
LEAST_MEMORY: Final = 2 * 1024**3
#: Bytes that a folder needs for a study at work; its ledger and logs are small beside that.
LEAST_DISK: Final = 2 * 1024**3
#: Descriptors of a process that reads the frames of a large cohort.
LEAST_OPEN_FILES: Final = 1024
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_VERSION: Final = 1
_PROBES: Final = 5
_PROBE_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Machine:
    """Size of a machine, as this process may use it.

    Attributes:
        cores: that this process may run on.
        memory: bytes that are free now, without swapping; None where the system does not say.
        disk: bytes that this user may write where the folder lies.
        open_files: that one process may hold.
        landlock: version of the kernel's Landlock interface; 0 where it has none.
    """

    cores: int
    memory: int | None
    disk: int
    open_files: int
    landlock: int


def look_at_machine(folder: Path) -> Machine:
    """Measure the machine on which ``folder`` lies."""
    return Machine(
        cores=_cores(),
        memory=_free_memory(),
        disk=shutil.disk_usage(folder).free,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        landlock=landlock_version(),
    )


def check_large_enough(machine: Machine) -> None:
    """Refuse a machine that would fail in the middle of a study.

    Raises:
        SecureFLError: with everything that is too small.
    """
    small = []
    for name, there, least in (
        ("memory", machine.memory, LEAST_MEMORY),
        ("disk", machine.disk, LEAST_DISK),
    ):
        if there is not None and there < least:
            small.append(f"{gigabytes(there)} of {name} free, {gigabytes(least)} wanted")
    if machine.open_files < LEAST_OPEN_FILES:
        small.append(f"{machine.open_files} open files, {LEAST_OPEN_FILES} wanted")
    if small:
        raise SecureFLError(
            f"This machine is too small: {'; '.join(small)}.",
            whose="this machine's operator",
            next_step="Free what is named, or take another machine; raise open files in its unit.",
        )


def _cores() -> int:
    if sys.platform.startswith("linux"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free_memory(file: Path = Path("/proc/meminfo")) -> int | None:
    """``MemAvailable`` of /proc/meminfo (proc_meminfo(5)), in bytes."""
    try:
        lines = file.read_text("ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def landlock_version() -> int:
    """Version of Landlock's interface, 0 where the kernel has none (landlock_create_ruleset(2))."""
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    found = libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE_RULESET),
        None,
        ctypes.c_size_t(0),
        ctypes.c_uint32(_LANDLOCK_VERSION),
    )
    return max(int(found), 0)


def store_seconds(board: Board, name: str) -> float:
    """Median seconds in which a small object goes to the store and comes back.

    Args:
        board: the store.
        name: a path that is this party's alone; it is erased afterwards.

    Raises:
        StoreError: the store cannot be used.
    """
    probe = Slot(board, name, _PROBE_BYTES)
    taken = []
    for _ in range(_PROBES):
        data = os.urandom(_PROBE_BYTES)
        start = time.monotonic()
        probe.post(data)
        back = probe.read()
        taken.append(time.monotonic() - start)
        probe.erase()
        if back != data:
            raise SecureFLError(
                "The store gave back something else than was written a moment before.",
                whose="whoever operates the store",
                next_step="See docs/stores.md: a store must give back what was written last.",
            )
    return sorted(taken)[_PROBES // 2]


def gigabytes(size: int | None) -> str:
    """Bytes for people."""
    if size is None:
        return "an unknown amount"
    return f"{size / 1e9:.1f} GB"
