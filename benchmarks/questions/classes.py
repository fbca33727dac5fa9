"""Several classes at epsilon 1 beside a pooled model without privacy, on the thyroid table.

``python benchmarks/questions/classes.py`` trains ``protocols/studies/thyroid-classes`` with the
product's own noised steps and releases its evaluation, in one process, for the splits of seeds 0 to
4; it writes ``classes.json`` and prints a table. About two minutes on one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.thyroid import SITES, site_tables
from securefl.learning.tasks import task_of
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/thyroid-classes/protocol.toml").read_bytes()
)


def figures(seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise."""
    run = one_run(STUDY, site_tables(), SITES, seed)
    x, y = run.aside
    pooled = LogisticRegression(max_iter=5_000).fit(*run.train)
    task = task_of(STUDY.data)
    beside = task.own_figures(pooled.predict_proba(x), y, evaluation_of(STUDY))
    return {
        "seed": seed,
        "exact": run.exact.macro_auc,
        "exact_of_classes": list(run.exact.aucs),
        "released": [run.released.low, run.released.high],
        "pooled_without_privacy": beside.macro_auc,
    }


def main() -> None:
    """Measure, write, print."""
    runs = [figures(seed) for seed in range(5)]
    (HERE / "classes.json").write_text(
        json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n"
    )
    for run in runs:
        low, high = run["released"]
        sys.stdout.write(
            f"| {run['seed']} | {run['exact']:.3f} | {low:.3f} to {high:.3f} |"
            f" {run['pooled_without_privacy']:.3f} |\n"
        )
    for name in ("exact", "pooled_without_privacy"):
        sys.stdout.write(f"{name}: mean {statistics.mean(run[name] for run in runs):.4f}\n")


if __name__ == "__main__":
    main()
