"""Guard around PySyft's import and its prints: no network, no screen, no owner's log."""

from __future__ import annotations

import io
import linecache
import logging
import os
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_muted: dict[int, int] = {}
_original: list[TextIO] = []


@contextmanager
def quiet_import() -> Iterator[None]:
    """Import PySyft inside this: no socket is opened, no log handler installed.

    Nothing is synchronised behind our back either. PySyft imports Google's client and with it
    urllib3, which binds an IPv6 socket at import time to see whether it can
    (``urllib3.util.connection._has_ipv6``; urllib3 pull request 611). A hospital's process that
    promises to open no network socket cannot have that, so Python says "no IPv6" while the import
    lasts. Afterwards urllib3 is told what it would have found on a machine with IPv6 compiled in: a
    store reached by HTTP still finds IPv6 addresses, and falls back to IPv4 where they do not
    answer.

    ``PRE_SYNC=false``: otherwise reading a property synchronises. ``SYFT_INSTALL_SOURCE``:
    otherwise PySyft reads the metadata of every installed package and publishes the local path it
    was installed from.
    """
    os.environ["PRE_SYNC"] = "false"
    os.environ.setdefault("SYFT_INSTALL_SOURCE", "syft==0.10.0")
    for name in ("syft", "syft_rds", "syft_job", "syft_datasets", "syft_perms"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            # PySyft writes to the screen unless someone has set a handler. Records still reach the
            # root's handlers.
            logger.addHandler(logging.NullHandler())
    first = "urllib3.util.connection" not in sys.modules
    had = socket.has_ipv6
    socket.has_ipv6 = had and not first
    try:
        yield
    finally:
        socket.has_ipv6 = had
        linecache.clearcache()  # half a megabyte of source lines that pyparsing asked for
        connection = sys.modules.get("urllib3.util.connection")
        if first and connection is not None:
            connection.HAS_IPV6 = had  # type: ignore[attr-defined]


class _Muzzle(io.TextIOBase):
    """Screen that drops what muted threads print and passes on what others print."""

    def write(self, text: str) -> int:
        if threading.get_ident() not in _muted:
            _original[0].write(text)
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() not in _muted:
            _original[0].flush()


@contextmanager
def muted() -> Iterator[None]:
    """Drop PySyft's prints, for this thread only: others may be drawing a progress bar."""
    me = threading.get_ident()
    # Counted a thread, so that calls may nest; the last one out puts the screen back.
    with _lock:
        if not _muted:
            _original[:] = [sys.stdout]
            sys.stdout = cast("TextIO", _Muzzle())
        _muted[me] = _muted.get(me, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _muted[me] -= 1
            if not _muted[me]:
                del _muted[me]
            if not _muted:
                sys.stdout = _original[0]
