"""Logistic regression on the heart table at epsilon 1, beside pooled without privacy.

``SECUREFL_TEST_DATA=DIR python benchmarks/questions/heart.py`` trains ``protocols/studies/heart``
with the product's own noised steps in one process, for the splits of seeds 0 to 4, ten times each
with fresh noise; again at epsilon .25 with shared noise; beside each a logistic regression of all
rows without privacy. Figures are exact, of all patients kept aside: the AUC, and the mean over the
four centres of the accuracy. It writes ``heart.json`` and prints a table. A minute on one core.
"""

from __future__ import annotations

import json
import statistics
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from federated import one_run
from machine import machine

from securefl.demo.thyroid import demo_secret
from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.table import read_table
from securefl.privacy.planning import noise_for_epsilon
from securefl.public_tables import heart_tables
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
TEXT = (HERE.parents[1] / "protocols/studies/heart/protocol.toml").read_text("utf-8")
SEEDS = range(5)
RELEASES = 10
_STEPS = 20
_DELTA = Decimal("1e-4")
_HALF = 0.5


def main() -> None:
    """Measure, write, print."""
    tables = heart_tables()
    sizes = {site: len(table.splitlines()) - 1 for site, table in tables.items()}
    said: dict[str, Any] = {"machine": machine(), "releases_of_each": RELEASES}
    said["seeds"] = [figures(tables, sizes, seed) for seed in SEEDS]
    (HERE / "heart.json").write_text(json.dumps(said, indent=1) + "\n")
    for row in said["seeds"]:
        low, high = row["released"]
        auc, accuracy = row["epsilon_1"]["auc"], row["epsilon_1"]["accuracy"]
        pooled = row["pooled_without_privacy"]
        sys.stdout.write(
            f"| {row['seed']} | {auc:.3f} | {low:.3f} to {high:.3f} | {accuracy:.3f} |"
            f" {row['epsilon_quarter_shared_noise']['auc']:.3f} | {pooled['auc']:.3f} |"
            f" {pooled['accuracy']:.3f} |\n"
        )
    for name in ("epsilon_1", "epsilon_quarter_shared_noise", "pooled_without_privacy"):
        for figure in ("auc", "accuracy"):
            mean = statistics.mean(row[name][figure] for row in said["seeds"])
            sys.stdout.write(f"{name} {figure}: mean {mean:.4f}\n")


def figures(tables: Mapping[str, bytes], sizes: Mapping[str, int], seed: int) -> dict[str, Any]:
    """Figures of one split: means over fresh noises, and the interval of the first release."""
    whole = [one_run(parse_protocol(TEXT), tables, sizes, seed) for _ in range(RELEASES)]
    quarter = [
        one_run(parse_protocol(shared_noise()), tables, sizes, seed) for _ in range(RELEASES)
    ]
    ends = centre_ends(tables, seed)
    x, y = whole[0].aside
    pooled = LogisticRegression(max_iter=5_000, C=1e6).fit(*whole[0].train)
    without = pooled.predict_proba(x)[:, 1]
    return {
        "seed": seed,
        "released": [whole[0].released.low, whole[0].released.high],
        "epsilon_1": means([run.said for run in whole], y, ends),
        "epsilon_quarter_shared_noise": means([run.said for run in quarter], y, ends),
        "pooled_without_privacy": means([without], y, ends),
    }


def shared_noise() -> str:
    """The study at epsilon .25 with a third of the noise at each centre (one may collude)."""
    noise = noise_for_epsilon(Decimal("0.25"), _DELTA, Fraction(1), _STEPS)
    text = TEXT
    for old, new in (
        ('noise_multiplier = "14.25"', f'noise_multiplier = "{noise}"'),
        ('noise = "local"', 'noise = "distributed"'),
        ("colluders = 2", "colluders = 1"),
        # a smaller step for the larger noise, as benchmarks/differ measured
        ('server_learning_rate = "1"', 'server_learning_rate = "0.25"'),
    ):
        if old not in text:
            raise ValueError(f"{old} is not in the study file")
        text = text.replace(old, new, 1)
    return text


def centre_ends(tables: Mapping[str, bytes], seed: int) -> list[int]:
    """Where each centre's patients end among those kept aside."""
    study = parse_protocol(TEXT)
    many = []
    for site, table in tables.items():
        secret = demo_secret(seed, site)
        rows = prepare(read_table(table), study.data, secret)
        many.append(len(split_rows(rows, secret, study.data.holdout)[1].y))
    found: list[int] = np.cumsum(many).tolist()
    return found


def means(said: list[FloatArray], y: FloatArray, ends: list[int]) -> dict[str, float]:
    """Mean AUC, and mean over centres of the accuracy, of several models."""
    aucs = [float(roc_auc_score(y, one)) for one in said]
    accuracies = []
    for one in said:
        right = (one.reshape(-1) >= _HALF) == (y > 0)
        accuracies.append(float(np.mean([part.mean() for part in np.split(right, ends[:-1])])))
    return {"auc": statistics.mean(aucs), "accuracy": statistics.mean(accuracies)}


if __name__ == "__main__":
    main()
