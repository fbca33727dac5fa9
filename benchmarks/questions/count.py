"""A count at epsilon 1 beside a pooled model without privacy, on invented patients.

``python benchmarks/questions/count.py`` trains ``protocols/studies/visits-count`` on the patients
of ``securefl/demo/visits.py`` with the product's own noised steps and releases its evaluation, in one process,
for the splits of seeds 0 to 4; it writes ``count.json`` and prints a table. Half a minute on one
core.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import PoissonRegressor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.visits import HOSPITALS, tables
from securefl.learning.tasks import task_of
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/visits-count/protocol.toml").read_bytes()
)
SIZES = {site: count for site, (count, _) in HOSPITALS.items()}


def figures(seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise; mean absolute errors in visits."""
    run = one_run(STUDY, tables(), SIZES, seed)
    task = task_of(STUDY.data)
    x, y = run.aside
    pooled = PoissonRegressor(alpha=0, max_iter=1000).fit(*run.train)
    said = np.minimum(pooled.predict(x), STUDY.data.label.largest)
    beside = task.own_figures(said, y, evaluation_of(STUDY))
    released = run.released
    return {
        "seed": seed,
        "kept_aside": len(y),
        "exact": run.exact.r2,
        "released": [released.low, released.high],
        "pooled_without_privacy": beside.r2,
        "error_exact": task.scale.distance(run.exact.mae),
        "error_released": [
            task.scale.distance(released.mae_low),
            task.scale.distance(released.mae_high),
        ],
        "error_pooled": task.scale.distance(beside.mae),
    }


def main() -> None:
    """Measure, write, print."""
    runs = [figures(seed) for seed in range(5)]
    (HERE / "count.json").write_text(
        json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n"
    )
    for run in runs:
        low, high = run["released"]
        least, most = run["error_released"]
        sys.stdout.write(
            f"| {run['seed']} | {run['exact']:.3f} | {low:.2f} to {high:.2f} |"
            f" {run['pooled_without_privacy']:.3f} | {run['error_exact']:.3f} |"
            f" {least:.2f} to {most:.2f} | {run['error_pooled']:.3f} |\n"
        )
    for name in ("exact", "pooled_without_privacy", "error_exact", "error_pooled"):
        sys.stdout.write(f"{name}: mean {statistics.mean(run[name] for run in runs):.4f}\n")


if __name__ == "__main__":
    main()
