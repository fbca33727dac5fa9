"""Files wall by Landlock (kernel 5.13 and later): only listed places can be read, none written.

The structures and rights are those of ``linux/landlock.h``. A kernel knows the rights of its ABI;
those of later ones are left out. Landlock needs no privilege and no user namespace, so it holds in
a container too.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from securefl.node.walls.kernel_calls import system_call
from securefl.party.machine import landlock_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CREATE = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_BENEATH_A_PATH: Final = 1
_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
#: How many rights on files each ABI knows: reading, writing, making, removing, then moving (2),
#: shortening (3) and device calls (5).
_RIGHTS_OF_ABI: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_RIGHTS_SINCE_5: Final = 16
#: Signals and abstract sockets reach no process outside, from ABI 6 on.
_SCOPES: Final = 0b11
_SCOPES_SINCE: Final = 6
_NETWORK_SINCE: Final = 4
#: Binding and connecting TCP sockets.
_NETWORK: Final = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def read_only_these(places: Iterable[Path], written: Iterable[Path]) -> bool:
    """Close all files to this process but those below ``places``; for good.

    Needs ``no_new_privs``, and must run before a thread starts: a rule holds for its thread.

    Args:
        places: files and folders that can be read; one that is not there is passed over.
        written: files that can be read and written.

    Returns:
        False where the kernel has none, or refused it.
    """
    abi = landlock_version()
    rights = (1 << _RIGHTS_OF_ABI.get(abi, _RIGHTS_SINCE_5)) - 1
    ruleset = _Ruleset(rights)
    size = 8
    if abi >= _NETWORK_SINCE:
        ruleset.handled_access_net = _NETWORK
        size = 16
    if abi >= _SCOPES_SINCE:
        ruleset.scoped = _SCOPES
        size = 24
    try:
        rules = system_call(
            _CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0)
        )
    except OSError:
        return False
    try:
        for place in places:
            _allow(rules, place, _EXECUTE | _READ_FILE | _READ_DIR)
        for place in written:
            _allow(rules, place, _READ_FILE | _WRITE_FILE)
        system_call(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    except OSError:
        return False
    finally:
        os.close(rules)
    return True


def _allow(rules: int, place: Path, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
        try:
            if not place.is_dir():
                rights &= ~_READ_DIR
            rule = _PathRule(rights, opened)
            system_call(
                _ADD_RULE,
                ctypes.c_int(rules),
                ctypes.c_int(_BENEATH_A_PATH),
                ctypes.byref(rule),
                ctypes.c_uint32(0),
            )
        finally:
            os.close(opened)
