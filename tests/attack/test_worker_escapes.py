"""Escapes of a worker: what a study's code would try if it were hostile, tried inside the walls and,
as the control, outside them.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import escapes
import pytest
from escapes import ATTEMPTS, SECRET

from securefl.errors import DataError
from securefl.node import launcher
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import WALLS, WorkerLimits, WorkerRules

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="walls are Linux's")

ALL = WorkerRules(frozenset(WALLS), WorkerLimits(memory=2 << 30, cores=1, seconds=600))
AGENT = """
import ctypes, sys, time
held = ctypes.create_string_buffer(b"a secret in memory")
print(ctypes.addressof(held), flush=True)
time.sleep(600)
"""
#: Attempts that the control may not get through either, with the reason.
_HARDENED = {
    "debugger_on_the_agent": "a kernel with Yama lets nobody but root",
    "memory_read_by_the_kernel": "a kernel with Yama lets nobody but root",
    "own_network_card": "nobody but root",
    "full_disk": "a smaller limit holds for this user",
    "all_cores": "",
}


@pytest.fixture(scope="module")
def house():
    """A hospital's folder, a service beside it, and a server on the machine."""
    with (
        tempfile.TemporaryDirectory(prefix="walls-") as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as service,
    ):
        root = Path(folder)
        (root / "keys").mkdir()
        (root / "keys" / "identity").write_text(SECRET)
        (root / "ledger.sqlite").write_bytes(b"SQLite format 3\0")
        for name in ("table", "other"):
            (root / f"{name}.csv").write_text("patient\n17\n")
        service.bind(str(root / "service"))
        service.listen()
        yield root, server.getsockname()[1]


def attempted(house, folder, ask):
    """All attempts against a fresh agent, made by ``ask`` with what they need."""
    root, port = house
    for name in ("keys/identity", "table.csv"):
        (root / name).chmod(0o600)
    with subprocess.Popen(
        [sys.executable, "-c", AGENT],
        stdout=subprocess.PIPE,
        env={"SECUREFL_PASSPHRASE": SECRET},
    ) as agent:
        address = int(agent.stdout.readline())
        try:
            return ask(
                {
                    "port": port,
                    "service": str(root / "service"),
                    "key": str(root / "keys" / "identity"),
                    "ledger": str(root / "ledger.sqlite"),
                    "table": str(root / "table.csv"),
                    "folder": str(root),
                    "drop": str(folder / "drop"),
                    "tmp": f"/tmp/securefl-{secrets.token_hex(8)}",  # noqa: S108 - that is the attack
                    "agent": agent.pid,
                    "address": address,
                    "cores": sorted(os.sched_getaffinity(0)),
                }
            )
        finally:
            agent.kill()


@pytest.fixture(scope="module", params=["landlock", "own-root"])
def inside(house, tmp_path_factory, request):
    """Got by the real launcher's worker, behind all walls."""
    root, _ = house
    program = ["-I", escapes.__file__]
    if request.param == "own-root":
        program.append("--own-root")

    def ask(given):
        source = CsvSource(root / "table.csv")
        with Worker(source, max_bytes=800, log=root / "worker.log", rules=ALL) as worker:
            with pytest.raises(DataError) as told:
                worker.check(json.dumps(given).encode())
            files = next(wall for wall in worker.walls if wall.wall == "files")
            assert files.by == (request.param,)
            return json.loads(told.value.what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher, "PROGRAM", tuple(program))
        patch.setenv("SECUREFL_PASSPHRASE", SECRET)
        return attempted(house, tmp_path_factory.mktemp(request.param), ask)


@pytest.fixture(scope="module")
def outside(house, tmp_path_factory):
    """The control: the same attempts by a process of the same user without a wall."""
    folder = tmp_path_factory.mktemp("outside")
    key = os.open(house[0] / "keys" / "identity", os.O_RDONLY)

    def ask(given):
        with (folder / "log").open("wb") as log:
            done = subprocess.run(
                [sys.executable, escapes.__file__, "--control", json.dumps(given)],
                stdout=subprocess.PIPE,
                stderr=log,
                check=True,
                pass_fds=[key],
                env={"SECUREFL_PASSPHRASE": SECRET},
                timeout=120,
            )
        Path(given["tmp"]).unlink(missing_ok=True)
        return json.loads(done.stdout)

    try:
        return attempted(house, folder, ask)
    finally:
        os.close(key)


@pytest.mark.parametrize("name", [attempt.__name__ for attempt in ATTEMPTS])
def test_an_escape_fails_inside_and_succeeds_without_the_walls(name, inside, outside):
    assert inside[name] is None
    if outside[name] is None and name in _HARDENED and os.getuid() != 0:
        pytest.skip(f"the control fails on this machine too: {_HARDENED[name]}")
    assert outside[name] is not None
