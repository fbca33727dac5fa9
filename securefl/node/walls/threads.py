"""Threads wall: from the moment when the libraries are open, the process starts no further thread.

Libraries start theirs when they are imported, so this wall is put up later than the others, and
before a row is read. A limit of the kernel's would not do: it counts the threads of a user and not
of a process, and root's it does not count (setrlimit(2), RLIMIT_NPROC).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.node.walls.syscall_filter import refuse_threads
from securefl.study.worker_walls import NO_FILTER, Standing

if TYPE_CHECKING:
    from securefl.study.worker_walls import Walls


def start_no_more_threads() -> None:
    """Put the wall up, and try it.

    Raises:
        RoundError: a thread can still be started.
    """
    if refuse_threads() and not _starts_a_thread():
        return
    raise RoundError(
        "The worker can still start threads, though its machine held it to none before.",
        whose="this machine's operator",
        next_step="`securefl doctor` lists the walls; no row of the table was read.",
    )


def try_threads_wall(walls: Walls) -> Walls:
    """Put the wall up in a process that is only tried: ``walls`` with how it really stands."""
    if not holds_threads(walls):
        return walls
    try:
        start_no_more_threads()
    except RoundError:
        failed = Standing("threads", reason=NO_FILTER)
        return tuple(failed if wall.wall == "threads" else wall for wall in walls)
    return walls


def holds_threads(walls: Walls) -> bool:
    """True where the wall was said to hold."""
    return any(wall.wall == "threads" and wall.held for wall in walls)


def _starts_a_thread() -> bool:
    started = threading.Thread(target=lambda: None)
    with suppress(RuntimeError):  # what Python says where the system gives it none
        started.start()
        return True
    return False
