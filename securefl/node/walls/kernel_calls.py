"""Calls into the C library that several walls share."""

from __future__ import annotations

import ctypes
import os
from functools import cache

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4
_PR_SET_PDEATHSIG = 1


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process; its calls keep errno."""
    return ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: object) -> int:
    """Make a system call that the C library has no function for.

    Raises:
        OSError: the kernel refused it, or does not know it.
    """
    found = int(libc().syscall(ctypes.c_long(number), *arguments))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


def gain_no_rights() -> None:
    """No program that this process starts has more rights than it (prctl(2))."""
    libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def hide_memory() -> None:
    """No other process of the same user reads this one's memory; no core is dumped."""
    libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_with_parent(signal: int) -> None:
    """Have the kernel send ``signal`` to this process when its parent's thread ends."""
    libc().prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Give up every capability (capset(2)): root then raises no limit and mounts nothing."""
    header = _CapabilityHeader(0x20080522, 0)
    libc().capset(ctypes.byref(header), ctypes.create_string_buffer(24))
