"""Additive models at epsilon 1 beside InterpretML's explainable boosting machine of all rows.

``python benchmarks/questions/additive_ebm.py --pooled PYTHON`` trains ``protocols/studies/
thyroid-additive`` with the product's own noised steps in one process, for the splits of seeds 0 to 4,
on the 9172 records of the thyroid table; beside it stands the machine of Lou et al. (2012) as
interpret-core fits it on all rows in one place without privacy: with curves alone, as the additive
family has them, and with ``--pairs`` also with pairs of columns, its own default. It writes
``additive_ebm.json`` and prints a table. PYTHON is that of an environment of its own (``pip install interpret-core scikit-learn``).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.public_tables import THYROID_SITES, thyroid_tables
from securefl.study.parse import parse_protocol

HERE = Path(__file__).resolve().parent
STUDY = HERE.parents[1] / "protocols/studies/thyroid-additive/protocol.toml"


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pooled", required=True, help="python of the environment with interpret")
    parser.add_argument("--pairs", action="store_true", help="also with pairs; takes longer")
    given = parser.parse_args()
    study, tables = parse_protocol(STUDY.read_bytes()), thyroid_tables()
    runs = []
    for seed in range(5):
        run = one_run(study, tables, THYROID_SITES, seed, own_gradients=True)
        released = [run.released.low, run.released.high]
        own = {"seed": seed, "exact": run.exact.auc, "released": released}
        runs.append({**own, **of_all_rows(given.pooled, run.train, run.aside, pairs=given.pairs)})
    said = {"machine": machine(), "thyroid-additive": runs}
    (HERE / "additive_ebm.json").write_text(json.dumps(said, indent=1) + "\n")
    keys = ("exact", *(key for key in runs[0] if key.startswith("pooled")))
    for one in runs:
        low, high = one["released"]
        cells = " | ".join(f"{one[key]:.4f}" for key in keys)
        sys.stdout.write(f"| {one['seed']} | {cells} | {low:.3f} to {high:.3f} |\n")
    means = " | ".join(f"{statistics.mean(one[key] for one in runs):.4f}" for key in keys)
    sys.stdout.write(f"| mean | {means} | |\n")


def of_all_rows(
    python: str,
    train: tuple[Any, Any],
    aside: tuple[Any, Any],
    *,
    pairs: bool,
) -> dict[str, Any]:
    """The boosting machine on all rows without privacy, in the other environment."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.npz"
        np.savez(file, x=train[0], y=train[1], x_aside=aside[0], y_aside=aside[1])
        done = subprocess.run(
            [python, HERE / "additive_ebm_pooled.py", file, *(["--pairs"] if pairs else [])],
            check=True,
            capture_output=True,
            text=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
