"""Hospitals that poison, against sums by groups: AUC on the thyroid table.

``python benchmarks/differ/poison.py`` writes ``poison.json`` and its table in ``README.md``. The study
is `protocols/studies/thyroid` with its full noise at each hospital, on 15 hospitals of equal size
among which the patients are drawn by lot, seeds 0 to 4. The groups of a study stay the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from machine import machine

from securefl.learning.robust_sums import trimmed_away
from securefl.learning.table import read_table
from securefl.public_tables import thyroid_csv
from securefl.simulation.draws import Samplers
from securefl.simulation.poisoning import GroupedSum, with_flipped_labels
from securefl.simulation.tables import Source, Whole
from securefl.simulation.trial import run_trial, virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.robust_sums import Rule

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/thyroid/protocol.toml"
HOSPITALS = 15
SEEDS = range(5)


@dataclass(frozen=True)
class Setting:
    """One column of the table: a rule, and the least hospitals in a group."""

    words: str
    rule: Rule
    least: int

    @property
    def groups(self) -> int:
        """Groups in a round."""
        return 1 if self.rule == "mean" else HOSPITALS // self.least


@dataclass(frozen=True)
class Attack:
    """One row: how many flip the label, how many send a multiple of their update."""

    words: str
    flip: int = 0
    scale: int = 0
    factor: float = 1.0


SETTINGS = (
    Setting("one sum", "mean", HOSPITALS),
    Setting("median of 3 groups of 5", "median", 5),
    Setting("median of 5 groups of 3", "median", 3),
    Setting("trimmed mean of 5 groups of 3", "trimmed", 3),
)
ATTACKS = (
    Attack("none"),
    Attack("1 flips the label", flip=1),
    Attack("4 flip the label", flip=4),
    Attack("1 sends -20 times its update", scale=1, factor=-20.0),
    Attack("2 send -20 times their update", scale=2, factor=-20.0),
    Attack("4 send -20 times their update", scale=4, factor=-20.0),
)


def measure(samplers: Samplers, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Exact AUC of the last model on all patients kept aside, for each attack, setting and seed."""
    template, weights = read_template(TEMPLATE.read_bytes())
    source = Source("thyroid", Whole(read_table(thyroid_csv()), HOSPITALS))
    study = virtual_study(template, source.sites, weights)
    sites = sorted(source.sites)
    found: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        tables = source.division(study.data.patient, seed, 0)
        honest = virtual_hospitals(study, tables, seed, 0)
        for attack in ATTACKS:
            hospitals = with_flipped_labels(honest, sites[: attack.flip])
            factors = dict.fromkeys(sites[: attack.scale], attack.factor)
            for setting in SETTINGS:
                names = [one.site for one in hospitals]
                summer = GroupedSum(names, setting.least, setting.rule, seed, factors)
                trial = run_trial(
                    study, hospitals, samplers, seed=seed, repeat=0, summer=summer, probes=0
                )
                found.setdefault((attack.words, setting.words), []).append(trial.probes[-1].figure)
                print(seed, attack.words, setting.words, trial.probes[-1].figure, flush=True)
    return [
        {"attack": attack, "setting": setting, "auc": [round(value, 4) for value in values]}
        for (attack, setting), values in found.items()
    ]


def noise_factor(groups: int, rule: Rule) -> float:
    """Variance of the combined noise over that of the usual sum, for equal groups: by simulation."""
    drawn = np.sort(np.random.default_rng(0).normal(size=(200_000, groups)), axis=1)
    cut = trimmed_away(groups, rule)
    return float(drawn[:, cut : groups - cut].mean(axis=1).var() * groups)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The page's table: a row an attack, a column a setting."""
    by_place = {(row["attack"], row["setting"]): row["auc"] for row in rows}
    heads = ["poisoning", *(setting.words for setting in SETTINGS)]
    factors = [f"{noise_factor(s.groups, s.rule):.2f}" for s in SETTINGS]
    lines = [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        "| *variance of the noise* | " + " | ".join(factors) + " |",
    ]
    for attack in ATTACKS:
        cells = [_cell(by_place[attack.words, setting.words]) for setting in SETTINGS]
        lines.append(f"| {attack.words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} (least {min(values):.3f})"


def main() -> None:
    """Measure, and write the figures and the page's table."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=len(SEEDS))
    given = options.parse_args()
    rows = measure(Samplers(), range(given.seeds))
    kept = {"machine": machine(), "seeds": given.seeds, "rows": rows}
    (HERE / "poison.json").write_text(json.dumps(kept, indent=1) + "\n")
    page = HERE / "README.md"
    text = page.read_text()
    start, end = "<!-- poison -->\n", "\n<!-- end of poison -->"
    before, rest = text.split(start)
    page.write_text(before + start + table(rows) + end + rest.split(end)[1])


if __name__ == "__main__":
    main()
