"""The process that commands are forked from: the package is imported, nothing of it has run.

:mod:`forked_processes` starts it, sends it requests, and says when. A request asks for one process,
and its number is the answer.

The process is forked twice, and the one in between ends. The kernel gives an orphan to the nearest
ancestor that takes orphans (``PR_SET_CHILD_SUBREAPER``, prctl(2)), which is then whoever sent the
request: it waits for the process and sees its signals, as if it had started it itself.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from securefl.errors import UsageError

#: What a server is called in lists of processes.
NAME = "fork_server"
#: Descriptors of a request, at most: three streams and what is passed beside them.
MOST_DESCRIPTORS = 32
LONGEST_REQUEST = 1 << 20
#: Opened first by each forked process, with the number of whoever asked for it.
CHILD_OF = "/proc/{}/oom_score"
#: The last argument of a server is this long: forked processes write their command over it.
ROOM = 4000
#: Words of the commands that start others, and so need a server of their own.
_STARTS_OTHERS = ("start", "demo", "run", "bench", "personalize", "doctor")
#: Large libraries that few commands use: each process that is forked would copy their pages' table.
_LEFT_OUT = ("sklearn", "pyarrow")
_PR_SET_NAME = 15
#: ``arg_start`` and ``arg_end`` in /proc/PID/stat (proc_pid_stat(5)), counted behind the name.
_LINE_START, _LINE_END = 48 - 3, 49 - 3
#: None of them is a terminal.
_STREAMS = {"stdin": sys.stdin, "stdout": sys.stdout, "stderr": sys.stderr}
#: What Python exits with where its last output cannot be written.
_NOT_FLUSHED = 120


@dataclass(frozen=True)
class Request:
    """One process, as :class:`subprocess.Popen` was asked for it.

    Attributes:
        arguments: the whole command; the interpreter or a script of it comes first.
        cwd: where it starts.
        environment: all of it.
        umask: of the process that asks.
        session: whether it leads a session of its own.
        numbers: of its descriptors, in the order in which they travel.
    """

    arguments: list[str]
    cwd: str
    environment: dict[str, str]
    umask: int
    session: bool
    numbers: list[int]

    def dump(self) -> bytes:
        return json.dumps(vars(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Request:
        return cls(**json.loads(text))


def main() -> None:
    """Import, say so, and serve.

    The arguments are the socket's descriptor, ``torch`` if that is wanted too, and room.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    import_package(with_torch=sys.argv[2] == "torch")
    # The collector would write to every object, and each forked process would copy their pages.
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    serve(control)


def import_package(*, with_torch: bool) -> None:
    """All modules of the package, but for those that need a library that is left out."""
    import forked_processes  # noqa: F401

    import securefl

    left_out = _LEFT_OUT if with_torch else (*_LEFT_OUT, "torch")
    for library in left_out:
        sys.modules[library] = None
    for module in pkgutil.walk_packages(securefl.__path__, "securefl."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError, UsageError):
                importlib.import_module(module.name)
    for library in left_out:
        del sys.modules[library]
    if with_torch:
        import torch

        torch.set_num_threads(1)


def serve(control: socket.socket) -> NoReturn:
    """Fork what is asked for, until whoever asks is gone."""
    # Ctrl-C and the end of a whole group of processes reach those that were forked, not this one:
    # it ends with whoever asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _name_thread(NAME)
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, MOST_DESCRIPTORS)
        if not text:
            os._exit(0)
        number_r, number_w = os.pipe()
        between = os.fork()
        if between == 0:
            _fork(Request.load(text), descriptors, number_w)
        os.close(number_w)
        for descriptor in descriptors:
            os.close(descriptor)
        # From its end on, the forked process is the child of whoever asks.
        os.waitpid(between, 0)
        control.send(os.read(number_r, 32))
        os.close(number_r)


def _fork(request: Request, descriptors: list[int], number: int) -> NoReturn:
    """Be the process in between, and the one that is asked for."""
    between = os.getpid()
    child = os.fork()
    if child:
        os.write(number, str(child).encode())
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.0002)
    # A trace of system calls shows by this whose child it is.
    os.close(os.open(CHILD_OF.format(os.getppid()), os.O_RDONLY))
    _become(request, descriptors)
    _run(request.arguments)


def _become(request: Request, descriptors: list[int]) -> None:
    """Take on everything in which a process started anew would differ from this one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if request.session:
        os.setsid()
    os.umask(request.umask)
    os.chdir(request.cwd)
    _place(descriptors, request.numbers)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    _open_streams()
    if any(word in request.arguments for word in _STARTS_OTHERS):
        _have_a_server()
    _show_as(request.arguments)


def _place(descriptors: list[int], numbers: list[int]) -> None:
    """Each descriptor at its number; every other one is closed."""
    above = max(*descriptors, *numbers) + 1
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, above + place)  # out of each other's way
    for place, number in enumerate(numbers):
        os.dup2(above + place, number)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, one of which is gone by now
        if int(name) not in numbers:
            with suppress(OSError):
                os.close(int(name))


def _open_streams() -> None:
    """Standard input, output and error, as the interpreter opened this server's."""
    for number, (name, old) in enumerate(_STREAMS.items()):
        raw = open(  # noqa: SIM115 - a descriptor, until the process ends
            number,
            "wb" if number else "rb",
            buffering=0 if isinstance(old.buffer, io.RawIOBase) else -1,
            closefd=False,
        )
        stream = io.TextIOWrapper(
            raw,
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=old.line_buffering or (not old.write_through and raw.isatty()),
            write_through=old.write_through,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _have_a_server() -> None:
    """Fork a server for what this process starts: a copy of it from before it did anything."""
    import forked_processes

    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        _place([there.fileno()], [there.fileno()])
        serve(there)
    there.close()
    forked_processes.use(here)


def _show_as(arguments: list[str]) -> None:
    """Show the process under its own command in lists of processes."""
    _name_thread(Path(arguments[0]).name)
    fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
    start, end = int(fields[_LINE_START]), int(fields[_LINE_END])
    line = b"\0".join(os.fsencode(argument) for argument in arguments)
    ctypes.memmove(start, line[: end - start - 1].ljust(end - start, b"\0"), end - start)


def _name_thread(name: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def _run(arguments: list[str]) -> NoReturn:
    """Run the command to its end, and end as the interpreter does."""
    code = 1
    try:
        _run_program(arguments[1:] if _is_interpreter(arguments[0]) else arguments)
        code = 0
    except SystemExit as end:
        code = _code(end)
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - the end of a program
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except OSError:
        code = _NOT_FLUSHED
    sys.stderr.flush()
    os._exit(code)


def _is_interpreter(word: str) -> bool:
    return word == sys.executable


def _run_program(words: list[str]) -> None:
    """What stands behind the interpreter: ``[-I] -m MODULE ...`` or ``[-I] SCRIPT ...``."""
    isolated = words[0] == "-I"
    if isolated:
        words = words[1:]
    sys.path.remove(str(Path(__file__).parent))
    if words[0] == "-m":
        if not isolated:
            sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as the interpreter does
        sys.argv = words[1:]
        sys.modules.pop(words[1] if "." in words[1] else f"{words[1]}.__main__", None)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    if not isolated:
        sys.path.insert(0, str(Path(words[0]).parent))
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


def _code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


if __name__ == "__main__":
    main()
