"""A study of five hospitals, each on a host of its own (:mod:`hosts`), with only a store in common;
one hospital is cut off for two rounds.

Runs on the researcher's host: ``python hosts_apart.py FOLDER``; :func:`main` starts it there. Writes
``figures.json`` into the folder.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from conftest import SITES  # noqa: E402 - found by the line above
from consortium import LIGHT_AGENT, RARE, Consortium  # noqa: E402
from hosts import Hosts, hosts  # noqa: E402
from hosts_store import BUCKET  # noqa: E402
from killed_hospital import invite  # noqa: E402

NAMES = tuple(sorted(SITES))
LOST = NAMES[2]
#: Rounds that go on without it.
AWAY = (2, 3)
EDITS = (
    ("min_contributors = 3", "min_contributors = 4"),
    ('on_dropout = "fail"', 'on_dropout = "continue"\nold_rounds = "remove"'),
    ("rounds = 3", "rounds = 5"),
    ("steps = 3", "steps = 5"),
    ('epsilon = "0.0149"\nnoise_multiplier', 'epsilon = "0.0181"\nnoise_multiplier'),
    ("round_deadline = 60", "round_deadline = 45"),
)


class Apart(Consortium):
    """A consortium whose processes run on hosts of their own."""

    hosts: Hosts

    def start(self, name):
        role = ("site", "start", "--site")
        program = (str(LIGHT_AGENT),)
        if name == "sums":
            role, program = ("aggregator", "start", "--aggregator"), ("-m", "securefl")
        words = [*self.hosts.run(name), sys.executable, *program, *role, str(self.root / name)]
        with (self.root / name / "process.out").open("ab") as out:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self.hosts.environment(name),
            )
        self._processes[name] = process
        return process


def play(folder):
    """The study; on the researcher's host."""
    there = Hosts((*NAMES, "sums", "researcher"))
    there.prefix = (folder / "prefix").read_text()
    strangers = {name: there.strangers(name) for name in there.names}
    root = folder / "parties"
    root.mkdir()
    c = Apart(root, names=NAMES, epsilon="1000", way_of=lambda _: f"s3://{BUCKET}/study")
    c.hosts = there
    study = c.new_study("apart", *EDITS, base=RARE)
    invite(c, study)
    rounds, times = [], [time.monotonic()]

    def watch(record):
        times.append(time.monotonic())
        rounds.append(sorted(record.contributions))
        if record.round == AWAY[-1]:
            there.mend(LOST)

    def cut():
        """Cut the hospital off once the first round is over."""
        while not rounds:
            time.sleep(0.05)
        there.cut(LOST)

    try:
        for name in NAMES:
            c.hand_over(study, name)
        c.start_all()
        for name in NAMES:
            c.approve(name, study)
        waits = "all hospitals being ready"
        c.until(lambda: all("researcher" in c.waits_for(n, study) for n in NAMES), waits, 240)
        threading.Thread(target=cut, daemon=True).start()
        times[0] = time.monotonic()
        outcome = c.run(study, watch)
        c.ended(study, *NAMES, status="completed", seconds=180)
        found = {
            "rounds": rounds,
            "seconds": [round(b - a, 1) for a, b in itertools.pairwise(times)],
            "status": {name: c.status(name, study) for name in NAMES},
            "strangers": strangers,
            "left": sorted(outcome.lost),
        }
        (folder / "figures.json").write_text(json.dumps(found, indent=2))
    finally:
        c.end_all()


def main(folder):
    """Make the hosts, play the study on the researcher's, and read the figures.

    Raises:
        NoRightError: this user may make no network namespaces.
    """
    with hosts((*NAMES, "sums", "researcher"), folder) as made:
        (folder / "prefix").write_text(made.prefix)
        command = [*made.run("researcher"), sys.executable, __file__, str(folder)]
        subprocess.run(command, check=True, env=made.environment("researcher"), timeout=900)
        return {**json.loads((folder / "figures.json").read_text()), "netem": made.by_netem}


if __name__ == "__main__":
    play(Path(sys.argv[1]))
