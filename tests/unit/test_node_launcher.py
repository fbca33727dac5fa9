"""The agent's handle on its worker: what the worker is given, and what is believed of what it says.

A stand-in takes the place of the interpreter: it writes down what it was given, then answers what
the test wants.
"""

import json
import os
import stat
import sys

import pytest

from securefl.errors import DataError, RoundError
from securefl.node.launcher import Worker
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import INVENTED_ROWS, WorkerRules

USUAL = WorkerRules()
STAND_IN = """#!{python}
import json, os, socket, struct, sys
i, o, d = map(int, sys.argv[4:7])
def say(header, body=b""):
    head = json.dumps(header).encode()
    os.write(o, struct.pack(">II", len(head), len(body)) + head + body)
def hear():
    a, b = struct.unpack(">II", os.read(i, 8))
    head = json.loads(os.read(i, a))
    left = b
    while left:
        left -= len(os.read(i, left))
    return head
def take():
    return socket.recv_fds(socket.socket(fileno=d), 16, 1)[1]
def names():
    links = [os.readlink("/proc/self/fd/" + n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)]
    return [os.path.basename(link) for link in links]
json.dump({{"argv": sys.argv[1:4], "environment": dict(os.environ), "fds": [int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)], "given": [i, o, d],
           "cwd": os.getcwd(), "names": names(), "session": os.getsid(0) == os.getpid()}}, open("{report}", "w"))
{body}
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")

    def make(body, max_bytes=80, rules=USUAL):
        script = tmp_path / "python"
        script.write_text(
            STAND_IN.format(python=sys.executable, report=tmp_path / "report.json", body=body)
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr("securefl.node.launcher.sys.executable", str(script))
        return Worker(
            CsvSource(table), max_bytes=max_bytes, log=tmp_path / "worker.log", rules=rules
        )

    return make


WALLED = 'say({"ready": True, "walls": [["network", ["namespace"], ""]]})\n'
OPEN = 'say({"ready": True, "walls": [["network", [], "no-namespaces"]]})\n'
GIVEN = 'say({"ok": True}, os.pread(table, 100, 0) + bytes(72))\nhear()'
READY = WALLED + "table, = take()\n"
SERVE = READY + 'hear(); say({"counts": {"rows": 1, "sha256": "0" * 64}})\nhear()\n'


def report(tmp_path):
    return json.loads((tmp_path / "report.json").read_text())


def test_the_worker_gets_an_empty_environment_three_descriptors_and_nothing_else(
    stand_in, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    keys = os.open(
        tmp_path / "table.csv", os.O_RDONLY
    )  # an open descriptor of the agent's, inheritable by mistake
    os.set_inheritable(keys, True)
    with stand_in(READY + "hear()\n" + GIVEN) as worker:
        worker.wait_ready()
        assert [wall.wall for wall in worker.walls if wall.held] == ["network"]
        told = worker.release(1, b"", 10, 2**62, 60)
    os.close(keys)
    seen = report(tmp_path)
    assert set(seen["environment"]) <= {"LC_CTYPE"}  # Python sets that one itself
    assert seen["argv"] == ["-I", "-m", "securefl.node.worker"]
    assert set(seen["fds"]) == {0, 1, 2, *seen["given"]}
    assert seen["cwd"] == "/"
    assert "table.csv" not in seen["names"]  # before it has told of its walls
    assert told.tobytes().startswith(b"a,b\n1,2\n")
    assert seen["session"]
    assert (tmp_path / "worker.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "told",
    [
        OPEN,
        'say({"ready": True})\n',
        'say({"ready": True, "walls": [["network", [], "no-rule"], ["network", ["magic"], ""]]})\n',
        'say({"ready": True, "walls": {"network": True}})\n',
    ],
    ids=["it says so", "it says nothing", "by unknown means", "in another form"],
)
def test_a_worker_whose_network_is_not_taken_away_gets_no_table_however_often_it_is_asked(
    stand_in, told
):
    with stand_in(told + "table, = take()\nhear()\n" + 'say({"ok": True})\nhear()') as worker:
        for _ in range(2):
            with pytest.raises(RoundError, match="given no table") as error:
                worker.check(b"study")
            assert "worker_may_have_network" in error.value.next_step
        # an agent starts one that died again: this one is not at fault
        assert worker.alive


def test_the_control_where_the_owner_asks_for_no_wall_it_gets_the_table(stand_in):
    body = OPEN + "table, = take()\nhear()\n" + 'say({"ok": True})\n' + "hear()\n" + GIVEN
    with stand_in(body, rules=INVENTED_ROWS) as worker:
        worker.check(b"study")
        assert worker.release(1, b"", 10, 2**62, 60).tobytes().startswith(b"a,b\n1,2\n")


def test_a_further_wall_that_a_policy_requires_is_required(stand_in):
    rules = WorkerRules(required=frozenset(("network", "files")))
    with (
        stand_in(READY, rules=rules) as worker,
        pytest.raises(RoundError, match="wall files does not hold"),
    ):
        worker.wait_ready()


def test_an_answer_of_the_right_shape_is_taken(stand_in):
    with stand_in(SERVE + 'say({"ok": True}, struct.pack("<3q", -5, 0, 5))\nhear()') as worker:
        assert worker.prepare(b"study", "SVI", bytes(32)) == {"rows": 1, "sha256": "0" * 64}
        assert worker.release(1, b"model", 3, 5, 60).tolist() == [-5, 0, 5]
        assert worker.alive


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('struct.pack("<3q", 6, 0, 0)', "too large"),
        ('struct.pack("<3q", 0, -6, 0)', "too large"),
        ('struct.pack("<3q", -(1 << 63), 0, 0)', "too large"),
        ('struct.pack("<2q", 0, 0)', "wrong size"),
        ('b""', "wrong size"),
        ("bytes(25)", "wrong size"),
        ("bytes(81)", "more than its task can produce"),
    ],
    ids=str,
)
def test_an_answer_of_another_shape_or_size_is_refused(stand_in, answer, why):
    with stand_in(SERVE + f'say({{"ok": True}}, {answer})\nhear()') as worker:
        worker.prepare(b"study", "SVI", bytes(32))
        with pytest.raises(RoundError, match=why):
            worker.release(1, b"model", 3, 5, 60)


def test_a_fault_of_the_data_comes_through_as_what_it_is(stand_in):
    body = (
        READY + 'hear(); say({"error": "DataError", "what": "no column", "whose": "the data owner",'
        ' "next": "add it"})\nhear()'
    )
    with stand_in(body) as worker, pytest.raises(DataError, match="no column") as error:
        worker.prepare(b"study", "SVI", bytes(32))
    assert (error.value.whose, error.value.next_step) == ("the data owner", "add it")


@pytest.mark.parametrize("counts", ["{}", '{"sha256": 5}', '{"sha256": "ab"}'])
def test_a_worker_that_does_not_say_which_table_it_read_is_refused(stand_in, counts):
    with (
        stand_in(READY + f'hear(); say({{"counts": {counts}}})\nhear()') as worker,
        pytest.raises(RoundError, match="which table"),
    ):
        worker.prepare(b"study", "SVI", bytes(32))


@pytest.mark.parametrize(
    "patients", ["", ', "patients": 5', ', "patients": ""', ', "patients": "ab"']
)
def test_a_worker_that_does_not_say_whose_table_it_read_is_refused(stand_in, patients):
    body = READY + f'hear(); say({{"counts": {{"sha256": "0" * 64{patients}}}}})\nhear()'
    with stand_in(body) as worker, pytest.raises(RoundError, match="whose table"):
        worker.prepare(b"study", "SVI", bytes(32), patient_key=bytes(32))


@pytest.mark.parametrize(
    "name", ["SystemExit", "PUBLIC_CODES", "annotations", "nothing of that name"]
)
def test_a_worker_cannot_name_an_error_of_its_own(stand_in, name):
    body = (
        READY
        + f'hear(); say({{"error": "{name}", "what": "w", "whose": "x", "next": "n"}})\nhear()'
    )
    with stand_in(body) as worker, pytest.raises(RoundError):
        worker.prepare(b"study", "SVI", bytes(32))


@pytest.mark.parametrize(
    "body", ["", READY, READY + "hear()", SERVE], ids=["at once", "ready", "asked", "training"]
)
def test_a_worker_that_ends_is_an_error_with_a_next_step(stand_in, body):
    def use(worker):
        worker.prepare(b"study", "SVI", bytes(32))
        worker.release(1, b"model", 3, 5, 60)

    with stand_in(body) as worker:
        with pytest.raises(RoundError, match="ended unexpectedly") as error:
            use(worker)
        assert error.value.next_step
        assert not worker.alive  # at once, though the system may not have taken it apart yet


def test_a_worker_that_does_not_answer_is_late(stand_in):
    with stand_in(SERVE + "hear()") as worker:
        worker.prepare(b"study", "SVI", bytes(32))
        with pytest.raises(RoundError, match="in time"):
            worker.release(1, b"model", 3, 5, 0.05)


def test_a_killed_worker_wakes_who_waits_for_it(stand_in):
    with stand_in(SERVE + "hear()") as worker:
        worker.prepare(b"study", "SVI", bytes(32))
        worker.kill()
        with pytest.raises(RoundError, match="ended unexpectedly"):
            worker.release(1, b"model", 3, 5, 60)
        assert not worker.alive


def test_stopping_leaves_no_process_behind_and_can_be_repeated(stand_in):
    worker = stand_in(READY + "import time; time.sleep(600)")
    worker.wait_ready()
    pid = worker.pid
    worker.stop()
    worker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_table_that_is_gone_is_a_fault_of_the_data(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        Worker(
            CsvSource(tmp_path / "gone.csv"),
            max_bytes=8,
            log=tmp_path / "worker.log",
            rules=WorkerRules(),
        )


def test_a_crash_goes_to_the_owners_log(stand_in, tmp_path):
    with stand_in('raise RuntimeError("row 17 is odd")') as worker:
        with pytest.raises(RoundError) as error:
            worker.wait_ready()
        assert "row 17" not in str(error.value)
    assert "row 17 is odd" in (tmp_path / "worker.log").read_text()
