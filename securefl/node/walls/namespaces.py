"""Network wall by a namespace of the process's own (network_namespaces(7)).

It is made inside a user namespace, so that no privilege is needed; machines and containers may
forbid that.
"""

from __future__ import annotations

import os

from securefl.node.walls.kernel_calls import libc

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CLONE_NEWIPC = 0x08000000


def leave_the_network() -> bool:
    """Move this process into a network of its own, in which there is nothing.

    Must run before a thread starts: the kernel gives a process with threads no namespace.

    Returns:
        False where user namespaces are forbidden.
    """
    uid = os.getuid()
    gid = os.getgid()
    if libc().unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) != 0:
        return False
    _map_ids(uid, gid)
    return _only_loopback()


def _map_ids(uid: int, gid: int) -> None:
    # without a mapping every file would seem to belong to nobody; a failure costs names, not safety
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - procfs
                file.write(text)
        except OSError:
            continue


def _only_loopback() -> bool:
    with open("/proc/self/net/dev", encoding="ascii") as file:  # noqa: PTH123 - procfs
        names = [line.split(":")[0].strip() for line in file if ":" in line]
    return names in ([], ["lo"])
