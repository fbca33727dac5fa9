"""A whole study of many hospitals on one machine: every agent and every worker a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/operation/many_hospitals.py
    OMP_NUM_THREADS=1 python benchmarks/operation/many_hospitals.py --hospitals 20 --json many.json

All processes are forked from one that has imported the package, as in the tests (decision 93): that is the
pool which they share. Walls, keys, ledgers, masks, encryption and PySyft are the product's. What is
told is the memory of all processes together, each shared page counted once (``Pss``, proc_pid_smaps(5)), at its
largest, and whether the study was completed at every hospital.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import forked_processes
from consortium import RARE, Consortium
from machine import machine

if TYPE_CHECKING:
    from collections.abc import Callable

#: Everything takes longer with so many on two cores.
PATIENCE = 1200.0
#: Seconds between two looks at the memory of all processes.
LOOK = 5.0


class ManyHospitals(Consortium):
    """A consortium whose steps may take long."""

    def until(self, found: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Ask until it is true."""
        super().until(found, what, max(seconds, PATIENCE))


def parents() -> dict[int, int]:
    """Every process of this machine and its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            found[int(folder.name)] = int(fields[1])
    return found


def processes(root: int) -> set[int]:
    """A process and all that descend from it."""
    above, found = parents(), {root}
    while True:
        more = {pid for pid, parent in above.items() if parent in found} - found
        if not more:
            return found
        found |= more


def memory_kb(pids: set[int]) -> int:
    """Memory of processes together, a shared page counted once."""
    total = 0
    for pid in pids:
        with suppress(OSError, IndexError):
            facts = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(facts.split("Pss:")[1].split()[0])
    return total


class MemoryWatch:
    """Looks at the memory of this process and its descendants until it is asked to stop."""

    def __init__(self, root: int) -> None:
        self.largest_kb, self.most = 0, 0
        self._root, self._over = root, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(LOOK):
            pids = processes(self._root)
            self.largest_kb = max(self.largest_kb, memory_kb(pids))
            self.most = max(self.most, len(pids))


def measure(hospitals: int) -> dict[str, Any]:
    """Run one study of so many hospitals, and look at all processes meanwhile."""
    forked_processes.install()
    names = tuple(f"H{number:02}" for number in range(hospitals))
    everybody = (("min_contributors = 3", f"min_contributors = {hospitals}"),)
    patient = (("round_deadline = 60", "round_deadline = 900"),)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root, MemoryWatch(os.getpid()) as watch:
        c = ManyHospitals(Path(root), epsilon="1000", names=names, real_workers=names)
        try:
            c.start_all()
            c.join()
            print(f"{hospitals} agents run after {time.monotonic() - began:.0f} s", flush=True)
            study = c.new_study("many", *everybody, *patient, base=RARE)
            c.ready(study)
            print(f"all are ready after {time.monotonic() - began:.0f} s", flush=True)
            outcome = c.run(study).outcome
            c.ended(study, *names, status="completed")
        finally:
            c.end_all()
    return {
        "machine": machine(),
        "hospitals": hospitals,
        "rounds": len(outcome.records),
        "contributions": min(len(record.contributions) for record in outcome.records),
        "seconds": round(time.monotonic() - began),
        "processes": watch.most,
        "memory_mb": round(watch.largest_kb * 1024 / 1e6),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hospitals", type=int, default=67)
    parser.add_argument("--json", help="also write the figures")
    wanted = parser.parse_args()
    found = measure(wanted.hospitals)
    if wanted.json:
        Path(wanted.json).write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
