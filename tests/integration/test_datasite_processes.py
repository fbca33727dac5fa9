"""Hospitals and a researcher in processes of their own, on one folder store; nothing else passes
between them.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from datasite_parties import DESCRIPTION, FILES, MOCK, Parties

from securefl.datasite.address import site_email

pytestmark = pytest.mark.slow

CHILD = Path(__file__).parents[1] / "support" / "datasite_child.py"
R = site_email("researcher")
HOSPITALS = ("SVI", "other")


def step(root, name, role, *what, before=()):
    done = subprocess.run(
        [*before, sys.executable, CHILD, root, name, role, *what],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def researcher(root, *what, before=()):
    return step(root, "researcher", "researcher", *what, before=before)


def whole_flow(root, hospitals, before):
    for hospital in hospitals:
        step(root, hospital, "hospital", "publish", before=before)
    seen = researcher(root, "ask", *hospitals, before=before)
    assert seen == {
        "peers": {site_email(h): "requested-by-me" for h in hospitals},
        "datasets": {},
        "requests": {},
    }
    for hospital in hospitals:
        assert step(root, hospital, "hospital", "approve-peer", "researcher", before=before)[
            "peers"
        ] == {R: "approved"}
    seen = researcher(root, "look", before=before)
    assert set(seen["peers"].values()) == {"approved"}
    assert seen["datasets"] == {
        site_email(h): [MOCK.decode(), DESCRIPTION.decode()] for h in hospitals
    }
    researcher(root, "submit", *hospitals, before=before)
    decisions = {"SVI": ("approved", "for science"), "other": ("rejected", "not our question")}
    for hospital in hospitals:
        status, reason = decisions[hospital]
        seen = step(root, hospital, "hospital", "look", before=before)
        assert seen["requests"] == {site_email(hospital): ["pending", "", FILES["study.toml"], {}]}
        step(root, hospital, "hospital", "decide", f"{R}/st", status, reason, before=before)
    step(root, "SVI", "hospital", "output", f"{R}/st", '{"spent": "1/3"}', before=before)
    seen = researcher(root, "look", before=before)
    outputs = {"SVI": {"audit.json": '{"spent": "1/3"}'}, "other": {}}
    assert seen["requests"] == {
        site_email(h): [*decisions[h], FILES["study.toml"], outputs[h]] for h in hospitals
    }


def socket_watch(log):
    """The command that writes every socket of what follows it to ``log``; empty where processes
    cannot be watched here.
    """
    if shutil.which("strace") is None:
        return ()
    watch = ("strace", "-f", "--seccomp-bpf", "-A", "-o", str(log))
    watch += ("-e", "trace=socket,connect,bind")
    if subprocess.run([*watch, "true"], capture_output=True, check=False).returncode:
        return ()
    return watch


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    """The whole flow, watched where that can be: ``(parties' root, watch, log of sockets)``."""
    place = tmp_path_factory.mktemp("flow")
    log = place / "trace"
    watch = socket_watch(log)
    log.unlink(missing_ok=True)
    whole_flow(place / "parties", HOSPITALS, watch)
    return place / "parties", watch, log


def test_data_sets_peers_requests_decisions_and_outputs_pass_between_processes(flow):
    root, _, _ = flow
    for hospital in HOSPITALS:
        synced = {p.name for p in (root / "store").rglob("*") if p.is_file()}
        assert "WHERE.txt" not in synced
        assert (root / hospital / "keys" / "pysyft.json").stat().st_mode & 0o777 == 0o600
        assert (root / hospital).stat().st_mode & 0o777 == 0o700


def test_no_step_opens_a_network_socket(flow):
    _, watch, log = flow
    if not watch:
        pytest.skip("strace is not installed or may not trace here: sockets cannot be watched")
    assert "AF_INET" not in log.read_text()
    subprocess.run(
        [*watch, sys.executable, "-c", "import socket; socket.socket(socket.AF_INET6)"], check=True
    )
    assert "AF_INET" in log.read_text(), "the control: a socket that is opened is seen"


def test_two_processes_of_one_hospital_take_turns(tmp_path):
    """The owner's command and the agent open the same datasite."""
    parties = Parties(tmp_path)
    parties.make_peers("SVI")
    parties.submit("SVI", "st")
    both = [
        subprocess.Popen(
            [sys.executable, CHILD, tmp_path, "SVI", "hospital", "loop", "10"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert json.loads(out)["requests"][site_email("SVI")][0] == "pending"
