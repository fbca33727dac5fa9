"""Ctrl-C during a run: the first says what stopping costs, the second within five seconds stops.

Where nobody sits at a terminal or in an interactive session, the first stops. Either way the others
are told that the study is over (:mod:`securefl.researcher.run_study`): inside a run it arrives as
``KeyboardInterrupt``. SIGTERM, by which a machine that is shut down ends its processes, stops the run
and not the study: the next run goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

#: Seconds within which the second Ctrl-C must come.
AGAIN: Final = 5.0
#: Loaded in a process that serves a notebook. Its package alone is no sign: whoever looks for kernels
#: imports that.
KERNEL: Final = "ipykernel.kernelapp"


class StoppedFromOutsideError(KeyboardInterrupt):
    """SIGTERM came: this process ends, and the study does not."""


def somebody_is_there() -> bool:
    """Tell a person at a terminal, a session or a notebook from a job that nobody watches."""
    if hasattr(sys, "ps1") or KERNEL in sys.modules:
        return True
    return bool(sys.stdin) and sys.stdin.isatty()


@contextmanager
def asking_first(
    cost: Callable[[], str], clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """For the length of a ``with``: interrupts are asked back as this module says.

    A program that has a SIGINT handler of its own keeps it, and outside the main thread nothing
    changes.

    Args:
        cost: a sentence on what stopping costs now.
        clock: the monotonic clock, in seconds.
    """
    own = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    if own or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = -AGAIN

    def interrupted(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        now = clock()
        if number == signal.SIGTERM:
            raise StoppedFromOutsideError
        if not somebody_is_there() or now - asked <= AGAIN:
            raise KeyboardInterrupt
        asked = now
        line = f"\n{cost()} Press Ctrl-C again within {AGAIN:.0f} s to stop.\n"
        if KERNEL in sys.modules:
            print(line)  # noqa: T201 - a notebook shows no file descriptor
            return
        with suppress(OSError):  # past all buffers: this may interrupt a write
            os.write(2, line.encode())

    before = {
        number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
