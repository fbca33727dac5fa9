"""Strategies on stated splits of two public tables at epsilon 1: by lot, and by outcome.

``SECUREFL_TEST_DATA=DIR python benchmarks/differ/skew.py`` reads ``DIR/heart``, writes ``skew.json``
and the tables of ``README.md`` beside it; rows that ``skew.json`` holds already are not measured
anew. The same patients are divided anew among five hospitals by each rule; each run is a `securefl
study simulate` of `protocols/studies/heart` or `thyroid` on these. Rates are chosen on another seed
than the one that is shown.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import machine

import securefl as sf
from securefl.privacy.planning import noise_for_epsilon
from securefl.public_tables import public_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Row = dict[str, str]

HERE = Path(__file__).resolve().parent
STUDIES = HERE.parents[1] / "protocols/studies"
HOSPITALS = 5
#: Of the lot by which patients are divided.
LOT = 1
#: Seed and runs of each rate when rates are chosen, and of what is shown.
CHOICE_SEED, CHOICE_RUNS = 100, 2
SHOWN_SEED, SHOWN_RUNS = 0, 10


@dataclass(frozen=True)
class Data:
    """A public table and the figures of its template that a schedule moves.

    Attributes:
        name: of the table and of its study.
        server: keys of the server in the template, which each strategy replaces.
        rounds: of the template, as many as its steps.
        noise: multiplier of the template.
        delta: of the study.
        sample_rate: of a step.
        positive: whether a patient is ill.
    """

    name: str
    server: str
    rounds: int
    noise: str
    delta: Decimal
    sample_rate: Fraction
    positive: Callable[[Row], bool]


DATA = {
    "heart": Data(
        "heart",
        'server_learning_rate = "1"\nserver_momentum = "0.5"\n',
        20,
        "14.25",
        Decimal("1e-4"),
        Fraction(1),
        lambda row: row["num"] != "0",
    ),
    "thyroid": Data(
        "thyroid",
        'server_learning_rate = "6"\nserver_momentum = "0.7"\n',
        40,
        "4.98",
        Decimal("1e-5"),
        Fraction(1, 5),
        lambda row: row["target"][0] in "EFGH",
    ),
}


def by_lot(rows: Sequence[Row]) -> list[list[Row]]:
    """Patients shuffled and dealt: hospitals that do not differ."""
    shuffled = list(rows)
    random.Random(LOT).shuffle(shuffled)  # noqa: S311 - a division of public rows
    return [shuffled[start::HOSPITALS] for start in range(HOSPITALS)]


def by_outcome(rows: Sequence[Row], positive: Callable[[Row], bool]) -> list[list[Row]]:
    """The ill at the first hospital, the healthy by lot at the four others."""
    lot = random.Random(LOT)  # noqa: S311 - a division of public rows
    parts: list[list[Row]] = [[] for _ in range(HOSPITALS)]
    for row in rows:
        # a number is drawn for everybody, so that a patient's lot follows from the place in the table
        lot.random()
        place = 0 if positive(row) else lot.randrange(1, HOSPITALS)
        parts[place].append(row)
    return parts


@dataclass(frozen=True)
class Setting:
    """A strategy and the rates it may choose from.

    Attributes:
        strategy: in the registry.
        choice: which rates are chosen: the hospitals' ("local"), the server's, or both.
        local_rates: tried at the hospitals.
        server_rates: tried at the server.
    """

    strategy: str
    choice: str
    local_rates: tuple[str, ...]
    server_rates: tuple[str, ...]


#: The template's rate; as the server's it makes FedAvg the plain mean of the hospitals' models.
GIVEN = ("1",)
_HEART_LOCAL = ("0.1", "0.3", "1")
_HEART_SERVER = ("0.25", "1", "4", "16", "32")
_ADAPTIVE = ("0.03", "0.1", "0.3", "1")
_THYROID_LOCAL = ("4", "8", "12", "24")
SETTINGS = {
    "heart": (
        Setting("fedavg", "server", GIVEN, _HEART_SERVER),
        Setting("scaffold", "server", GIVEN, _HEART_SERVER),
        Setting("fedprox", "server", GIVEN, _HEART_SERVER),
        Setting("fedadam", "server", GIVEN, _ADAPTIVE),
        Setting("fedyogi", "server", GIVEN, _ADAPTIVE),
        Setting("fedavg", "local", _HEART_LOCAL, GIVEN),
        Setting("scaffold", "local", _HEART_LOCAL, GIVEN),
        Setting("dp-fedexp", "local", _HEART_LOCAL, GIVEN),
        Setting("fedavg", "both", _HEART_LOCAL, _HEART_SERVER),
        Setting("scaffold", "both", _HEART_LOCAL, _HEART_SERVER),
    ),
    "thyroid": (
        Setting("fedavg", "local", _THYROID_LOCAL, GIVEN),
        Setting("scaffold", "local", _THYROID_LOCAL, GIVEN),
        Setting("fedavg", "both", _THYROID_LOCAL[:3], ("1", "4", "12")),
        Setting("scaffold", "both", _THYROID_LOCAL[:3], ("1", "4", "12")),
    ),
}
ROUNDS, LOCAL_STEPS = 4, 5
PLACES = (
    ("thyroid", "one outcome each"),
    ("thyroid", "by lot"),
    ("heart", "one outcome each"),
    ("heart", "by lot"),
)


def divided(data: Data, split: str, rows: Sequence[Row]) -> list[list[Row]]:
    """The patients of each hospital."""
    if split == "by lot":
        return by_lot(rows)
    return by_outcome(rows, data.positive)


def divide(data: Data, split: str, folder: Path) -> list[list[int]]:
    """Write each hospital's patients as CSV; their numbers, and how many of them are ill."""
    rows: list[Row] = []
    for table in public_tables(data.name).values():
        rows += csv.DictReader(io.StringIO(table.decode()))
    found = []
    for number, part in enumerate(divided(data, split, rows), 1):
        with (folder / f"hospital{number}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(part)
        ill = sum(data.positive(row) for row in part)
        found.append([len(part), ill])
    return found


def protocol(data: Data, strategy: str, rates: dict[str, str]) -> str:
    """The template with this strategy and its rates; every edit must find its place once."""
    steps = ROUNDS * LOCAL_STEPS
    noise = noise_for_epsilon(Decimal(1), data.delta, data.sample_rate, steps)
    server = ""
    if strategy != "dp-fedexp":
        server = f'server_learning_rate = "{rates["server_learning_rate"]}"\n'
    edits = [
        ('strategy = "fedavg"', f'strategy = "{strategy}"'),
        (data.server, server),
        ('local_learning_rate = "1"', f'local_learning_rate = "{rates["local_learning_rate"]}"'),
        (f"rounds = {data.rounds}", f"rounds = {ROUNDS}"),
        ("local_steps = 1", f"local_steps = {LOCAL_STEPS}"),
        (f"\nsteps = {data.rounds}", f"\nsteps = {steps}"),
        (f'noise_multiplier = "{data.noise}"', f'noise_multiplier = "{noise}"'),
    ]
    if data.name == "heart":
        edits.append(("min_contributors = 4", "min_contributors = 5"))
        edits.append(("colluders = 2", "colluders = 3"))
    text = (STUDIES / data.name / "protocol.toml").read_text()
    for old, new in edits:
        if text.count(old) != 1:
            raise SystemExit(f"the template of {data.name} does not hold {old!r} once")
        text = text.replace(old, new)
    return text


def auc(text: str, folder: Path, seed: int, runs: int) -> list[float]:
    """Exact AUC of all patients kept aside, run by run."""
    found = sf.simulate(text, folder, repeat=runs, seed=seed, advise=False).to_dict()
    values: list[float] = found["exact"]["values"]
    return values


def measure(setting: Setting, data: Data, split: str, folder: Path) -> dict[str, Any]:
    """AUC at the rates that were best on the seed of the choice."""
    tried: list[tuple[float, dict[str, str]]] = []
    for local in setting.local_rates:
        for server in setting.server_rates:
            rates = {"local_learning_rate": local, "server_learning_rate": server}
            text = protocol(data, setting.strategy, rates)
            chosen = auc(text, folder, CHOICE_SEED, CHOICE_RUNS)
            tried.append((statistics.mean(chosen), rates))
    best = max(tried, key=lambda one: one[0])[1]
    shown = auc(protocol(data, setting.strategy, best), folder, SHOWN_SEED, SHOWN_RUNS)
    print(data.name, split, setting, best, round(statistics.mean(shown), 4), flush=True)
    return {
        "data": data.name,
        "split": split,
        "strategy": setting.strategy,
        "choice": setting.choice,
        "tried": [[round(mean, 4), *rates.values()] for mean, rates in tried],
        "rates": best,
        "auc": shown,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """AUC of each strategy, and how far above FedAvg with the same choice, and with any."""
    heads = (
        "table",
        "split",
        "strategy",
        "rates chosen",
        "local, server",
        "AUC",
        "above FedAvg, same choice",
        "above FedAvg, both chosen",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    plain = {_key(row): row for row in rows if row["strategy"] == "fedavg"}
    for row in rows:
        cells = (
            row["data"],
            row["split"],
            f"`{row['strategy']}`",
            row["choice"],
            ", ".join(row["rates"].values()),
            f"{statistics.mean(row['auc']):.3f}",
            _gain(row, plain[_key(row)]),
            _gain(row, plain[(row["data"], row["split"], "both")]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["data"], row["split"], row["choice"]


def _gain(row: dict[str, Any], other: dict[str, Any]) -> str:
    """Mean difference over the runs, and its standard error."""
    if row is other:
        return ""
    apart = [a - b for a, b in zip(row["auc"], other["auc"], strict=True)]
    error = statistics.stdev(apart) / len(apart) ** 0.5
    return f"{statistics.mean(apart):+.3f} ± {error:.3f}"


def split_table(splits: dict[str, Sequence[Sequence[int]]]) -> str:
    """Patients of each hospital, and the ill among them."""
    names = [f"hospital {number}" for number in range(1, HOSPITALS + 1)]
    lines = [f"| split | {' | '.join(names)} |", "|---" * (HOSPITALS + 1) + "|"]
    for name, parts in splits.items():
        cells = [f"{ill} of {patients}" for patients, ill in parts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(found: dict[str, Any]) -> None:
    """The figures, and the tables between their marks in the page."""
    (HERE / "skew.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    text = page.read_text()
    tables = {"splits": split_table(found["splits"]), "skew": table(found["rows"])}
    for name, drawn in tables.items():
        head, start, rest = text.partition(f"<!-- {name} -->")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        text = f"{head}{start}\n{drawn}\n{end}{tail}"
    page.write_text(text)


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="tables of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "skew.json").read_text()))
        return
    kept: dict[str, Any] = {"rows": []}
    if (HERE / "skew.json").exists():
        kept = json.loads((HERE / "skew.json").read_text())
    found: dict[str, Any] = {
        "machine": machine("numpy"),
        "choice": [CHOICE_SEED, CHOICE_RUNS],
        "shown": [SHOWN_SEED, SHOWN_RUNS],
        "splits": {},
        "rows": [],
    }
    for name, split in PLACES:
        data = DATA[name]
        with tempfile.TemporaryDirectory() as folder:
            found["splits"][f"{name}, {split}"] = divide(data, split, Path(folder))
            for setting in SETTINGS[name]:
                known = [row for row in kept["rows"] if _is_of(row, name, split, setting)]
                found["rows"] += known or [measure(setting, data, split, Path(folder))]
    write(found)


def _is_of(row: dict[str, Any], name: str, split: str, setting: Setting) -> bool:
    own = (name, split, setting.strategy, setting.choice)
    return (row["data"], row["split"], row["strategy"], row["choice"]) == own


if __name__ == "__main__":
    main()
