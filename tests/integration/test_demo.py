"""`securefl demo`, watched from outside: what it makes, which files and sockets its processes open,
what the screen says.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import forked_processes
import pytest
from fork_server import CHILD_OF

from securefl.cli.study_verify import rounds_view
from securefl.errors import RoundError, UsageError

SITES = ("other", "SVI", "SVHC", "STMW", "SVHD")
FORKED_DEMO = Path(forked_processes.__file__).with_name("forked_demo.py")
_CHILD = re.compile(r"^(?:clone|clone3|fork|vfork)\(.*= (\d+)$")
_ASKED = re.compile(rf'^openat\(AT_FDCWD, "{CHILD_OF.format("([0-9]+)")}"')
_OPEN = re.compile(r'^open(?:at)?\((?:AT_FDCWD, )?"([^"]+)"')
_SOCKET = re.compile(r"^socket\((\w+),")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    if shutil.which("strace") is None:
        pytest.skip(
            "strace is not installed: the demonstration's files and sockets cannot be watched"
        )
    root = tmp_path_factory.mktemp("demo")
    trace = root / "trace"
    trace.mkdir()
    watch = [
        "strace",
        "-ff",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=open,openat,socket,clone,clone3,fork,vfork",
        "-o",
        str(trace / "t"),
    ]
    command = [
        sys.executable,
        FORKED_DEMO,
        "demo",
        "--seed",
        "0",
        "--dir",
        str(root / "d"),
        "--json",
        str(root / "out.json"),
    ]
    done = subprocess.run(
        [*watch, *command], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root, done.stdout, json.loads((root / "out.json").read_text())


def _calls(root):
    return {
        int(f.suffix[1:]): f.read_text(errors="replace").splitlines()
        for f in (root / "trace").iterdir()
    }


def _trees(calls):
    """Process → the process directly below the demonstration's own that it descends from."""
    parent = {int(m[1]): pid for pid, lines in calls.items() for m in map(_CHILD.match, lines) if m}
    for pid, lines in calls.items():
        if lines and (asked := _ASKED.match(lines[0])):
            parent[pid] = int(asked[1])  # forked by a server, for this one
    root = next(pid for pid in calls if pid not in parent)

    def top(pid):
        while parent.get(pid, root) != root:
            pid = parent[pid]
        return pid

    return root, {pid: top(pid) for pid in calls}


def test_no_process_tree_opens_two_hospitals_private_folders(demo):
    root, _, _ = demo
    calls = _calls(root)
    above, tree = _trees(calls)
    opened = {}
    for pid, lines in calls.items():
        for match in filter(None, map(_OPEN.match, lines)):
            for site in SITES:
                if match[1].startswith(f"{root}/d/{site}/private/"):
                    opened.setdefault(tree[pid], set()).add(site)
    assert above not in opened
    assert all(len(sites) == 1 for sites in opened.values())
    assert set().union(*opened.values()) == set(
        SITES
    )  # the watch does see the folders being opened


def test_no_process_opens_a_network_socket(demo):
    root, _, _ = demo
    families = {m[1] for lines in _calls(root).values() for m in map(_SOCKET.match, lines) if m}
    assert families <= {"AF_UNIX"}


def test_the_demonstration_leaves_what_its_description_names(demo):
    root, _, figures = demo
    for site in SITES:
        folder = root / "d" / site
        assert (folder / "site.toml").is_file()
        assert (folder / "private").is_dir()
        with sqlite3.connect(folder / "ledger.sqlite") as ledger:
            assert ledger.execute("select count(*) from event").fetchone()[0] > 40
        for key in folder.joinpath("keys").rglob("*.key"):
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert {f.name for f in (root / "d" / "researcher" / "model").iterdir()} == {
        "model.safetensors",
        "model.json",
        "model_card.md",
    }
    assert (root / "d" / "store").is_dir()
    assert {s["site"] for s in figures["sites"]} == set(SITES)
    assert set(figures["sites"][0]) == {
        "site",
        "budget_share_used",
        "auc_alone",
        "auc_alone_private",
        "auc_federated",
        "positives",
    }
    assert {
        "sites",
        "auc_overall_exact",
        "auc_overall_noised",
        "auc_interval",
        "rounds",
        "wall_seconds",
        "upload_bytes_per_parameter",
        "seed",
    } <= set(figures)
    assert figures["seed"] == 0
    assert figures["rounds"] == 40


def test_the_model_is_good_and_every_hospital_paid_the_same_share(demo):
    _, _, figures = demo
    assert figures["auc_overall_exact"] >= 0.97
    low, high = figures["auc_interval"]
    assert low <= figures["auc_overall_noised"] <= high
    assert len({s["budget_share_used"] for s in figures["sites"]}) == 1
    assert 0 < figures["sites"][0]["budget_share_used"] < 1


def test_every_next_command_works(demo):
    _, screen, _ = demo
    commands = [
        line.split()
        for line in screen[screen.rindex("Next:") :].splitlines()
        if line.startswith("  securefl ")
    ]
    assert len(commands) == 4
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)


def test_the_model_came_home_to_every_hospital(demo):
    root, screen, _ = demo
    assert "The model came home to every hospital" in screen
    digest = (root / "d" / "researcher" / "model" / "model.json").read_bytes()
    for site in SITES:
        (home,) = (
            folder
            for folder in (root / "d" / site / "models").iterdir()
            if folder.name != "expected"
        )
        assert (home / "model.json").read_bytes() == digest


def test_the_screen_tells_the_owner_what_the_study_costs_and_what_is_enforced(demo):
    _, screen, _ = demo
    (command,) = re.findall(r"lines more\. The whole page: securefl (site review .*)", screen)
    page = subprocess.run(
        [sys.executable, "-m", "securefl", *command.split()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    head = [line for line in page[page.index("Who asks") :].splitlines() if line.strip()][:8]
    assert [
        line for line in head if line not in screen
    ] == []  # its head stands on the demonstration's screen
    words = " ".join((screen + page).split())
    assert "at most 73 %" in words
    assert "1 in 100,000" in words
    assert "isolation: network blocked" in words
    assert "received one sum of 5 hospitals" in words
    assert "Only a demonstration can show this, because the table is public" in words


def test_rows_outside_the_declared_range_are_told_to_their_owner_alone(demo):
    root, screen, _ = demo
    log = (root / "d" / "other" / "agent.log").read_text()
    assert "age: outside 0 to 120" in log
    assert "3 set aside (age: outside 0 to 120)" in " ".join(
        screen.split()
    )  # shown by the owner's own command
    researcher = b"".join(
        f.read_bytes() for f in (root / "d" / "researcher").rglob("*") if f.is_file()
    )
    assert b"set aside (" not in researcher
    public = b"".join(f.read_bytes() for f in (root / "d" / "store").rglob("*") if f.is_file())
    assert b"set aside" not in public
    # as a number of its own: the same digits stand in a hash now and then
    assert not re.search(rb"(?<![0-9A-Za-z+/.])65526(?![0-9A-Za-z+/.])", public)


def test_the_ledgers_hold_and_an_edited_row_is_found(demo, tmp_path):
    root, _, _ = demo
    copy = tmp_path / "SVHD"
    shutil.copytree(root / "d" / "SVHD", copy)
    audit = [sys.executable, "-m", "securefl", "audit", "--json", "-", "--site", str(copy)]
    intact = subprocess.run(audit, capture_output=True, text=True, timeout=60, check=False)
    assert intact.returncode == 0
    report = json.loads(intact.stdout)
    assert report["verified"] is True
    assert len([r for d in report["datasets"] for r in d["releases"]]) == 41
    with sqlite3.connect(copy / "ledger.sqlite") as ledger:
        body = ledger.execute("select body from event where seq = 9").fetchone()[0]
        ledger.execute(
            "update event set body = ? where seq = 9", (body.replace('"round":', '"round":1'),)
        )
    assert subprocess.run(audit, capture_output=True, timeout=60, check=False).returncode == 3


def verified(folder, *arguments):
    command = [
        sys.executable,
        "-m",
        "securefl",
        "study",
        "verify",
        *arguments,
        "--folder",
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_hospital_adds_all_rounds_again_and_a_changed_contribution_is_found(demo, tmp_path):
    root, _, _ = demo
    html = tmp_path / "rounds.html"
    done = verified(root / "d" / "STMW", "all", "--json", "-", "--html", str(html))
    assert done.returncode == 0, done.stderr
    assert "No key was needed" in html.read_text("utf-8")
    found = json.loads(done.stdout)
    assert found["verified"] is True
    assert [r["round"] for r in found["rounds"]] == list(range(1, 42))
    assert all(set(r["contributions"]) == set(SITES) for r in found["rounds"])

    # the same hospital with a store in which one byte was changed afterwards
    shutil.copytree(root / "d" / "store" / "studies", tmp_path / "store" / "studies")
    shutil.copy(
        root / "d" / "store" / "securefl-store", tmp_path / "store"
    )  # else it would be another store
    shutil.copytree(root / "d" / "STMW", tmp_path / "STMW")
    settings = tmp_path / "STMW" / "site.toml"
    settings.write_text(
        settings.read_text().replace(str(root / "d" / "store"), str(tmp_path / "store"))
    )
    (frame,) = (tmp_path / "store").glob("studies/*/rounds/00007-1/contributions/SVI")
    data = bytearray(frame.read_bytes())
    data[-1000] ^= 1
    frame.write_bytes(data)
    done = verified(tmp_path / "STMW", "all")
    assert done.returncode == 8
    assert "1 of 41 do not hold" in done.stdout
    assert "SVI" in done.stderr
    assert verified(tmp_path / "STMW", "6").returncode == 0


def test_a_contribution_that_its_hospitals_ledger_does_not_know_is_found(demo, tmp_path):
    root, _, _ = demo
    copy = tmp_path / "SVHC"
    shutil.copytree(root / "d" / "SVHC", copy)
    view = rounds_view(copy)
    assert view.check(5).transcript.contributions["SVHC"] == view.sent[5]
    other = replace(view, sent={**view.sent, 5: "0" * 64})
    with pytest.raises(RoundError, match="not the one in its ledger"):
        other.check(5)
    with pytest.raises(UsageError, match="No study here fits 'x'"):
        rounds_view(copy, "x")
    with pytest.raises(UsageError, match="neither a hospital's nor a researcher's"):
        rounds_view(tmp_path)


def test_an_older_demonstration_is_not_overwritten_by_accident(demo):
    root, _, _ = demo
    again = subprocess.run(
        [sys.executable, "-m", "securefl", "demo", "--dir", str(root / "d")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 2
    assert "--fresh" in again.stderr


def test_a_folder_that_is_no_demonstration_is_never_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    kept = tmp_path / "mine" / "thesis.txt"
    kept.write_text("years of work")
    done = subprocess.run(
        [sys.executable, "-m", "securefl", "demo", "--fresh", "--dir", str(tmp_path / "mine")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert kept.read_text() == "years of work"


def test_the_model_scores_rows_and_leaves_out_those_it_was_not_made_for(demo, tmp_path):
    root, _, _ = demo
    lines = Path(root / "d" / "STMW" / "private" / "thyroid.csv").read_text().splitlines()[:4]
    header = lines[0].split(",")
    broken = lines[1].split(",")
    broken[header.index("age")] = "65526"
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join([*lines, ",".join(broken)]) + "\n")
    out = tmp_path / "scores.json"
    command = [
        sys.executable,
        "-m",
        "securefl",
        "predict",
        str(root / "d" / "researcher" / "model"),
        str(rows),
        "--json",
        str(out),
    ]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    scores = json.loads(out.read_text())["scores"]
    assert len(scores) == 4
    assert all(0 <= s <= 1 for s in scores[:3])
    assert scores[3] is None
