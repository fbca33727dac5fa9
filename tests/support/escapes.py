"""Attempts to get out of a worker, run as ``python -I escapes.py IN OUT DOOR LIMITS`` in its place.

The launcher, the walls and the worker's own ``main`` are those of every study; only the answer to
``check`` is another: it tries what stands below. With ``--control`` as its first word the same
attempts are made without a wall, by a process that inherits environment and descriptors.

An attempt returns what it got hold of; one that fails raises. What they need is JSON.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

SECRET = "the-agent's-own-secret"  # noqa: S105 - that of nobody
_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE_SEIZE = 0x4206
_BIG = 3 << 30


def _called(found):
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return found


def tcp_to_a_server(given):
    socket.create_connection(("127.0.0.1", given["port"]), timeout=5).close()
    return "connected"


def datagram_to_anywhere(given):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"row 17", ("127.0.0.1", given["port"]))


def socket_of_another_service(given):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(given["service"])
        return "connected"


def own_network_card(_given):
    return _called(_LIBC.socket(17, 3, 0))  # AF_PACKET, SOCK_RAW


def private_key(given):
    return Path(given["key"]).read_text()


def ledger(given):
    return Path(given["ledger"]).read_bytes()[:16].decode()


def another_table(given):
    return Path(given["table"]).read_text()


def list_of_the_hospitals_folder(given):
    return sorted(Path(given["folder"]).iterdir())


def password_file(_given):
    return Path("/etc/passwd").read_text()[:4]


def row_in_the_ledger(given):
    with Path(given["ledger"]).open("ab") as file:
        return file.write(b"forged")


def file_for_somebody_else(given):
    return Path(given["drop"]).write_text("row 17")


def file_in_tmp(given):
    return Path(given["tmp"]).write_text("row 17")


def key_made_readable_for_all(given):
    Path(given["key"]).chmod(0o644)
    return "readable"


def table_made_readable_for_all(given):
    for number in _descriptors(given):
        os.fchmod(number, 0o644)
    Path(given["table"]).chmod(0o644)
    return "readable"


def environment(_given):
    return os.environ["SECUREFL_PASSPHRASE"]


def inherited_descriptor(given):
    for number in _descriptors(given):
        os.lseek(number, 0, os.SEEK_SET)
        text = os.read(number, 100).decode("utf-8", "replace")
        if SECRET in text:
            return text
    raise OSError("none of them is the key")


def _descriptors(_given):
    found = []
    for number in range(3, 200):
        try:
            os.lseek(number, 0, os.SEEK_CUR)
        except OSError:
            continue
        found.append(number)
    return found


def environment_of_the_agent(given):
    return Path(f"/proc/{given['agent']}/environ").read_bytes().decode()


def list_of_processes(_given):
    found = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    if not found:
        raise OSError("no process is listed")
    return len(found)


def memory_of_the_agent(given):
    return Path(f"/proc/{given['agent']}/maps").read_text()[:8]


def debugger_on_the_agent(given):
    return _called(_LIBC.ptrace(_PTRACE_SEIZE, given["agent"], None, None))


def memory_read_by_the_kernel(given):
    here, there = ctypes.create_string_buffer(8), (ctypes.c_size_t * 2)(given["address"], 8)
    own = (ctypes.c_size_t * 2)(ctypes.addressof(here), 8)
    return _called(_LIBC.process_vm_readv(given["agent"], own, 1, there, 1, 0))


def signal_to_the_agent(given):
    os.kill(given["agent"], signal.SIGCONT)
    return "heard"


def limits_of_the_agent(given):
    return resource.prlimit(given["agent"], resource.RLIMIT_NOFILE)


def end_of_the_agent(given):
    os.kill(given["agent"], signal.SIGKILL)
    return "killed"


def another_program(_given):
    return subprocess.run(["/bin/true"], check=True, close_fds=False).returncode


def fork_bomb(_given):
    started = 0
    while started < 50:
        if os.fork() == 0:
            os._exit(0)
        started += 1
    return started


def many_threads(_given):
    started = 0
    while started < 50:
        thread = threading.Thread(target=lambda: None)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(str(error)) from None
        started += 1
    return started


def threads_by_the_kernel(_given):
    """Of clone(2) itself, past the library: a thread's flags, on a stack of its own."""
    flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000
    stack = ctypes.create_string_buffer(1 << 16)
    _KEPT.append(stack)
    pause = ctypes.cast(_LIBC.pause, ctypes.c_void_p)  # a thread without Python runs no Python
    top = ctypes.c_void_p((ctypes.addressof(stack) + (1 << 16)) & ~15)
    return _called(_LIBC.clone(pause, top, flags, None))


#: Memory of threads that go on until the process ends.
_KEPT = []


def too_much_memory(_given):
    return len(bytearray(_BIG))


def memory_that_is_shared(_given):
    with mmap.mmap(-1, _BIG) as shared:
        return len(shared)


def memory_as_a_file(_given):
    return os.ftruncate(os.memfd_create("rows"), _BIG)


def full_disk(_given):
    os.ftruncate(2, 100 << 20)
    return os.fstat(2).st_size


def higher_limits(_given):
    for kind in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_DATA):
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if resource.getrlimit(kind)[0] != resource.RLIM_INFINITY:
            raise OSError("it stayed")
    return "raised"


def all_cores(given):
    os.sched_setaffinity(0, given["cores"])
    if len(os.sched_getaffinity(0)) < len(given["cores"]):
        raise OSError("not all")
    return "all"


def another_root(_given):
    return _called(_LIBC.unshare(0x10000000 | 0x00020000))  # a user and a mount namespace


def key_of_the_kernel(_given):
    return _called(_LIBC.syscall(ctypes.c_long(_KEYCTL), 0, -3, 1))


_KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine, 250)

#: In their order: the end of the agent comes last, and what changes the process itself before it.
ATTEMPTS = (
    tcp_to_a_server,
    datagram_to_anywhere,
    socket_of_another_service,
    own_network_card,
    private_key,
    ledger,
    another_table,
    list_of_the_hospitals_folder,
    password_file,
    row_in_the_ledger,
    file_for_somebody_else,
    file_in_tmp,
    key_made_readable_for_all,
    table_made_readable_for_all,
    environment,
    inherited_descriptor,
    environment_of_the_agent,
    list_of_processes,
    memory_of_the_agent,
    memory_read_by_the_kernel,
    limits_of_the_agent,
    signal_to_the_agent,
    another_program,
    fork_bomb,
    many_threads,
    too_much_memory,
    memory_that_is_shared,
    memory_as_a_file,
    full_disk,
    higher_limits,
    all_cores,
    key_of_the_kernel,
    debugger_on_the_agent,
    another_root,
    threads_by_the_kernel,
    end_of_the_agent,
)


def tried(given):
    """Each attempt by its name: what it got, or None where it failed."""
    found = {}
    for attempt in ATTEMPTS:
        try:
            found[attempt.__name__] = str(attempt(given))
        except (OSError, KeyError, MemoryError, ValueError, subprocess.SubprocessError):
            found[attempt.__name__] = None
    return found


def _answer(_header, text, _table):
    from securefl.errors import DataError

    raise DataError(json.dumps(tried(json.loads(text))))


def main():
    if sys.argv[1] == "--control":
        sys.stdout.write(json.dumps(tried(json.loads(sys.argv[2]))))
        return
    from securefl.node import worker

    if sys.argv[1] == "--own-root":
        from securefl.node.walls import walls

        del sys.argv[1]
        walls.landlock_version = lambda: 0  # as on a kernel without it
    worker._import_libraries = lambda: None
    worker._open_libraries = lambda _: None  # what is sent is no study
    worker._check = _answer
    worker.main()


if __name__ == "__main__":
    assert shutil.which("true"), "the control runs a program"
    main()
