"""All walls of the worker, put up in their order by the process that they close in.

Nothing before may import numpy: its BLAS starts threads. The kernel gives a process with threads no
namespace, and the other walls would hold for one thread alone.

A wall counts as held when it was tried: what it forbids was asked of the kernel, and refused.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.node.walls.kernel_calls import (
    drop_capabilities,
    end_with_parent,
    gain_no_rights,
    hide_memory,
)
from securefl.node.walls.landlock import read_only_these
from securefl.node.walls.namespaces import leave_the_network
from securefl.node.walls.own_root import enter_own_root
from securefl.node.walls.syscall_filter import refuse_system_calls
from securefl.node.walls.worker_files import WRITTEN, readable_places
from securefl.node.walls.worker_limits import limit_resources
from securefl.party.machine import landlock_version
from securefl.study.worker_walls import (
    EMPTY_START,
    FILTER,
    LANDLOCK,
    NAMESPACE,
    NO_FILTER,
    NO_LANDLOCK,
    NO_NAMESPACES,
    NOT_EMPTY,
    NOT_LINUX,
    OWN_ROOT,
    STILL_READ,
    WALLS,
    Standing,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from securefl.study.worker_walls import Walls, WorkerLimits

#: Python sets it by itself where there is no environment (PEP 538).
_PYTHONS_OWN = {"LC_CTYPE"}
_STANDARD = {0, 1, 2}
#: Tried beside the hospital's own folder, to see that the files wall holds.
_ELSEWHERE = (Path("/etc/passwd"), Path("/proc/1/status"))


def put_up_walls(limits: WorkerLimits, handed: Collection[int]) -> Walls:
    """Put this process behind its walls, as far as the machine can; must run before any thread.

    Args:
        limits: of resources.
        handed: descriptors that it was given on purpose.

    Returns:
        How each wall stands, in the order of the list of walls.
    """
    if not sys.platform.startswith("linux"):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return tuple(Standing(name, reason=NOT_LINUX) for name in WALLS)
    empty = _is_empty(handed)
    house = _folder_of_log()
    apart = leave_the_network()
    landlocked = landlock_version() > 0
    rooted = apart and not landlocked and enter_own_root(readable_places(), WRITTEN)
    gain_no_rights()
    drop_capabilities()
    hide_memory()
    end_with_parent(signal.SIGKILL)
    resources = limit_resources(limits)
    closed = landlocked and read_only_these(readable_places(), WRITTEN)
    refused = refuse_system_calls()
    files = _files(closed=closed, rooted=rooted, house=house)
    standings = (
        _network(apart=apart, refused=refused),
        files,
        _by_filter("other-processes", refused=refused),
        _by_filter("new-processes", refused=refused),
        # put up by the worker when its libraries are open (``threads.py``); without it, it ends
        _by_filter("threads", refused=refused),
        _keys(empty, files),
        _by_filter("system-calls", refused=refused),
        *resources,
    )
    by_name = {standing.wall: standing for standing in standings}
    return tuple(by_name[name] for name in WALLS)


def _is_empty(handed: Collection[int]) -> bool:
    """True where nothing but ``handed`` came from the process that started this one."""
    listed = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    mine = listed - _STANDARD - set(handed)
    # the listing itself had one open, which is closed by now
    open_now = [number for number in mine if _is_open(number)]
    return not open_now and set(os.environ) <= _PYTHONS_OWN


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _folder_of_log() -> Path | None:
    """Folder of the file that crashes are written to: the hospital's own. None where a process is
    only tried, and has no log.
    """
    with suppress(OSError):
        log = Path("/proc/self/fd/2").readlink()
        if log.is_absolute() and not log.is_relative_to("/dev"):
            return log.parent
    return None


def _network(*, apart: bool, refused: bool) -> Standing:
    by = []
    if apart:
        by.append(NAMESPACE)
    if refused:
        by.append(FILTER)
    if by:
        return Standing("network", tuple(by))
    return Standing("network", reason=NO_NAMESPACES)


def _files(*, closed: bool, rooted: bool, house: Path | None) -> Standing:
    if not closed and not rooted:
        return Standing("files", reason=NO_LANDLOCK)
    forbidden = [*_ELSEWHERE]
    if house is not None:
        forbidden.append(house)
    if any(_can_read(place) for place in forbidden):
        return Standing("files", reason=STILL_READ)
    if closed:
        return Standing("files", (LANDLOCK,))
    return Standing("files", (OWN_ROOT,))


def _can_read(place: Path) -> bool:
    try:
        os.close(os.open(place, os.O_RDONLY))
    except OSError:
        return False
    return True


def _keys(empty: bool, files: Standing) -> Standing:
    """Keys lie in the hospital's folder: without the wall before it they could be read."""
    if not empty:
        return Standing("keys", reason=NOT_EMPTY)
    if not files.held:
        return Standing("keys", reason=files.reason)
    return Standing("keys", (EMPTY_START, *files.by))


def _by_filter(wall: str, *, refused: bool) -> Standing:
    if refused:
        return Standing(wall, (FILTER,))
    return Standing(wall, reason=NO_FILTER)
