"""Boosted trees at epsilon 1 beside pooled XGBoost and straight lines without privacy.

``python benchmarks/questions/boost.py --pooled PYTHON`` trains ``protocols/studies/thyroid-boost``
with the product's own noised steps in one process, for the splits of seeds 0 to 4: with the noise
that the hospitals share, as it stands there, and with each hospital's full noise; the same trees
for the question of ``thyroid`` and for the banks of ``fraud``; beside each an additive model with
the same noise. PYTHON is of an environment of its own with ``xgboost`` and ``scikit-learn``, in
which ``boost_pooled.py`` fits all rows without privacy. Writes ``boost.json`` and prints a table.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from beside_pooled import of_all_rows, show
from federated import one_run
from machine import machine

from securefl.demo import fraud
from securefl.public_tables import THYROID_SITES, thyroid_tables
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).resolve().parent
STUDIES = HERE.parents[1] / "protocols" / "studies"
SEEDS = range(5)
OWN_NOISE = {
    'noise = "distributed"': 'noise = "local"',
    "colluders = 1": "colluders = 3",
}


@dataclass(frozen=True)
class Question:
    """One question with its trees.

    Args:
        text: the study file.
        tables: of the hospitals.
        sizes: published ones.
    """

    text: str
    tables: Mapping[str, bytes]
    sizes: Mapping[str, int]


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pooled", required=True, help="python of the environment with xgboost")
    pooled = parser.parse_args().pooled
    said: dict[str, Any] = {"machine": machine()}
    for name, question in questions().items():
        said[name] = [figures(question, seed, pooled) for seed in SEEDS]
        show(name, said[name], ("trees", "curves", "pooled_xgboost", "pooled_straight_line"))
    (HERE / "boost.json").write_text(json.dumps(said, indent=1) + "\n")


def questions() -> dict[str, Question]:
    """Name → question."""
    shared = (STUDIES / "thyroid-boost" / "protocol.toml").read_text("utf-8")
    own = replaced(shared, OWN_NOISE)
    under = replaced(
        own,
        {
            'positive = ["A", "B", "C", "D", "E"': 'positive = ["E"',
            'negative = ["-", "|", ': 'negative = ["-", "|", "A", "B", "C", "D", ',
            'base_score = "-2.2"': 'base_score = "-2.5"',
            'prevalence = "0.0990"': 'prevalence = "0.0727"',
        },
    )
    thyroid = thyroid_tables()
    model = shared[shared.index("[stages.model]") : shared.index('[[stages]]\nkind = "evaluate"')]
    banks = with_trees((STUDIES / "fraud" / "protocol.toml").read_text("utf-8"), model)
    customers = {bank: count for bank, (count, _) in fraud.BANKS.items()}
    return {
        "over- or underactive, shared noise": Question(shared, thyroid, THYROID_SITES),
        "over- or underactive, own full noise": Question(own, thyroid, THYROID_SITES),
        "underactive, own full noise": Question(under, thyroid, THYROID_SITES),
        "fraud, own full noise": Question(banks, fraud.tables(), customers),
    }


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with every change made; each must be there."""
    for old, new in changes.items():
        if old not in text:
            raise LookupError(old)
        text = text.replace(old, new)
    return text


def with_trees(text: str, model: str) -> str:
    """The fraud study with the trees of the thyroid study, all customers in each of 40 steps."""
    start = text.index("[stages.model]")
    text = text[:start] + model.replace("-2.2", "-3.1") + text[text.index("[[stages]]", start) :]
    keys = {
        "strategy": '"fedavg"',
        "rounds": "40",
        "steps": "40",
        "sample_rate": '"1"',
        "noise_multiplier": '"23.60"',
        "clip_norm": '"5"',
        "server_learning_rate": '"1.2"',
        "server_momentum": '"0.7"',
        "normaliser": '"14000"',
    }
    for key, value in keys.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text, count=1)
    return text


def additive(text: str) -> str:
    """The same study with a curve for each number in the place of trees."""
    start, end = text.index('kind = "boosted-trees"'), text.index("initial_seed")
    changed = f'{text[:start]}kind = "additive"\nknots = 12\n{text[end:]}'
    changed = re.sub(r"(?m)^clip_norm = .*$", 'clip_norm = "0.125"', changed, count=1)
    rate = 'server_learning_rate = "9"'
    return re.sub(r"(?m)^server_learning_rate = .*$", rate, changed, count=1)


def figures(question: Question, seed: int, pooled: str) -> dict[str, Any]:
    """AUCs on the rows kept aside of one split, with fresh noise."""
    study = parse_protocol(question.text)
    run = one_run(study, question.tables, question.sizes, seed, own_gradients=True)
    curves = one_run(
        parse_protocol(additive(question.text)),
        question.tables,
        question.sizes,
        seed,
        own_gradients=True,
    )
    return {
        "seed": seed,
        "trees": run.exact.auc,
        "released": [run.released.low, run.released.high],
        "curves": curves.exact.auc,
        **of_all_rows(
            pooled,
            "boost_pooled.py",
            {
                "x": run.train[0],
                "y": run.train[1],
                "x_aside": run.aside[0],
                "y_aside": run.aside[1],
            },
        ),
    }


if __name__ == "__main__":
    main()
