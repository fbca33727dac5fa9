"""``securefl`` as processes that are forked, not started: :class:`Popen` and :func:`run` stand in
the place of :mod:`subprocess`'s.

To start the interpreter and to import the package and its libraries takes a second or two of
processor time, and tests of whole studies start hundreds of processes. A command that is forked has
them already (:mod:`fork_server`). It is a child of its own with its own environment, folder,
descriptors, session and memory; signals, exit codes and /proc show the same. What it starts in turn
(an agent its workers) is forked too, from a copy that was made before it did anything, so that a
worker never had its agent's memory.

Two things differ: libraries are in memory that a fresh process would not have imported, and
``/proc/PID/environ`` shows the server's. Tests of these, and some of each kind of command, use
:mod:`subprocess`. What cannot be forked exactly (another variable of the interpreter's, a function
before the start, another program) is started here too.
"""

from __future__ import annotations

import ctypes
import fcntl
import inspect
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from fork_server import ROOM, Request

_REAL = subprocess.Popen
_HERE = Path(__file__).parent
_SCRIPT = str(Path(sys.executable).with_name("securefl"))
#: How a command begins that can be forked.
_BEGINNINGS = (
    [_SCRIPT],
    [sys.executable, "-m", "securefl"],
    [sys.executable, str(_HERE / "light_agent.py")],
    [sys.executable, "-I", "-m", "securefl.node.worker"],
    [sys.executable, "-I", str(_HERE / "light_worker.py")],
)
#: Variables that the interpreter and libraries read once.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "LD_", "SYFT", "HOME", "TMPDIR")
#: Words of the commands that train by torch or start what does, unless they are light ones.
_TRAINS = ("securefl.node.worker", "start", "demo", "personalize")
_TRAINS_NOT = ("aggregator", str(_HERE / "light_agent.py"))
#: Arithmetic with threads of its own would not survive a fork.
_ONE_THREAD = os.environ.get("OMP_NUM_THREADS") == "1"
_OUT_OF_THE_WAY = 200
_PR_SET_CHILD_SUBREAPER = 36


class _Server(NamedTuple):
    """The way to a fork server, and the variables that its libraries read."""

    control: socket.socket
    environment: dict[str, str]


_LOCK = threading.Lock()
_AT_IMPORT = dict(os.environ)
#: By whether torch is imported there.
_servers: dict[bool, _Server] = {}
_wanted = True


class Popen(_REAL):
    """As :class:`subprocess.Popen`; a command of ``securefl`` is forked where that is the same."""

    def _execute_child(self, *given: Any) -> None:
        start = super()._execute_child
        asked = inspect.signature(start).bind(*given).arguments
        if not _can_be_forked(asked):
            start(*given)
            return
        self.pid = _fork(asked)
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in ends))


def install() -> None:
    """From now on this process's :mod:`subprocess` forks."""
    subprocess.Popen = Popen


def want(*, forks: bool) -> None:
    """Whether commands may be forked from now on."""
    global _wanted  # noqa: PLW0603 - one process of tests, one answer
    _wanted = forks


def use(control: socket.socket) -> None:
    """Take this fork server, in a process that was forked by one."""
    high = fcntl.fcntl(control.fileno(), fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    control.close()
    server = _Server(socket.socket(fileno=high), _AT_IMPORT)
    _servers.update({True: server, False: server})
    install()


def _can_be_forked(asked: dict[str, Any]) -> bool:
    words = [os.fspath(word) for word in asked["args"]] if _is_list(asked["args"]) else []
    known = any(words[: len(beginning)] == beginning for beginning in _BEGINNINGS)
    plain = (
        asked["close_fds"]
        and not asked["shell"]
        and all(asked[name] is None for name in ("executable", "preexec_fn", "uid", "gid", "gids"))
        and asked["process_group"] in (-1, None)
        and asked["umask"] == -1
        and os.path.isdir(asked["cwd"] or ".")  # noqa: PTH112 - a path of any kind
    )
    return bool(
        _wanted and _ONE_THREAD and known and plain and _reads_the_same(words, asked["env"])
    )


def _is_list(args: Any) -> bool:
    return isinstance(args, list | tuple) and all(isinstance(a, str | os.PathLike) for a in args)


def _reads_the_same(words: list[str], env: Any) -> bool:
    """Whether the variables that are read once are those that the server was started with."""
    if words[1:2] == ["-I"]:
        return True  # it reads none
    server = _server(words)

    def once(variables: Any) -> dict[str, str]:
        return {k: v for k, v in variables.items() if k.startswith(_READ_AT_START)}

    return once(os.environ if env is None else env) == once(server.environment)


def _server(words: list[str]) -> _Server:
    """The fork server for a command, started when it is first asked for."""
    torch = any(word in words for word in _TRAINS) and not any(w in words for w in _TRAINS_NOT)
    with _LOCK:
        if torch not in _servers:
            _servers[torch] = _started("torch" if torch else "none")
    return _servers[torch]


def _started(torch: str) -> _Server:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        _REAL(
            [sys.executable, _HERE / "fork_server.py", str(there.fileno()), torch, " " * ROOM],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
        )
    assert here.recv(16) == b"ready", "the fork server did not start"
    return _Server(here, dict(os.environ))


def _fork(asked: dict[str, Any]) -> int:
    """Ask for one process; its number."""
    streams = [asked["p2cread"], asked["c2pwrite"], asked["errwrite"]]
    descriptors = [own if own != -1 else number for number, own in enumerate(streams)]
    numbers = [0, 1, 2]
    for number in asked["pass_fds"]:
        descriptors.append(number)
        numbers.append(number)
    env = asked["env"]
    request = Request(
        [os.fspath(word) for word in asked["args"]],
        os.path.abspath(asked["cwd"] or "."),  # noqa: PTH100 - a path of any kind
        dict(os.environ if env is None else env),
        _umask(),
        bool(asked["start_new_session"]),
        numbers,
    )
    control = _server(request.arguments).control
    prctl = ctypes.CDLL(None).prctl
    with _LOCK:
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(control, [request.dump()], descriptors)
            return int(control.recv(32))
        finally:
            prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _umask() -> int:
    """This process's, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
