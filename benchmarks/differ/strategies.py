"""All strategies on the heart table of four centres: beside FLamby's figures, and at epsilon 1.

``SECUREFL_TEST_DATA=DIR python benchmarks/differ/strategies.py`` reads ``DIR/heart``, writes
``strategies.json`` and the tables of ``README.md`` beside it; about ten minutes on one core. The four
centres are real hospitals with real differences: FLamby's Fed-Heart-Disease (Ogier du Terrail et al.
2022), seeds 42 to 46. Its runs have no privacy; the runs at epsilon 1 are `securefl study simulate`
on `protocols/studies/heart`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))

import flamby_heart as heart
from machine import machine

import securefl as sf
from securefl.learning.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.strategies.strategy import Strategy

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEEDS = range(42, 47)
TEMPLATE = ROOT / "protocols/studies/heart/protocol.toml"
#: Server keys of the template, which each strategy replaces by its defaults and a sweep.
SERVER = 'server_learning_rate = "1"\nserver_momentum = "0.5"\n'
#: FLamby's published mean and spread, and the same by a plain loop in PyTorch written for this.
PUBLISHED = {
    "pooled": ((0.735, 0.003), (0.735, 0.002)),
    "fedavg": ((0.685, 0.028), (0.684, 0.028)),
    "fedprox": ((0.685, 0.028), (0.684, 0.028)),
    "scaffold": ((0.684, 0.028), (0.683, 0.028)),
    "fedadam": ((0.726, 0.014), (0.727, 0.015)),
    "fedyogi": ((0.731, 0.013), (0.731, 0.013)),
    "fedadagrad": ((0.731, 0.013), (0.731, 0.013)),
}


@dataclass(frozen=True)
class Setting:
    """A strategy with its figures, and how many rows and steps a round has.

    Attributes:
        name: in the registry.
        figures: of the strategy, as its attributes are called.
        updates: local steps of each centre a round; FLamby's 100 where None.
        batch: rows of a step; all of a centre's where None.
        note: beside the name.
    """

    name: str
    figures: dict[str, str]
    updates: tuple[int, ...] | None = None
    batch: int | None = heart.BATCH
    note: str = ""

    def strategy(self) -> Strategy:
        """The product's own, made as a study makes it, with these figures."""
        made = STRATEGIES[self.name].of(_section(self.name))
        changes: dict[str, Any] = {k: Decimal(v) for k, v in self.figures.items()}
        if hasattr(made, "local_steps"):
            changes["local_steps"] = max(self.updates or (heart.UPDATES,))
        return replace(made, **changes)


#: Two passes over its rows in each centre: 100, 86, 16 and 44 steps.
UNEVEN = (100, 86, 16, 44)
_ADAPTIVE = {"beta2": "0.999", "tau": "1e-8"}
_SLOW, _FAST = {"local_learning_rate": "0.001"}, {"local_learning_rate": "0.01"}


def settings(plain: dict[str, str]) -> list[Setting]:
    """All runs without noise; those that step by one rate alone take ``plain``."""
    return [
        Setting("fedavg", plain),
        Setting("fedprox", plain | {"mu": "0.01"}),
        Setting("scaffold", plain),
        Setting(
            "fedadam", {"local_learning_rate": "0.01", "server_learning_rate": "0.01"} | _ADAPTIVE
        ),
        Setting(
            "fedyogi",
            {"local_learning_rate": "0.003162", "server_learning_rate": "0.01"} | _ADAPTIVE,
        ),
        Setting(
            "fedadagrad",
            {
                "local_learning_rate": "0.003162",
                "server_learning_rate": "0.316228",
                "beta1": "0.9",
            }
            | _ADAPTIVE,
        ),
        Setting("fedavgm", plain, note="momentum .9"),
        Setting("dp-fedexp", plain),
        Setting(
            "fedsgd",
            {"local_learning_rate": "0.3"},
            updates=(1, 1, 1, 1),
            batch=None,
            note="all rows, 1 step",
        ),
        Setting("fedavg", plain, UNEVEN, note="100, 86, 16, 44 steps"),
        Setting("fednova", plain, UNEVEN, note="100, 86, 16, 44 steps"),
    ]


@dataclass
class Figure:
    """Values of five seeds."""

    values: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """Mean and standard deviation."""
        return f"{short(statistics.mean(self.values))} ± {short(statistics.stdev(self.values))}"


def short(value: float) -> str:
    """Three places, without the nought."""
    return f"{value:.3f}".removeprefix("0")


def _section(name: str) -> Any:  # noqa: ANN401 - each strategy has a section of its own
    from small_study import strategy_protocol

    from securefl.study.training import training_of

    return training_of(strategy_protocol(name))


def without_noise(parts: Sequence[Any], plain: dict[str, str]) -> list[dict[str, Any]]:
    """Accuracy and AUC of every setting."""
    found = []
    for setting in settings(plain):
        accuracy, auc = Figure(), Figure()
        for seed in SEEDS:
            theta = heart.trained(setting.strategy(), parts, seed, setting.updates, setting.batch)
            accuracy.values.append(heart.accuracy(theta, parts))
            auc.values.append(float(heart.auc(theta, parts)))
        print(setting.name, setting.note, accuracy, auc, flush=True)
        found.append(
            {
                "strategy": setting.name,
                "note": setting.note,
                "figures": setting.figures,
                "accuracy": accuracy.values,
                "auc": auc.values,
            }
        )
    return found


def pooled(folder: Path) -> dict[str, Any]:
    """The model of all rows together, as FLamby trains and tests it."""
    parts = heart.pooled(folder)
    models = [heart.trained_together(parts, seed) for seed in SEEDS]
    return {"strategy": "pooled", "accuracy": [heart.accuracy(m, parts) for m in models]}


#: The figure that is swept at epsilon 1, and its values.
_RATES = ("0.125", "0.25", "0.5", "1")
_SWEPT = {
    "fedavgm": ("server_learning_rate", ("0.02", "0.05", "0.1", "0.25")),
    "dp-fedexp": ("local_learning_rate", _RATES),
    "fedadam": ("server_learning_rate", ("0.01", "0.03", "0.1", "0.3")),
    "fedyogi": ("server_learning_rate", ("0.01", "0.03", "0.1", "0.3")),
    "fedadagrad": ("server_learning_rate", ("0.01", "0.03", "0.1", "0.3")),
}


def at_epsilon_1(rounds: int, local_steps: int) -> list[dict[str, Any]]:
    """AUC of all patients kept aside, each centre with its own full noise, 20 steps in all: the
    best of four rates for each strategy.
    """
    found = []
    for name in STRATEGIES.names():
        if name == "fedsgd" and local_steps > 1:
            continue
        key, values = _SWEPT.get(name, ("server_learning_rate", _RATES))
        simulated = sf.simulate(
            _template(name, rounds, local_steps),
            public="heart",
            sweep={key: values},
            repeat=len(SEEDS),
            advise=False,
        ).to_dict()
        best = simulated["best"]
        auc = Figure(best["exact"]["values"])
        print(name, rounds, local_steps, best["changes"], auc, flush=True)
        found.append(
            {
                "strategy": name,
                "swept": {key: list(values)},
                "best": best["changes"],
                "auc": auc.values,
                "cut": best["values_cut"],
                "means": [point["exact"]["mean"] for point in simulated["sweep"]],
            }
        )
    return found


def _template(name: str, rounds: int, local_steps: int) -> bytes:
    text = TEMPLATE.read_text()
    for old, new in (
        ('strategy = "fedavg"', f'strategy = "{name}"'),
        (SERVER, ""),
        ("rounds = 20", f"rounds = {rounds}"),
        ("local_steps = 1", f"local_steps = {local_steps}"),
    ):
        if text.count(old) != 1:
            raise SystemExit(f"{TEMPLATE} does not hold {old!r} once")
        text = text.replace(old, new)
    return text.encode()


def parity_table(rows: Sequence[dict[str, Any]]) -> str:
    """Beside FLamby's figures."""
    lines = [
        "| strategy | here | FLamby | plain PyTorch |",
        "|---|---|---|---|",
    ]
    for row in rows:
        known = ("", "")
        if not row.get("note"):
            pairs = PUBLISHED.get(row["strategy"], ())
            known = tuple(f"{short(mean)} ± {short(sd)}" for mean, sd in pairs) or known
        lines.append(f"| {_name(row)} | {Figure(row['accuracy'])} | {known[0]} | {known[1]} |")
    return "\n".join(lines)


def fixed_table(rows: Sequence[dict[str, Any]]) -> str:
    """Accuracy and AUC with fixed ranges."""
    head = ["| strategy | accuracy | AUC |", "|---|---|---|"]
    lines = [f"| {_name(row)} | {Figure(row['accuracy'])} | {Figure(row['auc'])} |" for row in rows]
    return "\n".join(head + lines)


def private_table(one: Sequence[dict[str, Any]], five: Sequence[dict[str, Any]]) -> str:
    """AUC at epsilon 1, and the rate that was best."""
    lines = [
        "| strategy | 20 rounds of 1 step | rate | 4 rounds of 5 steps | rate |",
        "|---|---|---|---|---|",
    ]
    longer = {row["strategy"]: row for row in five}
    for row in one:
        cells = []
        for found in (row, longer.get(row["strategy"])):
            cells += ["", ""]
            if found is not None:
                cells[-2:] = [str(Figure(found["auc"])), *found["best"].values()]
        lines.append(f"| `{row['strategy']}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(row: dict[str, Any]) -> str:
    note = f", {row['note']}" if row.get("note") else ""
    if row["strategy"] == "pooled":
        return "all rows together"
    return f"`{row['strategy']}`{note}"


def write(found: dict[str, Any]) -> None:
    """The figures, and the tables between their marks in the page."""
    (HERE / "strategies.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    text = page.read_text()
    tables = {
        "parity": parity_table(found["parity"]),
        "fixed": fixed_table(found["fixed"]),
        "private": private_table(found["private"]["1"], found["private"]["5"]),
    }
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        head, _, rest = text.partition(start)
        _, _, tail = rest.partition(end)
        text = f"{head}{start}\n{table}\n{end}{tail}"
    page.write_text(text)


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="tables of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "strategies.json").read_text()))
        return
    folder = Path(os.environ["SECUREFL_TEST_DATA"]) / "heart"
    write(
        {
            "machine": machine("numpy"),
            "seeds": list(SEEDS),
            "parity": [pooled(folder), *without_noise(heart.centres(folder), _SLOW)],
            "fixed": without_noise(heart.centres_in_fixed_ranges(folder), _FAST),
            "private": {"1": at_epsilon_1(20, 1), "5": at_epsilon_1(4, 5)},
        }
    )


if __name__ == "__main__":
    main()
