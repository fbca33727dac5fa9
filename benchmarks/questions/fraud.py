"""Fraud at epsilon 1 beside a pooled model without privacy, on invented customers.

``python benchmarks/questions/fraud.py`` trains ``protocols/studies/fraud`` on the customers of
``securefl/demo/fraud.py`` with the product's own noised steps and releases its evaluation, in one
process, for the splits of seeds 0 to 4; it writes ``fraud.json`` and prints a table. A minute on
one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.fraud import BANKS, tables
from securefl.study.parse import parse_protocol

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol((HERE.parents[1] / "protocols/studies/fraud/protocol.toml").read_bytes())
SIZES = {site: count for site, (count, _) in BANKS.items()}


def figures(seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise."""
    run = one_run(STUDY, tables(), SIZES, seed)
    x, y = run.aside
    pooled = LogisticRegression(max_iter=5_000).fit(*run.train)
    return {
        "seed": seed,
        "kept_aside": len(y),
        "defrauded": int(y.sum()),
        "exact": run.exact.auc,
        "released": [run.released.low, run.released.high],
        "pooled_without_privacy": float(roc_auc_score(y, pooled.predict_proba(x)[:, 1])),
    }


def main() -> None:
    """Measure, write, print."""
    runs = [figures(seed) for seed in range(5)]
    (HERE / "fraud.json").write_text(
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
