"""Studies one after the other with all their processes, which are killed by chance and started again.

    python benchmarks/operation/soak.py --minutes 3
    python benchmarks/operation/soak.py --minutes 120 --json soak.json

Three hospitals, an aggregator and a researcher on this machine, over a folder; workers are the
tests' light ones. In each study one agent or the aggregator gets SIGKILL in the middle of a round
and is started at once. What is told: whether every study was completed; how long after its start a
hospital's contribution was in the store, as a ratio to how long its process takes to its first turn, and the processor time of its agent and worker until then; memory and open files of each process that was never killed, first and last.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from consortium import NAMES, RARE, Consortium, read_json
from machine import machine

if TYPE_CHECKING:
    from securefl.api import Study

#: A machine that is busy with other things takes longer to start a process than a study's tests wait.
LONG = ("round_deadline = 60", "round_deadline = 300")
#: The one whose memory and files are followed is never killed.
FOLLOWED, *VICTIMS = (*NAMES, "sums")


def held(pid: int) -> dict[str, int]:
    """Resident memory in kB and open files of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0])
    return {"kB": memory, "files": len(list(Path(f"/proc/{pid}/fd").iterdir()))}


def spent(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def killed(c: Consortium, study: Study, victim: str, number: int) -> dict[str, float]:
    """Kill a party when a round is announced; seconds of its start and until it has contributed."""
    c.until((c.in_round(study, number) / "announcement").exists, f"round {number}")
    c.end(victim, signal.SIGKILL)
    word = c.root / victim / "agent.json"
    word.unlink(missing_ok=True)  # of the process that was killed
    began = time.perf_counter()
    c.start(victim)
    if victim == "sums":
        return {}
    c.until(lambda: read_json(word).get("turned"), "the first turn of its agent")
    started = time.perf_counter() - began
    c.until((c.in_round(study, number) / "contributions" / victim).exists, "its contribution")
    took = time.perf_counter() - began
    pid = c._processes[victim].pid  # noqa: SLF001 - the tests' own
    processor = sum(spent(one) for one in (pid, *c.workers(victim)))
    return {"started": started, "resumed": took, "processor": processor}


def soak(minutes: float, seed: int) -> dict[str, Any]:
    """Run studies until the time is over."""
    lot = random.Random(seed)  # noqa: S311 - who is killed is no secret
    end = time.monotonic() + 60 * minutes
    studies: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as root, ThreadPoolExecutor(1) as pool:
        c = Consortium(Path(root), epsilon="1000")
        try:
            c.start_all()
            c.join()
            while time.monotonic() < end:
                study = c.new_study(f"soak-{len(studies)}", LONG, base=RARE)
                c.ready(study)
                run = pool.submit(c.run, study)
                victim, number = lot.choice(VICTIMS), lot.randint(1, 3)
                took = killed(c, study, victim, number)
                rounds = len(run.result(timeout=600).outcome.records)
                c.ended(study, *NAMES, status="completed")
                facts = held(c._processes[FOLLOWED].pid)  # noqa: SLF001 - the tests' own
                studies.append(
                    {"killed": victim, "round": number, "rounds": rounds, **took, **facts}
                )
                print(studies[-1], flush=True)
        finally:
            c.end_all()
    return {"machine": machine(), "minutes": minutes, "studies": studies}


def main() -> None:
    """Print what held, and the figures for programs where they are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="also write the figures")
    wanted = parser.parse_args()
    found = soak(wanted.minutes, wanted.seed)
    if wanted.json:
        Path(wanted.json).write_text(json.dumps(found, indent=2) + "\n")
    studies = found["studies"]
    print(f"{len(studies)} studies completed, each with one kill")
    back = [one for one in studies if "resumed" in one]
    if back:
        seconds = statistics.median(one["resumed"] for one in back)
        ratio = statistics.median(one["resumed"] / one["started"] for one in back)
        print(f"resumed after {seconds:.1f} s, {ratio:.1f} times its start to a first turn")
        processor = statistics.median(one["processor"] for one in back)
        print(f"processor time of agent and worker until then: {processor:.1f} s")
    first, last = studies[0], studies[-1]
    print(f"memory of {FOLLOWED}: {first['kB']} to {last['kB']} kB", end="; ")
    print(f"open files: {first['files']} to {last['files']}")


if __name__ == "__main__":
    main()
