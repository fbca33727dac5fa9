"""Files wall for kernels without Landlock: a root of the worker's own, made of read-only mounts.

Needs the user namespace of :mod:`securefl.node.walls.namespaces`, in which a process may mount
(mount_namespaces(7)). What is not among the listed places is not there at all.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.node.walls.kernel_calls import libc, system_call

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLONE_NEWNS: Final = 0x00020000
_READ_ONLY = 1
_NO_SUID = 2
_NO_DEVICES = 4
_REMOUNT = 32
_BIND = 4096
_RECURSIVE = 16384
_PRIVATE = 1 << 18
_DETACH: Final = 2
#: Flags of a mount that a remount has to keep: as statvfs(3) says them, and as mount(2) takes them.
_KEPT: Final = {2: 2, 4: 4, 8: 8, 1024: 1024, 2048: 2048, 4096: 1 << 21}
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
#: A folder that every system has; the new root is put together on it, and then takes its place.
_ON: Final = Path("/tmp")  # noqa: S108 - nothing is written there: another file system lies over it


def enter_own_root(places: Iterable[Path], written: Iterable[Path]) -> bool:
    """Leave all files behind but those below ``places``; for good once capabilities are dropped.

    Args:
        places: files and folders that can be read; one that is not there is passed over.
        written: device files that can be written too.

    Returns:
        False where it could not be done.
    """
    pivot = _PIVOT_ROOT.get(platform.machine())
    if pivot is None:
        return False
    try:
        if libc().unshare(_CLONE_NEWNS) != 0:
            return False
        # opened before: the new root may come to lie over one of them
        opened = [(place, os.open(place, os.O_PATH)) for place in _outermost(places)]
        opened += [(place, os.open(place, os.O_PATH)) for place in written if place.exists()]
        _mount(None, Path("/"), None, _PRIVATE | _RECURSIVE)
        _mount("tmpfs", _ON, "tmpfs", _NO_SUID | _NO_DEVICES)
        for place, number in opened:
            _show(place, number, read_only=place not in written)
            os.close(number)
        os.chdir(_ON)
        _mount(None, _ON, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES)
        # the old root ends up beneath the new one, where it is taken away (pivot_root(2))
        system_call(pivot, b".", b".")
        _checked(libc().umount2(b".", _DETACH))
        os.chdir("/")
    except OSError:
        return False
    return True


def _outermost(places: Iterable[Path]) -> list[Path]:
    """Places that exist, without those that lie below another one."""
    kept: list[Path] = []
    for place in sorted(place for place in places if place.exists()):
        if not any(place.is_relative_to(outer) for outer in kept):
            kept.append(place)
    return kept


def _show(place: Path, number: int, *, read_only: bool) -> None:
    """Let a place be seen in the new root, where it was in the old one."""
    target = _ON / place.relative_to("/")
    # asked of the descriptor: the place itself may be hidden by now
    if stat.S_ISDIR(os.fstat(number).st_mode):
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(f"/proc/self/fd/{number}", target, None, _BIND | _RECURSIVE)
    if read_only:
        flags = os.statvfs(target).f_flag
        kept = sum(taken for said, taken in _KEPT.items() if flags & said)
        _mount(None, target, None, _REMOUNT | _BIND | _READ_ONLY | kept)


def _mount(
    source: str | None,
    target: Path,
    kind: str | None,
    flags: int,
) -> None:
    words = [word if word is None else word.encode() for word in (source, str(target), kind)]
    _checked(libc().mount(*words, ctypes.c_ulong(flags), None))


def _checked(found: int) -> None:
    if found != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
