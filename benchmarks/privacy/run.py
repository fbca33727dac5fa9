"""Measure ledger, audit and noised steps, each beside bare work of the same size in the same run,
and write the page.

    python benchmarks/privacy/run.py                    # about three minutes
    python benchmarks/privacy/run.py --wait 30          # wait up to 30 minutes for a quiet machine first

Writes ``results.json`` and ``README.md`` into ``--out``. Files that are written while measuring are
below ``--scratch``, on the disk that is to be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import dp_training
import ledger
from page import write_page

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from machine import machine, wait_for_quiet, with_load  # noqa: E402 - beside this folder

PACKAGES = ("securefl", "torch", "opacus", "dp-accounting", "cryptography")


def main() -> None:
    """Measure, then write the page."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--events", default=10_000, type=int, help="in the ledger that is verified"
    )
    options.add_argument("--pairs", default=7, type=int, help="of runs of noised steps")
    options.add_argument("--scratch", default=Path.cwd(), type=Path)
    options.add_argument("--out", default=HERE, type=Path)
    options.add_argument(
        "--wait", default=0.0, type=float, help="minutes to wait for a load below 1"
    )
    chosen = options.parse_args()
    wait_for_quiet(1.0, chosen.wait)
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as folder:
        kept = with_load("ledger and audit", ledger.measure, Path(folder), chosen.events)
    steps = with_load("noised steps", dp_training.measure, chosen.pairs)
    results = {"machine": machine(*PACKAGES), "ledger": kept, "steps": steps}
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    write_page(chosen.out, results)
    print(f"written: {chosen.out / 'README.md'}")


if __name__ == "__main__":
    main()
