"""A time to an event at epsilon 1 beside a pooled Cox model without privacy, on a public cohort.

``python benchmarks/questions/time_to_event.py FLCHAIN`` trains ``protocols/studies/chains-survival``
with the product's own noised steps and releases its evaluation, in one process, for the splits of
seeds 0 to 4; it writes ``time_to_event.json`` and prints a table. FLCHAIN is the file that
``securefl/demo/chains.py`` names. A minute on one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.chains import HOSPITALS, tables
from securefl.learning.tasks.survival.labels import parts
from securefl.learning.tasks.survival.own_figures import exact_c_index
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from securefl.types import FloatArray, IntArray

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/chains-survival/protocol.toml").read_bytes()
)
INTERVALS = len(STUDY.data.label.edges)


def cox(x: FloatArray, place: IntArray, event: IntArray) -> FloatArray:
    """Coefficients of Cox's model on intervals, ties as Breslow (1974) has them: float64[d]."""
    at_risk = [place + event > interval for interval in range(INTERVALS)]
    died = [(place == interval) & (event == 1) for interval in range(INTERVALS)]

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        scores = x @ weights
        value, slope = 0.0, np.zeros_like(weights)
        for risk, now in zip(at_risk, died, strict=True):
            odds = np.exp(scores[risk])
            count = int(now.sum())
            value += count * np.log(odds.sum()) - scores[now].sum()
            slope += count * (odds @ x[risk]) / odds.sum() - x[now].sum(axis=0)
        return value / len(x), slope / len(x)

    return minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x


def figures(path: Path, seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise."""
    run = one_run(STUDY, tables(path), HOSPITALS, seed)
    x, y = (np.asarray(part, dtype=np.float64) for part in run.train)
    weights = cox(x, *parts(y, INTERVALS))
    aside, targets = run.aside
    beside = exact_c_index(aside.astype(np.float64) @ weights, *parts(targets, INTERVALS))
    released = run.released
    return {
        "seed": seed,
        "kept_aside": len(targets),
        "exact": run.exact.c_index,
        "released": [released.low, released.high],
        "pooled_cox_without_privacy": beside,
        "brier_exact": list(run.exact.brier),
        "brier_released": [[row.low, row.high] for row in released.brier],
        "brier_of_the_published_curve": [row.published for row in released.brier],
    }


def main() -> None:
    """Measure, write, print."""
    path = Path(sys.argv[1])
    runs = [figures(path, seed) for seed in range(5)]
    (HERE / "time_to_event.json").write_text(
        json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n"
    )
    for run in runs:
        low, high = run["released"]
        last = run["brier_released"][-1]
        sys.stdout.write(
            f"| {run['seed']} | {run['exact']:.3f} | {low:.3f} to {high:.3f} |"
            f" {run['pooled_cox_without_privacy']:.3f} | {run['brier_exact'][-1]:.3f} |"
            f" {last[0]:.3f} to {last[1]:.3f} | {run['brier_of_the_published_curve'][-1]:.3f} |\n"
        )
    for name in ("exact", "pooled_cox_without_privacy"):
        sys.stdout.write(f"{name}: mean {statistics.mean(run[name] for run in runs):.4f}\n")
    last = statistics.mean(run["brier_exact"][-1] for run in runs)
    sys.stdout.write(f"brier_exact: mean {last:.4f}\n")


if __name__ == "__main__":
    main()
