"""Filter of system calls (seccomp(2)): the worker cannot ask the kernel for what training never needs.

It needs neither a privilege nor a user namespace, so it holds in a container too. It is a list of
what is refused and not of what is allowed: PyTorch and the C library use calls that change from
version to version, and a worker that fails at one of them ends a study. Calls that are newer than
this list are refused as unknown to the kernel, for which every library has another way.

The program is classic BPF over ``struct seccomp_data``: the number of the call, the architecture,
six arguments of 64 bits each.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.node.walls.kernel_calls import libc, system_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
#: seccomp(2), which can put a filter over all threads of a process at once.
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER: Final = 1
_ALL_THREADS: Final = 1

# Instructions: load a word, compare with a constant (equal, at least, any bit), and, return.
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL = 0x15
_AT_LEAST = 0x35
_ANY_BIT = 0x45
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000
_NOT_PERMITTED: Final = _REFUSE | errno.EPERM
_UNKNOWN_CALL: Final = _REFUSE | errno.ENOSYS
#: As where a limit is reached: the C library and Python then say that no thread can be started.
_TOO_MANY: Final = _REFUSE | errno.EAGAIN
#: Places in ``struct seccomp_data``: number, architecture, low word of the first argument.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
#: The first number that this list does not know (Linux 6.9).
_NEWER: Final = 462
#: On x86-64 the x32 calls have numbers from here on.
_X32: Final = 0x40000000
_CLONE_THREAD: Final = 0x10000
_SHARED_AND_ANONYMOUS: Final = 0x21


class _Machine(NamedTuple):
    """An architecture: its number in ``linux/audit.h`` and its place in the tables below."""

    audit: int
    place: int


_MACHINES: Final = {"x86_64": _Machine(0xC000003E, 0), "aarch64": _Machine(0xC00000B7, 1)}

#: Numbers on x86-64 and on AArch64; None where there is no such call.
_Numbers = tuple[int | None, int | None]

_NETWORK: Final[Mapping[str, _Numbers]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "bind": (49, 200),
    "connect": (42, 203),
    "listen": (50, 201),
    # its work is done by the kernel, past this filter
    "io_uring_setup": (425, 425),
}
_OTHER_PROCESSES: Final[Mapping[str, _Numbers]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
#: Allowed where the first argument is this process, or 0.
_ON_ITSELF: Final[Mapping[str, _Numbers]] = {
    "kill": (62, 129),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
}
_NEW_PROCESSES: Final[Mapping[str, _Numbers]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
}
_RIGHTS_OF_FILES: Final[Mapping[str, _Numbers]] = {
    # Landlock leaves owners, rights and times of a file alone
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
}
_SHARED_MEMORY: Final[Mapping[str, _Numbers]] = {
    # none of it counts against the limit of memory
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
_KERNEL: Final[Mapping[str, _Numbers]] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "fanotify_init": (300, 262),
    "syslog": (103, 116),
    "personality": (135, 92),
    "acct": (163, 89),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
_REFUSED: Final = (
    _NETWORK,
    _OTHER_PROCESSES,
    _NEW_PROCESSES,
    _RIGHTS_OF_FILES,
    _SHARED_MEMORY,
    _KERNEL,
)
_CLONE: Final = (56, 220)
#: The same on both.
_CLONE3: Final = 435
_MMAP: Final = (9, 222)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("constant", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


#: Code, instructions to pass over if true, if false, and the constant.
_Step = tuple[int, int, int, int]


def refuse_system_calls() -> bool:
    """Put the filter over this process; for good.

    Needs ``no_new_privs``, and must run before a thread starts: a filter holds for its thread.

    Returns:
        False where the kernel has no filter, or this architecture is not in the list.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    steps = list(_steps(machine, os.getpid()))
    filled = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), filled)
    done = libc().prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)
    return bool(done == 0)


def refuse_threads() -> bool:
    """Put a second filter over all threads of this process: none of them starts another; for good.

    Needs ``no_new_privs``.

    Returns:
        False where the kernel refused the filter.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    steps = (
        (_LOAD, 0, 0, _NUMBER),
        *_verdict(_EQUAL, _CLONE[machine.place], _TOO_MANY),
        *_verdict(_EQUAL, _CLONE3, _UNKNOWN_CALL),
        (_RETURN, 0, 0, _ALLOW),
    )
    filled = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), filled)
    try:
        told = system_call(
            _SECCOMP[platform.machine()],
            ctypes.c_uint(_SET_MODE_FILTER),
            ctypes.c_uint(_ALL_THREADS),
            ctypes.byref(program),
        )
    except OSError:
        return False
    # a number above 0 is that of a thread that could not be brought under it
    return told == 0


def _steps(machine: _Machine, own: int) -> Iterator[_Step]:
    """The program; each rule ends in a verdict or falls through to the next."""
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, machine.audit
    # another architecture's numbers mean other calls
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    yield from _verdict(_AT_LEAST, _X32, _NOT_PERMITTED)
    yield from _verdict(_AT_LEAST, _NEWER, _UNKNOWN_CALL)
    for table in _REFUSED:
        for numbers in table.values():
            number = numbers[machine.place]
            if number is not None:
                yield from _verdict(_EQUAL, number, _NOT_PERMITTED)
    # its flags lie in memory, where a filter cannot look; the library then calls clone
    yield from _verdict(_EQUAL, _CLONE3, _UNKNOWN_CALL)
    yield from _only_if(_CLONE[machine.place], (_LOAD, 0, 0, _FIRST_ARGUMENT), *_A_THREAD)
    flags = _FIRST_ARGUMENT + 3 * 8
    yield from _only_if(_MMAP[machine.place], (_LOAD, 0, 0, flags), *_COUNTED_MEMORY)
    for numbers in _ON_ITSELF.values():
        yield from _only_if(numbers[machine.place], (_LOAD, 0, 0, _FIRST_ARGUMENT), *_itself(own))
    yield _RETURN, 0, 0, _ALLOW


#: Tests of an argument, each of which ends in a verdict.
_A_THREAD: Final[Sequence[_Step]] = (
    (_ANY_BIT, 0, 1, _CLONE_THREAD),
    (_RETURN, 0, 0, _ALLOW),
    (_RETURN, 0, 0, _NOT_PERMITTED),
)
_COUNTED_MEMORY: Final[Sequence[_Step]] = (
    (_AND, 0, 0, _SHARED_AND_ANONYMOUS),
    (_EQUAL, 0, 1, _SHARED_AND_ANONYMOUS),
    (_RETURN, 0, 0, _NOT_PERMITTED),
    (_RETURN, 0, 0, _ALLOW),
)


def _itself(own: int) -> Sequence[_Step]:
    return (
        (_EQUAL, 1, 0, own),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOT_PERMITTED),
    )


def _verdict(test: int, constant: int, verdict: int) -> Iterator[_Step]:
    yield test, 0, 1, constant
    yield _RETURN, 0, 0, verdict


def _only_if(number: int | None, *steps: _Step) -> Iterator[_Step]:
    """``steps`` for the call of that number; the others pass them over."""
    if number is not None:
        yield _EQUAL, 0, len(steps), number
        yield from steps
