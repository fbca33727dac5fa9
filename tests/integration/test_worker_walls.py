"""The worker process as it really is: its walls, no keys, no syft, one thread; noise that is fresh
at every call.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from binary_models import initial_weights
from conftest import protocol_text
from consortium import SMALL, running
from in_process_federation import sealed_study

from securefl.errors import DataError, RoundError
from securefl.learning.features import feature_names
from securefl.learning.mock import mock_table
from securefl.learning.models import weights_to_bytes
from securefl.learning.patient_hashes import patients_among
from securefl.learning.reading import Reading
from securefl.learning.table import read_table
from securefl.node.isolation import machine_walls
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of
from securefl.study.worker_walls import WorkerLimits, WorkerRules

pytestmark = pytest.mark.real_start


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A worker on an invented table: ``(worker, study text, model bytes, parameters)``."""
    folder = tmp_path_factory.mktemp("worker")
    spec = parse_protocol(protocol_text(*SMALL))
    (folder / "table.csv").write_bytes(mock_table(spec.data, 80, seed=3))
    text, plan = sealed_study(*SMALL[2:])
    theta = initial_weights(training_of(plan.study).model, len(feature_names(plan.study.data)))
    source = CsvSource(folder / "table.csv")
    with Worker(source, max_bytes=8 * 64, log=folder / "worker.log", rules=WorkerRules()) as worker:
        key = bytes(range(32))
        counts = worker.prepare(text.encode(), plan.study.cohort[0], bytes(32), patient_key=key)
        assert counts["rows"] == 80
        patients = read_table(source.content()).column(plan.study.data.patient)
        assert counts["patients"] == patients_among(patients, key).dump().hex()
        assert counts["training"] + counts["held_out"] == counts["kept"]
        yield worker, text.encode(), weights_to_bytes(theta), plan


def test_the_same_model_gives_other_noise_every_time(work):
    worker, _, model, plan = work
    answers = [worker.release(1, model, plan.parameters, 2**15 - 1, 60) for _ in range(3)]
    assert len({a.tobytes() for a in answers}) == 3
    histogram = [
        worker.release(plan.last_round, model, 2 * evaluation_of(plan.study).bins, 2**15 - 1, 60)
        for _ in range(2)
    ]
    assert not np.array_equal(*histogram)


def test_the_real_worker_says_which_walls_hold_as_the_machine_was_tried_before(work):
    walls = work[0].walls
    assert walls == machine_walls(WorkerRules().limits)
    assert {wall.wall for wall in walls if wall.held} >= {"network", "memory", "file-size"}
    limited = machine_walls(WorkerLimits(cores=1, seconds=60))
    assert {wall.wall for wall in limited if wall.held} >= {"cores", "time"}


def test_the_real_worker_holds_its_pipes_its_table_and_nothing_else(work):
    if os.getuid() != 0:
        pytest.skip("only root may look into a process that hides itself")
    process = Path(f"/proc/{work[0].pid}")
    open_here = {str(fd.readlink()) for fd in (process / "fd").iterdir()}
    files = {f for f in open_here if f.startswith("/") and f != "/dev/null"}
    assert {Path(f).name for f in files} <= {"table.csv", "worker.log"}
    assert not any("socket" in f for f in open_here)
    names = {v.split(b"=")[0] for v in (process / "environ").read_bytes().split(b"\0") if v}
    assert names == set()


def test_the_real_worker_imports_no_syft_and_runs_one_torch_thread(tmp_path):
    """The worker's own main, run here in a child that tells at the end what it had imported."""
    spec = parse_protocol(protocol_text(*SMALL))
    (tmp_path / "table.csv").write_bytes(mock_table(spec.data, 30, seed=3))
    text, plan = sealed_study(*SMALL[2:])
    code = """
import json, os, socket, sys
from securefl.node.channel import Channel, hand_table
r1, w1 = os.pipe(); r2, w2 = os.pipe()
data = os.open(sys.argv[1], os.O_RDONLY)
door, far = socket.socketpair()
hand_table(door, data)
agent = Channel(r2, w1, max_body=1 << 20)
study = open(sys.argv[2], "rb").read()
patients = {"patient_key": "", "removed": 0}
agent.send({"do": "prepare", "site": sys.argv[3], "split_secret": "00" * 32, "reading": {}, "text": len(study), **patients}, study)
agent.send({"do": "release", "round": 1}, bytes(8 * int(sys.argv[4])))
os.close(w1)
sys.argv[1:] = [str(r1), str(w2), str(far.detach()), "0,0,0"]
from securefl.node import worker
worker.main()
import torch
print(json.dumps({"modules": sorted({m.split(".")[0] for m in sys.modules}), "threads": torch.get_num_threads()}))
"""
    (tmp_path / "study.toml").write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            tmp_path / "table.csv",
            tmp_path / "study.toml",
            plan.study.cohort[0],
            str(plan.parameters),
        ],
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    seen = json.loads(done.stdout)
    assert "opacus" in seen["modules"]
    assert not {"syft", "tenseal", "fsspec", "click"} & set(seen["modules"])
    assert seen["threads"] == 1


def test_a_worker_reads_a_table_as_its_owner_registered_it(tmp_path):
    spec = parse_protocol(protocol_text(*SMALL)).data
    lines = [line.split(",") for line in mock_table(spec, 60, seed=3).decode().splitlines()]
    lines[1:] = [
        [f"Müller {line[0]}", *(cell.replace(".", ",") for cell in line[1:])] for line in lines[1:]
    ]
    (tmp_path / "table.csv").write_bytes(
        "\r\n".join(";".join(line) for line in lines).encode("cp1252")
    )
    text, plan = sealed_study(*SMALL[2:])
    site, secret = plan.study.cohort[0], bytes(32)

    def prepared(*reading):
        source = CsvSource(tmp_path / "table.csv", Reading(*reading))
        with Worker(
            source, max_bytes=800, log=tmp_path / "worker.log", rules=WorkerRules()
        ) as worker:
            return worker.prepare(text.encode(), site, secret)

    as_registered = prepared("cp1252", ";", ",")
    assert (as_registered["rows"], as_registered["kept"], as_registered["set_aside"]) == (
        60,
        60,
        {},
    )
    other_sign = prepared("cp1252", ";", ".")
    assert other_sign["kept"] < 60
    assert "age: not a number" in other_sign["set_aside"]
    other_encoding = prepared("utf-8", ";", ",")
    assert other_encoding["set_aside"] == {"patient_id: not valid in the table's encoding": 60}


def test_a_worker_asked_before_it_has_a_table_says_so_and_a_wrong_study_is_no_crash(tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n")
    text, plan = sealed_study(*SMALL[2:])
    source = CsvSource(tmp_path / "table.csv")
    with Worker(source, max_bytes=800, log=tmp_path / "worker.log", rules=WorkerRules()) as worker:
        worker.wait_ready()
        with pytest.raises(DataError, match="before it had a table"):
            worker.release(1, b"", 7, 100, 60)
        with pytest.raises(DataError, match="no column"):
            worker.prepare(text.encode(), plan.study.cohort[0], bytes(32))
        assert worker.alive


def test_a_worker_without_memory_says_how_much_it_was_allowed(tmp_path):
    """The table is longer than the limit, and the libraries are not."""
    megabytes = 400
    (tmp_path / "table.csv").write_bytes(b"patient_id\n" + b"1234567890\n" * (megabytes * 10**5))
    text, plan = sealed_study(*SMALL[2:])
    rules = WorkerRules(limits=WorkerLimits(memory=megabytes * 10**6))
    source = CsvSource(tmp_path / "table.csv")
    with Worker(source, max_bytes=800, log=tmp_path / "worker.log", rules=rules) as worker:
        with pytest.raises(RoundError, match="more memory than 400 MB, which this hospital's"):
            worker.prepare(text.encode(), plan.study.cohort[0], bytes(32))
        assert worker.alive


def test_a_worker_starts_no_thread_once_its_study_is_known(work):
    assert "threads" in {wall.wall for wall in work[0].walls if wall.held}
    status = Path(f"/proc/{work[0].pid}/status").read_text()
    assert "\nThreads:\t1\n" in status


def test_a_worker_ends_with_the_process_that_started_it(tmp_path):
    (tmp_path / "table.csv").write_text("a\n1\n")
    code = """
import sys, time
from pathlib import Path
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import WorkerRules
worker = Worker(CsvSource(Path(sys.argv[1])), max_bytes=8, log=Path(sys.argv[2]), rules=WorkerRules())
worker.wait_ready()
print(worker.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "table.csv", tmp_path / "worker.log"],
        stdout=subprocess.PIPE,
    ) as agent:
        pid = int(agent.stdout.readline())
        assert running(pid)
        os.kill(pid, signal.SIGSTOP)  # stopped: it cannot notice by itself that the pipe is closed
        agent.kill()
        agent.wait()
    for _ in range(200):
        if not running(pid):
            break
        time.sleep(0.05)
    assert not running(pid)
