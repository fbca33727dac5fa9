"""A number at epsilon 1 beside a pooled model without privacy, on the thyroid table.

``python benchmarks/questions/number.py`` trains ``protocols/studies/thyroid-number`` with the
product's own noised steps and releases its evaluation, in one process, for the splits of seeds 0 to
4; it writes ``number.json`` and prints a table. Half a minute on one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.thyroid import SITES, site_tables
from securefl.learning.tasks.number.own_figures import figures_of
from securefl.learning.tasks.number.task import scale_of
from securefl.study.parse import parse_protocol

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/thyroid-number/protocol.toml").read_bytes()
)


def figures(seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise; mean absolute errors as factors."""
    run = one_run(STUDY, site_tables(), SITES, seed)
    scale = scale_of(STUDY.data.label)
    x, y = run.aside
    pooled = LinearRegression().fit(*run.train)
    beside = figures_of(pooled.predict(x).clip(-1, 1), y)
    trees = HistGradientBoostingRegressor(random_state=0).fit(*run.train)
    released = run.released
    return {
        "seed": seed,
        "kept_aside": len(y),
        "exact": run.exact.r2,
        "released": [released.low, released.high],
        "pooled_without_privacy": beside.r2,
        "trees_pooled_without_privacy": trees.score(x, y),
        "error_exact": scale.distance(run.exact.mae),
        "error_released": [scale.distance(released.mae_low), scale.distance(released.mae_high)],
        "error_pooled": scale.distance(beside.mae),
    }


def main() -> None:
    """Measure, write, print."""
    runs = [figures(seed) for seed in range(5)]
    (HERE / "number.json").write_text(
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
    for name in (
        "exact",
        "pooled_without_privacy",
        "trees_pooled_without_privacy",
        "error_exact",
        "error_pooled",
    ):
        sys.stdout.write(f"{name}: mean {statistics.mean(run[name] for run in runs):.4f}\n")


if __name__ == "__main__":
    main()
