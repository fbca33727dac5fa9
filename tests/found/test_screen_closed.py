"""A study goes on when its screen is gone: a reader that leaves, a full device, a terminal that
closes; and Ctrl-C asks first.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from consortium import consortium

from securefl.learning.artefact import load_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    with consortium(tmp_path_factory.mktemp("screens")) as made:
        yield made


def command(c, study):
    out = c.root / f"model of {study.name}"
    return [
        sys.executable,
        "-m",
        "securefl",
        "study",
        "run",
        study.name,
        "--wait",
        "60",
        "--out",
        str(out),
        "--researcher",
        str(c.lab.folder.path),
    ]


def came_to_its_end(c, study):
    c.ended(study, *c.names, status="completed")
    assert study.report()["rounds"] == study.plan.last_round
    assert load_model(c.root / f"model of {study.name}").facts.study_digest == study.digest


def announced(c, study, number):
    c.until((c.in_round(study, number) / "announcement").exists, f"round {number}")


def test_a_reader_that_leaves_after_the_first_line(c):
    study = c.new_study("piped")
    c.ready(study)
    process = subprocess.Popen(
        command(c, study),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert b"round 1" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    came_to_its_end(c, study)
    assert (study.folder / "run.log").read_text().count("the screen is gone") == 1


def test_a_full_device_and_a_terminal_that_closes(c):
    study = c.new_study("full")
    c.ready(study)
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            command(c, study), stdin=subprocess.DEVNULL, stdout=full, stderr=full
        )
        announced(c, study, 2)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=120) == 0
    came_to_its_end(c, study)


def at_a_terminal(c, study):
    """``study run`` at a terminal of its own; the terminal's other end, and the process."""
    ours, theirs = pty.openpty()
    # a shell starts its background jobs with Ctrl-C ignored, and what is ignored is inherited
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command(c, study), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    return ours, process


def read_until(terminal, text, seconds=120.0):
    seen, end = b"", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < end, seen.decode(errors="replace")
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the terminal of a process that ended
            break
    return seen.decode(errors="replace")


def test_the_first_ctrl_c_says_what_it_costs_and_one_alone_ends_nothing(c):
    study = c.new_study("asked")
    c.ready(study)
    terminal, process = at_a_terminal(c, study)
    announced(c, study, 1)
    process.send_signal(signal.SIGINT)
    said = read_until(terminal, b"to stop.")
    assert "Stopping ends the study for all: " in said
    assert f" of {study.plan.last_round} rounds are done" in said
    os.close(terminal)  # and then the whole terminal goes away
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 0
    came_to_its_end(c, study)


def test_the_second_ctrl_c_ends_the_study_for_all(c):
    study = c.new_study("stopped")
    c.ready(study)
    terminal, process = at_a_terminal(c, study)
    announced(c, study, 1)
    process.send_signal(signal.SIGINT)
    read_until(terminal, b"to stop.")
    process.send_signal(signal.SIGINT)
    read_until(terminal, b"stopped by hand")
    assert process.wait(timeout=120) == 130
    os.close(terminal)
    c.ended(study, *c.names, status="failed")
    assert "ended early ('round'" in study.run_status()
