"""Screen that may fail while the work goes on: a closed pipe, a full disk, a lost terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SteadyStream:
    """A text stream whose writes never fail: after the first failure it writes into nothing.

    Args:
        stream: standard output or standard error.
        log: gets one line about the failure, where it can be written.
    """

    def __init__(self, stream: Any, log: Path) -> None:  # noqa: ANN401 - any text stream
        self._stream = stream
        self._log = log
        self.failed = False

    def write(self, text: str) -> int:
        """As ``io.TextIOBase.write``; what cannot be written counts as written."""
        if not self.failed:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """As ``io.TextIOBase.flush``."""
        if not self.failed:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, UnicodeError):
            raise error  # a fault of the encoding, not of the screen
        self.failed = True
        with suppress(OSError, ValueError):
            # the interpreter flushes the real stream at its end: what is left in it goes nowhere
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
        with suppress(OSError):
            from securefl.party.journal import Journal

            log = Journal(self._log)
            log.say(f"the screen is gone ({error}); the work goes on, and nothing more is shown")
            log.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the stream's own
        return getattr(self._stream, name)


@contextmanager
def steady_screen(log: Path) -> Iterator[None]:
    """Keep the work going when a screen fails or a terminal closes (SIGHUP), for a ``with``.

    Processes that are started inside do not hear SIGHUP either.

    Args:
        log: where a failure of the screen is noted, once for each stream.
    """
    before = sys.stdout, sys.stderr
    bare = [
        getattr(stream, "bare", stream) for stream in before
    ]  # the log hears of the failure itself
    ours = SteadyStream(bare[0], log), SteadyStream(bare[1], log)
    main = threading.current_thread() is threading.main_thread()
    hangup = None
    if main:
        hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for stream in ours:
            stream.flush()
        sys.stdout, sys.stderr = before
        if main:
            signal.signal(signal.SIGHUP, hangup)
