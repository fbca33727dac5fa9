"""Walls of the worker: no network, no environment, no debugger, no core dump.

And its end with its agent's. The network is taken away by a network namespace of the process's own,
made inside a user namespace so that no privilege is needed (user_namespaces(7)). Machines that
forbid user namespaces are told so on the request page, never silently.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from securefl.report.isolation import Isolation, isolation_sentence

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_CLONE_NEWIPC = 0x08000000
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def isolate() -> bool:
    """Put the calling process behind its walls; must run before any thread starts.

    Returns:
        Whether the network is gone.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    unshared = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0
    if unshared:
        _map_ids(uid, gid)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return unshared and _only_loopback()


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


@cache
def network_can_be_blocked() -> bool:
    """True when :func:`isolate` takes the network away on this machine, found out by a child that
    tries.
    """
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(int(not isolate()))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


#: Switches that forbid user namespaces: file below /proc/sys, the value that does, the mend.
_USERNS_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        (
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (AppArmor, Ubuntu 23.10 and"
            " later)"
        ),
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "sysctl -w kernel.unprivileged_userns_clone=1 (Debian)",
    ),
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
)


def userns_advice(root: Path = Path("/proc/sys")) -> str:
    """Give the next step where user namespaces are forbidden.

    The switches that stand wrong here, or all of them where none does.

    Args:
        root: where the kernel shows its switches.
    """
    wrong = []
    for name, forbids, mend in _USERNS_SWITCHES:
        with suppress(OSError):
            if (root / name).read_text("ascii").strip() == forbids:
                wrong.append(mend)
    if wrong:
        return (
            f"Allow user namespaces: {'; '.join(wrong)}. To keep it, write it into a file in"
            " /etc/sysctl.d."
        )
    named = ", ".join(name.replace("/", ".") for name, _, _ in _USERNS_SWITCHES)
    return (
        f"Allow user namespaces: see the switches {named}. In a container, ask whoever runs it"
        " (seccomp, no-new-privileges)."
    )


def isolation() -> Isolation:
    """Walls that this machine puts around the worker."""
    if network_can_be_blocked():
        return Isolation.NETWORK
    return Isolation.NOTHING


def isolation_words() -> str:
    """The line on the request page that says what is enforced on this machine."""
    return isolation_sentence(isolation())
