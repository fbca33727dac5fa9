"""An idle hospital's agent: share of a core, memory, open files, beside many partners and old studies.

    python benchmarks/operation/idle.py
    python benchmarks/operation/idle.py --partners 67 --studies 30 --seconds 120 --json idle.json

The agent is the product's, in a process of its own, over a folder. Its partners are trusted cards; each
old study was requested, approved, begun and completed in the hospital's ledger, and lies in the store. What is told is processor time, so that other work on this machine matters little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import forked_processes
from consortium import NAMES, RARE, Consortium, read_json
from killed_hospital import invite
from machine import machine

from securefl.identity import Identity

ME = NAMES[0]
#: Seconds after its first turn until an agent counts as idle.
SETTLE = 60.0


def spent(pid: int) -> float:
    """Processor seconds of a process and of its children that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def held(pid: int) -> tuple[int, int]:
    """Resident memory in kB, and open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0])
    return memory, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def made(root: Path, partners: int, studies: int) -> Consortium:
    """A hospital with so many partners and completed studies; no process runs."""
    c = Consortium(root, epsilon="1000")
    site = c.site(ME)
    for number in range(partners - len(NAMES) + 1):
        card = Identity.generate(f"H{number}", "hospital", "A hospital", "a@b.example").card
        site.book.trust(card)
    site.ledger.close()
    for number in range(studies):
        study = c.new_study(f"old-{number}", base=RARE)
        invite(c, study)
        c.hand_over(study, ME)
        c.approve(ME, study)
        hospital = c.site(ME)
        hospital.ledger.start(study.digest)
        hospital.ledger.settle(study.digest, "completed")
        hospital.ledger.close()
    return c


def turned(folder: Path) -> bool:
    """True once an agent has done its first turn."""
    word = folder / "agent.json"
    return word.exists() and bool(read_json(word).get("turned"))


def measure(partners: int, studies: int, seconds: float) -> dict[str, Any]:
    """Start the agent, let it settle, and look at it for so long."""
    forked_processes.want(forks=False)  # a forked one has all of the package in its memory
    with tempfile.TemporaryDirectory() as folder:
        c = made(Path(folder), partners, studies)
        words = [sys.executable, "-m", "securefl", "site", "start", "--site", str(c.root / ME)]
        with (c.root / "agent.out").open("wb") as out:
            agent = subprocess.Popen(words, stdout=out, stderr=out)
        try:
            began = time.monotonic()
            while not turned(c.root / ME):
                if agent.poll() is not None or time.monotonic() - began > 600:
                    raise RuntimeError((c.root / "agent.out").read_text())
                time.sleep(0.1)
            to_first_turn = spent(agent.pid)
            time.sleep(SETTLE)
            before, at = spent(agent.pid), time.monotonic()
            time.sleep(seconds)
            after, wall = spent(agent.pid), time.monotonic() - at
            memory, files = held(agent.pid)
        finally:
            agent.terminate()
            agent.wait()
    return {
        "machine": machine(),
        "partners": partners,
        "studies": studies,
        "seconds": round(wall, 1),
        "processor_to_first_turn": round(to_first_turn, 2),
        "core_share": round((after - before) / wall, 5),
        "kB": memory,
        "files": files,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--partners", type=int, default=67)
    parser.add_argument("--studies", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--json", help="also write the figures")
    wanted = parser.parse_args()
    found = measure(wanted.partners, wanted.studies, wanted.seconds)
    if wanted.json:
        Path(wanted.json).write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
