"""Standard output and error that outlive their reader: the screen may fail, the work goes on.

A reader that goes away (``| head``, a closed terminal), a full disk behind ``>`` and a terminal
without UTF-8 must not end a command in the middle of what it does. Writes that fail are dropped and
remembered.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable


class LastingStream:
    """A text stream whose failures are remembered and never raised.

    Args:
        stream: the process's own; characters that its encoding lacks are replaced.
    """

    def __init__(self, stream: TextIO) -> None:
        #: The process's own stream.
        self.bare = self._stream = stream
        #: The first failure, if any.
        self.failure: OSError | None = None
        with suppress(AttributeError, OSError, ValueError):  # a test's stream may have no encoding
            stream.reconfigure(errors="replace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        """Write as far as that is possible; returns the length of ``text``."""
        if self.failure is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self._failed(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush as far as that is possible."""
        if self.failure is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._failed(error)

    @property
    def reader_left(self) -> bool:
        """True when nobody reads any longer: a pipe or a terminal that was closed."""
        return self.failure is not None and self.failure.errno in {
            errno.EPIPE,
            errno.EIO,
            errno.EBADF,
            errno.ENXIO,
        }

    def _failed(self, error: OSError | ValueError) -> None:
        self.failure = error if isinstance(error, OSError) else OSError(errno.EBADF, str(error))
        # what is still buffered would raise again when the interpreter flushes at its end
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def lasting_streams() -> tuple[LastingStream, LastingStream]:
    """Put lasting streams in the place of ``sys.stdout`` and ``sys.stderr``.

    Harmless when repeated.
    """
    made = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # started without one
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
        if not isinstance(stream, LastingStream):
            stream = LastingStream(stream)
        setattr(sys, name, stream)
        made.append(stream)
    return made[0], made[1]
