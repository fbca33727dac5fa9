"""A worker is killed with signal 9, as by the kernel when memory is short: its owner read only that
it ended unexpectedly.
"""

import stat
import sys

import pytest

from securefl.errors import RoundError
from securefl.node import launcher
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import WorkerRules

READY = """#!{python}
import json, os, socket, struct, sys, time
i, o, d = map(int, sys.argv[4:7])
head = json.dumps({{"ready": True, "walls": [["network", ["filter"], ""]]}}).encode()
os.write(o, struct.pack(">II", len(head), 0) + head)
socket.recv_fds(socket.socket(fileno=d), 16, 1)
{then}
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text("a\n1\n")

    def start(then):
        script = tmp_path / "python"
        script.write_text(READY.format(python=sys.executable, then=then))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr("securefl.node.launcher.sys.executable", str(script))
        return Worker(
            CsvSource(tmp_path / "table.csv"),
            max_bytes=80,
            log=tmp_path / "worker.log",
            rules=WorkerRules(),
        )

    return start


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("os.kill(os.getpid(), 9)", "by signal 9: short of memory?"),
        ("os.abort()", "by signal 6: short of memory, or a fault in a library?"),
        ("os.kill(os.getpid(), 15)", "by signal 15: stopped by hand?"),
        ("os.kill(os.getpid(), 24)", "by signal 24: the policy's processor hours are used up?"),
        ("os.kill(os.getpid(), 10)", "by signal 10"),
        ("sys.exit(3)", "with exit code 3"),
    ],
    ids=[
        "out of memory",
        "aborted",
        "by hand",
        "processor hours",
        "another signal",
        "an exit code",
    ],
)
def test_the_signal_that_ended_a_worker_is_named_and_what_it_may_mean(worker, then, words):
    with worker(then) as started:
        started.wait_ready()
        with pytest.raises(RoundError, match="The worker process ended unexpectedly") as error:
            started.check(b"study")
        assert words in error.value.what
        assert "worker.log" in error.value.next_step


@pytest.mark.parametrize("counted", [(4, 5), (4, 4)], ids=["for lack of memory", "by somebody"])
def test_a_worker_that_the_system_ended_for_lack_of_memory_is_told_apart(
    worker, monkeypatch, counted
):
    """The kernel counts what it ends for lack of memory; without a new one it was somebody else."""
    counts = list(counted)
    monkeypatch.setattr(launcher, "kernel_kills", lambda: counts.pop(0))
    with worker("os.kill(os.getpid(), 9)") as started:
        started.wait_ready()
        with pytest.raises(RoundError) as error:
            started.check(b"study")
    short = "needed more memory than was left: the system ended it" in error.value.what
    assert short == (counted[1] > counted[0])
