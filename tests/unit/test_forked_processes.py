"""Processes that tests fork, beside those that an interpreter starts: nothing that a command can
ask of its process differs.
"""

import json
import os
import signal
import subprocess
import sys
import time

import forked_processes
import pytest
from consortium import running

#: What a process can find out about itself, as one line of JSON; then it ends with code 7.
PROBE = """
import json, os, random, resource, signal, sys, threading
from pathlib import Path

def stream(of):
    return [of.encoding, of.errors, of.line_buffering, of.fileno(), os.isatty(of.fileno())]

def descriptors():
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink("/proc/self/fd/" + number).partition(":")[0]
        except OSError:
            pass  # the listing's own
    return {n: what for n, what in sorted(found.items()) if not 200 <= int(n) < 300}

facts = {
    "arguments": sys.argv,
    "name": [__name__, __file__],
    "path": sys.path,
    "environment": dict(os.environ),
    "seen by the C library": os.popen("env | sort | grep -v ^_=").read(),
    "folder": os.getcwd(),
    "umask": os.umask(0),
    "parent": os.getppid(),
    "leads a session": os.getsid(0) == os.getpid(),
    "group": os.getpgrp() == os.getpid() or os.getpgrp(),
    "descriptors": descriptors(),
    "streams": [stream(of) for of in (sys.stdin, sys.stdout, sys.stderr)],
    "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    "threads": threading.active_count(),
    "limits": [resource.getrlimit(n) for n in range(16)],
    "command": Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode(),
    "called": Path("/proc/self/comm").read_text(),
}
print("an error", file=sys.stderr)
print(json.dumps({"same": facts, "own": [os.getpid(), random.random()]}))
sys.exit(7)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A file that is run, forked or started, as the package's own commands are."""
    file = tmp_path / "program.py"
    monkeypatch.setattr(forked_processes, "_BEGINNINGS", ([sys.executable, str(file)],))

    def of(text):
        file.write_text(text)
        return [sys.executable, str(file)]

    return of


def told(command, *, forks, **how):
    """The facts of a process, its own and those that another may share."""
    forked_processes.want(forks=forks)
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert (done.returncode, done.stderr) == (7, "an error\n")
    facts = json.loads(done.stdout)
    return facts["same"], facts["own"]


def test_a_forked_process_is_what_a_started_one_would_be(program, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    handed = os.open(tmp_path, os.O_RDONLY)
    before = os.umask(0o027)
    how = {
        "cwd": elsewhere,
        "env": {**os.environ, "SECUREFL_OWN": "ü", "COLUMNS": "17"},
        "pass_fds": [handed],
    }
    try:
        command = [*program(PROBE), "start", "a word"]
        for session in (True, False):
            started, _ = told(command, forks=False, start_new_session=session, **how)
            forked, own = told(command, forks=True, start_new_session=session, **how)
            assert forked == started
            assert forked["leads a session"] == session
            assert forked["parent"] == os.getpid()
            _, another = told(command, forks=True, start_new_session=session, **how)
            assert own[0] != another[0]
            assert own[1] != another[1]
    finally:
        os.umask(before)
        os.close(handed)


def test_a_signal_ends_it_and_whoever_started_it_is_told(program):
    sleeps = program("print('awake', flush=True); import time; time.sleep(600)")
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        with subprocess.Popen(sleeps, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"awake\n"
            process.send_signal(number)
            assert process.wait(timeout=60) == -number


def test_what_it_starts_never_had_its_memory_and_ends_apart_from_it(program, tmp_path):
    # `start` stands for a command that starts others: a copy from before it began forks them
    child = tmp_path / "child.py"
    child.write_text(
        "import builtins, time; print(hasattr(builtins, 'KEY'), flush=True); time.sleep(600)"
    )
    parent = program(
        "import builtins, os, subprocess, sys\n"
        "import forked_processes\n"
        "builtins.KEY = 'secret'\n"
        f"forked_processes._BEGINNINGS = ([sys.executable, {str(child)!r}],)\n"
        f"made = subprocess.Popen([sys.executable, {str(child)!r}], stdout=subprocess.PIPE)\n"
        "print(made.stdout.readline().decode().strip(), type(made).__name__, made.pid, flush=True)\n"
        "made.wait()\n"
    )
    with subprocess.Popen([*parent, "start"], stdout=subprocess.PIPE, text=True) as process:
        had_key, kind, pid = process.stdout.readline().split()
        assert (had_key, kind) == ("False", "Popen")
        process.kill()
    assert running(int(pid))
    os.kill(int(pid), signal.SIGKILL)
    end = time.monotonic() + 60
    while running(int(pid)):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "how",
    [
        {"env": {**os.environ, "PYTHONHASHSEED": "1"}},
        {"preexec_fn": lambda: os.nice(0)},
        {"umask": 0o077},
        {"process_group": 0},
    ],
    ids=["a variable of the interpreter's", "a function before", "a umask", "a group"],
)
def test_what_cannot_be_forked_exactly_is_started(program, how):
    asks = program("import sys; print('fork_server' in sys.modules)")
    assert subprocess.run(asks, capture_output=True, check=True).stdout == b"True\n"
    assert subprocess.run(asks, capture_output=True, check=True, **how).stdout == b"False\n"


def test_another_program_is_started(program):
    program("")
    other = [sys.executable, "-c", "import sys; print('fork_server' in sys.modules)"]
    assert subprocess.run(other, capture_output=True, check=True).stdout == b"False\n"
