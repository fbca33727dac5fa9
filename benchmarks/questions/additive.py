"""An additive model at epsilon 1 beside straight lines, with and without privacy, on thyroid and heart.

``python benchmarks/questions/additive.py`` trains ``protocols/studies/thyroid-additive`` and, where
``SECUREFL_TEST_DATA`` names its folder, ``protocols/studies/heart-additive`` with the product's own
noised steps in one process, for the splits of seeds 0 to 4; beside them the same study with a
straight line for each number, and a logistic regression of all rows without privacy. It writes
``additive.json`` and prints tables. Two minutes on one core.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.public_tables import DATA_VARIABLE, THYROID_SITES, heart_tables, thyroid_tables
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).resolve().parent
#: Of each study: keys of its model's table, learning rate, and the straight line's.
STUDIES = {
    "thyroid-additive": ('kind = "additive"\nknots = 12\n', "9", "6"),
    "heart-additive": ('kind = "additive"\nknots = 6\n', "1", "1"),
}


def main() -> None:
    """Measure, write, print."""
    tables = {"thyroid-additive": (thyroid_tables(), THYROID_SITES)}
    if os.environ.get(DATA_VARIABLE):
        heart = heart_tables()
        sizes = {site: len(table.splitlines()) - 1 for site, table in heart.items()}
        tables["heart-additive"] = (heart, sizes)
    said: dict[str, Any] = {"machine": machine()}
    for name, (of_sites, sizes) in tables.items():
        said[name] = [figures(name, of_sites, sizes, seed) for seed in range(5)]
        show(name, said[name])
    (HERE / "additive.json").write_text(json.dumps(said, indent=1) + "\n")


def figures(
    name: str, tables: Mapping[str, bytes], sizes: Mapping[str, int], seed: int
) -> dict[str, Any]:
    """Exact AUCs of one split, with fresh noise, and the released interval."""
    text = (HERE.parents[1] / "protocols/studies" / name / "protocol.toml").read_text("utf-8")
    model, rate, straight_rate = STUDIES[name]
    straight = text.replace(model, 'kind = "logistic-regression"\n').replace(
        f'server_learning_rate = "{rate}"', f'server_learning_rate = "{straight_rate}"'
    )
    curves = one_run(parse_protocol(text), tables, sizes, seed, own_gradients=True)
    line = one_run(parse_protocol(straight), tables, sizes, seed)
    x, y = line.aside
    pooled = LogisticRegression(max_iter=5_000, C=1e6).fit(*line.train)
    return {
        "seed": seed,
        "exact": curves.exact.auc,
        "released": [curves.released.low, curves.released.high],
        "straight_line": line.exact.auc,
        "pooled_straight_line_without_privacy": float(
            roc_auc_score(y, pooled.predict_proba(x)[:, 1])
        ),
    }


def show(name: str, runs: list[dict[str, Any]]) -> None:
    """A table for the protocol's README."""
    sys.stdout.write(f"{name}\n")
    for run in runs:
        low, high = run["released"]
        sys.stdout.write(
            f"| {run['seed']} | {run['exact']:.4f} | {low:.3f} to {high:.3f} |"
            f" {run['straight_line']:.4f} | {run['pooled_straight_line_without_privacy']:.4f} |\n"
        )
    for key in ("exact", "straight_line", "pooled_straight_line_without_privacy"):
        sys.stdout.write(f"{key}: mean {statistics.mean(run[key] for run in runs):.4f}\n")


if __name__ == "__main__":
    main()
