"""Bytes that a console keeps of a ledger that it checked, by Python's own count of allocations.

python benchmarks/owner/memory.py [--studies 1000]
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import ME, fill

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from consortium import Consortium

from securefl.identity import verify
from securefl.privacy.ledger_again import LedgerMemory


def main() -> None:
    """Fill a ledger, read it as a console does, and print what stays allocated."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--studies", type=int, default=1000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        consortium = Consortium(Path(folder), epsilon="1000")
        events = fill(consortium, given.studies, 1)
        key = consortium.site(ME).identity.card.signing_public
        memory = LedgerMemory(consortium.root / ME / "ledger.sqlite")
        gc.collect()
        tracemalloc.start()
        for turn in ("first", "again"):
            reading = memory.read(key, lambda signature, data: verify(key, signature, data))
            fault = reading.fault
            del reading
            gc.collect()
            kept, most = tracemalloc.get_traced_memory()
            print(
                f"{turn}: {events:,} events, {kept / 1e6:.1f} MB kept, {most / 1e6:.1f} MB at most"
            )
            if fault is not None:
                raise SystemExit(f"the ledger has a fault: {fault}")
            tracemalloc.reset_peak()


if __name__ == "__main__":
    main()
