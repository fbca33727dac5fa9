"""A process that opens keys leaves no core file and is closed to the user's other processes."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from securefl import undumpable
from securefl.identity import Identity

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl(2) is Linux's")

STATE = (
    "import resource; from securefl.undumpable import is_dumpable; print(is_dumpable(),"
    " resource.getrlimit(resource.RLIMIT_CORE)[0])"
)


def run(code, **more):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **more
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("party") / "keys"
    Identity.generate("Nord", "hospital", "Nord", "a@b.example").save(folder)
    return folder


@linux
def test_control_a_process_without_keys_is_dumpable():
    assert run(STATE).stdout.split()[0] == "True"


@linux
@pytest.mark.parametrize(
    "opening",
    [
        "from securefl.identity import Identity; Identity.load(Path({keys!r}))",
        (
            "from securefl.identity import read_secret; read_secret(Path({keys!r}) /"
            " 'signing.key', 32)"
        ),
        (
            "from securefl.identity import Identity; Identity.generate('N', 'hospital', 'N',"
            " 'a@b.example')"
        ),
    ],
)
def test_who_opens_or_makes_a_key_is_undumpable(opening, keys):
    done = run(f"from pathlib import Path; {opening.format(keys=str(keys))}; {STATE}")
    assert done.stdout.split() == ["False", "0"], done.stderr


@linux
def test_a_crash_leaves_no_core_file(keys, tmp_path):
    resource_limit = (
        "import resource; resource.setrlimit(resource.RLIMIT_CORE,"
        " (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2); "
    )
    done = run(
        f"{resource_limit}from pathlib import Path; from securefl.identity import Identity;"
        f" Identity.load(Path({str(keys)!r})); import os; os.abort()",
        cwd=tmp_path,
    )
    assert done.returncode == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []


@linux
def test_a_program_that_is_started_afterwards_works_as_ever(keys):
    code = (
        "from pathlib import Path; from securefl.identity import Identity;"
        f" Identity.load(Path({str(keys)!r})); "
    )
    done = run(
        code + "import subprocess, sys; print(subprocess.run([sys.executable, '-c', 'print(7)'],"
        " capture_output=True, text=True).stdout.strip()); import os;"
        " print(len(os.listdir('/proc/self/fd')) > 0)"
    )
    assert done.stdout.split() == ["7", "True"]


def test_elsewhere_than_on_linux_the_limit_stands(monkeypatch):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            undumpable.sys.platform = "darwin"
            undumpable.make_undumpable.cache_clear()
            undumpable.make_undumpable()
            code = 0 if not undumpable.is_dumpable() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert resource.getrlimit(resource.RLIMIT_CORE) == before
