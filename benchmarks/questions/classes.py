"""Several classes at epsilon 1 beside a pooled model without privacy, on the thyroid table.

``python benchmarks/questions/classes.py`` trains ``protocols/studies/thyroid-classes`` with the
product's own noised steps and releases its evaluation, in one process, for the splits of seeds 0 to
4; it writes ``classes.json`` and prints a table. About two minutes on one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import machine

from securefl.demo.thyroid import SITES, demo_secret, site_tables
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies import strategy_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.privacy.randomness import SystemRandomness
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/thyroid-classes/protocol.toml").read_bytes()
)
WEIGHTS = {site: Fraction(rows, sum(SITES.values())) for site, rows in SITES.items()}


def one_run(seed: int) -> dict[str, Any]:
    """Figures of one split, with fresh noise."""
    halves = {}
    for site, table in site_tables().items():
        secret = demo_secret(seed, site)
        rows = prepare(read_table(table), STUDY.data, secret)
        halves[site] = split_rows(rows, secret, STUDY.data.holdout)
    draws, training, evaluation = (
        RandomDraws(SystemRandomness()),
        training_of(STUDY),
        evaluation_of(STUDY),
    )
    task, family = task_of(STUDY.data), family_of(training.model, STUDY.data)
    steps = [
        PrivateSteps(
            StepRule.from_study(STUDY, WEIGHTS[site]),
            closed_gradients(task),
            train.X,
            train.y,
            draws,
        )
        for site, (train, _) in halves.items()
    ]
    strategy = strategy_of(training)
    state = strategy.start(family.initial_weights(training.model.initial_seed))
    for _ in range(training.rounds):
        total = np.sum([step.update(strategy.broadcast(state)) for step in steps], axis=0)
        state = strategy.absorb(state, total, sum_unit(STUDY))
    total = np.zeros(task.histogram_size(evaluation), dtype=np.int64)
    for _, held_out in halves.values():
        said = predict(state.theta, family, task, held_out.X)
        places = task.place(said, held_out.y, evaluation)
        total += release_counts(row_counts(places, total.size), evaluation, draws)
    released = task.evaluate(total, evaluation, len(halves))
    x, y = joined(halves, 1)
    exact = task.own_figures(predict(state.theta, family, task, x), y, evaluation)
    pooled = LogisticRegression(max_iter=5_000).fit(*joined(halves, 0))
    beside = task.own_figures(pooled.predict_proba(x), y, evaluation)
    return {
        "seed": seed,
        "exact": exact.macro_auc,
        "exact_of_classes": list(exact.aucs),
        "released": [released.low, released.high],
        "pooled_without_privacy": beside.macro_auc,
    }


def joined(halves: dict[str, Any], half: int) -> tuple[Any, Any]:
    """Features and targets of all hospitals: those that train (0) or are kept aside (1)."""
    parts = [both[half] for both in halves.values()]
    return np.concatenate([p.X for p in parts]), np.concatenate([p.y for p in parts])


def main() -> None:
    """Measure, write, print."""
    runs = [one_run(seed) for seed in range(5)]
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
