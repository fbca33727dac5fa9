"""AUC of perceptrons at equal epsilon with fields of 16, 8 and 6 bits: the product's own steps on
the thyroid table, in one process.

``python benchmarks/rounding/auc.py`` writes ``results.json`` and ``README.md`` beside it; about ten
minutes on one core. The control is the way it was done before: gradients rounded on a grid so
coarse that the noised sum fits 8 bits by itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import machine

from securefl.demo.thyroid import SITES, demo_secret, site_tables
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.split import split_rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies import strategy_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.planning import noise_for_epsilon
from securefl.privacy.randomness import SystemRandomness
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of
from securefl.study.wire import largest_value, sum_unit, wire_of

if TYPE_CHECKING:
    from securefl.learning.features import Prepared
    from securefl.study.schema import Template

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/thyroid/protocol.toml"
HIDDEN, BITS, SEEDS = (512, 2048), (16, 8, 6), 5
EPSILON = Decimal(3)
#: Units a clip norm that 8 bits left room for beside the noise, and the largest value of such a
#: field.
COARSE_GRID, COARSE_BITS = 4, 8
WEIGHTS = {site: Fraction(rows, sum(SITES.values())) for site, rows in SITES.items()}


def protocol(hidden: int, bits: int) -> Template:
    """The thyroid template with a perceptron, other fields, and the noise that makes epsilon 3."""
    text = TEMPLATE.read_text()
    plain = parse_protocol(text).privacy
    noise = noise_for_epsilon(EPSILON, plain.delta, plain.sample_rate, plain.steps)
    for old, new in (
        ('kind = "logistic-regression"', f'kind = "mlp"\nhidden = [{hidden}]'),
        (f'noise_multiplier = "{plain.noise_multiplier}"', f'noise_multiplier = "{noise}"'),
        ('server_learning_rate = "6"', 'server_learning_rate = "2"'),
        ("bits = 16", f"bits = {bits}"),
    ):
        if text.count(old) != 1:
            raise SystemExit(f"{TEMPLATE} does not hold {old!r} once")
        text = text.replace(old, new)
    return parse_protocol(text)


def halves(study: Template, seed: int) -> dict[str, tuple[Prepared, Prepared]]:
    """Each hospital's rows to train and to check."""
    found = {}
    for site, table in site_tables().items():
        secret = demo_secret(seed, site)
        found[site] = split_rows(
            prepare(read_table(table), study.data, secret), secret, study.data.holdout
        )
    return found


def trained(
    study: Template, parts: dict[str, tuple[Prepared, Prepared]], *, coarse: bool
) -> tuple[float, int]:
    """(exact AUC on all held-out rows, values cut) of one run with fresh noise."""
    draws, unit = RandomDraws(SystemRandomness()), sum_unit(study)
    strategy = strategy_of(training_of(study))
    family, task = family_of(training_of(study).model, study.data), task_of(study.data)
    trainers = []
    for site, (train, _) in parts.items():
        rule = StepRule.from_study(study, WEIGHTS[site])
        if coarse:
            rule = replace(
                rule, grid=COARSE_GRID, wire_step=1, wire_largest=largest_value(COARSE_BITS)
            )
        trainers.append(PrivateSteps(rule, family.gradients(task), train.X, train.y, draws))
    state = strategy.start(family.initial_weights(training_of(study).model.initial_seed))
    if coarse:
        unit = COARSE_GRID * float(training_of(study).normaliser)
    cut = 0
    for _ in range(training_of(study).rounds):
        total = np.sum([t.update(state.theta) for t in trainers], axis=0)
        cut += sum(t.clamped for t in trainers)
        state = strategy.absorb(state, total, unit)
    x = np.concatenate([held_out.X for _, held_out in parts.values()])
    y = np.concatenate([held_out.y for _, held_out in parts.values()])
    return exact_auc(y, predict(state.theta, family, task, x)), cut


def measure() -> dict[str, Any]:
    """All figures."""
    rows = []
    for hidden in HIDDEN:
        for bits, coarse in (*((b, False) for b in BITS), (COARSE_BITS, True)):
            study = protocol(hidden, bits)
            runs = [trained(study, halves(study, seed), coarse=coarse) for seed in range(SEEDS)]
            aucs = [auc for auc, _ in runs]
            weights = family_of(training_of(study).model, study.data).parameters
            row = {
                "weights": weights,
                "bits": bits,
                "coarse": coarse,
                "auc": aucs,
                "mean": statistics.mean(aucs),
                "cut": (
                    sum(cut for _, cut in runs)
                    / (SEEDS * len(SITES) * training_of(study).rounds * weights)
                ),
                "added_variance": None if coarse else wire_of(study).added_variance,
            }
            print(json.dumps(row), flush=True)
            rows.append(row)
    p = protocol(HIDDEN[0], BITS[0]).privacy
    epsilon = PldAccountant().training_epsilon(p.noise_multiplier, p.sample_rate, p.steps, p.delta)
    return {
        "machine": machine("torch", "opacus"),
        "noise_multiplier": str(p.noise_multiplier),
        "epsilon": float(epsilon),
        "rows": rows,
    }


def page(results: dict[str, Any]) -> str:
    """The page's text: measured figures only."""
    kept = results["machine"]
    lines = [
        "# Bits of the encrypted fields and what is learnt",
        "",
        (
            "Made by `python benchmarks/rounding/auc.py`: the thyroid table at its five hospitals,"
            " a perceptron with one hidden layer, 40 rounds of one step,"
        ),
        (
            f"noise multiplier {results['noise_multiplier']} (epsilon {results['epsilon']:.3f} at"
            f" delta 1e-5). Exact AUC on all held-out rows; {SEEDS} runs, each with another split"
            " and fresh noise."
        ),
        "",
        (
            "| weights | fields | AUC, mean (smallest to largest) | below 16 bits | values cut |"
            " rounding adds to the noise's variance |"
        ),
        "|---|---|---|---|---|---|",
    ]
    best = {row["weights"]: row["mean"] for row in results["rows"] if row["bits"] == BITS[0]}
    for row in results["rows"]:
        name = (
            f"control: {row['bits']} bits, gradients on {COARSE_GRID} units a clip norm"
            if row["coarse"]
            else f"{row['bits']} bits"
        )
        added = "" if row["coarse"] else f"{100 * row['added_variance']:.2g} %"
        lines.append(
            f"| {row['weights']:,} | {name} | {row['mean']:.4f} ({min(row['auc']):.4f} to"
            f" {max(row['auc']):.4f}) | {best[row['weights']] - row['mean']:+.4f} |"
            f" {row['cut']:.2g} | {added} |"
        )
    lines += [
        "",
        (
            "The control rounds each gradient so coarsely that its noised sum fits 8 bits by"
            " itself, as was done before privacy and the wire had a grid each: most of"
        ),
        "a gradient of so many weights is then rounded away.",
        "",
        (
            f"Date {kept['date']}. {kept['cpu']}, Python {kept['python']}, torch {kept['torch']},"
            f" Opacus {kept['opacus']}."
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, or write the page of what was measured again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--page", action="store_true", help="only write README.md from results.json"
    )
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    kept = HERE / "results.json"
    if not parser.parse_args().page:
        kept.write_text(json.dumps(measure(), indent=1) + "\n")
    (HERE / "README.md").write_text(page(json.loads(kept.read_text())))


if __name__ == "__main__":
    main()
