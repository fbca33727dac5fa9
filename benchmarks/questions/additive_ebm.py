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
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from beside_pooled import of_all_rows, show
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
    words = ["--pairs"] if given.pairs else []
    runs = []
    for seed in range(5):
        run = one_run(study, tables, THYROID_SITES, seed, own_gradients=True)
        released = [run.released.low, run.released.high]
        own = {"seed": seed, "exact": run.exact.auc, "released": released}
        arrays = {
            "x": run.train[0],
            "y": run.train[1],
            "x_aside": run.aside[0],
            "y_aside": run.aside[1],
        }
        pooled = of_all_rows(given.pooled, "additive_ebm_pooled.py", arrays, words)
        runs.append({**own, **pooled})
    said = {"machine": machine(), "thyroid-additive": runs}
    (HERE / "additive_ebm.json").write_text(json.dumps(said, indent=1) + "\n")
    keys = ("exact", *(key for key in runs[0] if key.startswith("pooled")))
    show("thyroid-additive", runs, keys)


if __name__ == "__main__":
    main()
