"""Locks between processes of one party on one machine: flock(2) on a file.

The kernel lets go of one when its holder ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from securefl.backoff import poll
from securefl.errors import file_error
from securefl.files import check_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Lock:
    """One file that at most one process holds.

    A file of process ids would outlive a killed process; this does not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def take(self, seconds: float = 0.0) -> bool:
        """Take the lock, trying for ``seconds``; whether it was free.

        Raises:
            UnreadableError: the file system has no locks (NFS without its lock service), or refuses
                the file.
        """
        fd = _made(self._path)
        try:
            taken = poll(lambda: _try_to_lock(fd), seconds=seconds, longest=0.01)
        except OSError as error:
            os.close(fd)
            raise file_error(error, self._path) from None
        if taken is None:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go; harmless when it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_held(path: Path) -> bool:
    """True if a process holds the lock.

    Asking shares it for an instant, so a taker tries more than once.

    Raises:
        UnreadableError: the file system has no locks, or there is something else of that name.
    """
    fd = _opened(path, os.O_RDONLY)
    if fd is None:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise file_error(error, path) from None
    finally:
        os.close(fd)
    return False


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold the lock for a block; waits for it as long as it takes."""
    fd = _made(path)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            raise file_error(error, path) from None
        yield
    finally:
        os.close(fd)


def _try_to_lock(fd: int) -> bool | None:
    """Try to lock at once: true if it could be had; None where another process holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


def _made(path: Path) -> int:
    """A descriptor of the lock's file, which is made where there is none."""
    fd = _opened(path, os.O_RDWR | os.O_CREAT)
    if fd is None:
        raise file_error(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), path)
    return fd


def _opened(path: Path, flags: int) -> int | None:
    """A descriptor of a regular file; None where there is none. A pipe would be waited for."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_error(error, path) from None
    try:
        check_regular(os.fstat(fd).st_mode, path)
    except OSError as error:
        os.close(fd)
        raise file_error(error, path) from None
    return fd
