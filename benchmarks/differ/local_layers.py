"""Local layers in training beside what a hospital makes of the finished model at home.

``SECUREFL_TEST_DATA=DIR python benchmarks/differ/local_layers.py`` writes ``local_layers.json`` and
its table in ``README.md``. A trial for decision 38, outside the product: gradients are plain floats,
and nothing here is released.

FedPer (Arivazhagan et al. 2019, arXiv:1912.00818): a perceptron's hidden layer is common, its last
layer each hospital's own. One noised step moves both, its gradient clipped as a whole, so the price
of a round is that of training the common model. The hidden layer's part is summed over hospitals;
the last layer's stays, and moves by the hospital's own noised gradient alone (rule 10).
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import machine

from securefl.rehearsal import Data
from securefl.simulation.trial import virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
STUDIES = HERE.parents[1] / "protocols/studies"
HIDDEN: Final = 16
#: Rates are chosen on other seeds than those of the table.
TUNED_ON: Final = range(100, 103)
SEEDS: Final = range(5)
#: Rates of the last layers, as parts of the common one.
LOCAL_RATES: Final = (0.0001, 0.001, 0.01, 0.1, 1.0)
#: Deviations expected of a scale's logarithm and of a shift, as the product's recalibration has.
_SCALE, _SHIFT = 0.5, 3.0


@dataclass(frozen=True)
class Task:
    """A public table and the constants of its study, which at epsilon 1 are those of its template.

    Attributes:
        name: of the study.
        rounds: steps in all.
        rate: share of patients in a step.
        noise: multiplier of each hospital's noise.
        clip: longest gradient of a patient.
        momentum: at the server.
        patients: planned in a step of all hospitals.
        rates: that each training may choose from.
    """

    name: str
    rounds: int
    rate: float
    noise: float
    clip: float
    momentum: float
    patients: float
    rates: tuple[float, ...]


TASKS = (
    Task("heart", 20, 1.0, 14.25, 0.5, 0.5, 613.0, (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)),
    Task(
        "thyroid",
        40,
        0.2,
        4.98,
        0.125,
        0.7,
        1284.08,
        (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    ),
)


@dataclass
class Model:
    """A perceptron of one hidden layer: the hidden weights, and the last ones."""

    hidden: FloatArray
    last: FloatArray
    velocity: list[FloatArray] = field(default_factory=list)

    def scores(self, x: FloatArray) -> FloatArray:
        """One for each row."""
        return self.shown(x) @ self.last

    def shown(self, x: FloatArray) -> FloatArray:
        """Outputs of the hidden layer, with a one for the last layer's intercept."""
        return with_ones(np.tanh(x @ self.hidden))

    def moved(self, hidden: FloatArray, last: FloatArray, momentum: float) -> None:
        """One step with momentum."""
        if not self.velocity:
            self.velocity = [np.zeros_like(self.hidden), np.zeros_like(self.last)]
        for place, step in enumerate((hidden, last)):
            self.velocity[place] = momentum * self.velocity[place] + step
        self.hidden = self.hidden - self.velocity[0]
        self.last = self.last - self.velocity[1]


def with_ones(x: FloatArray) -> FloatArray:
    """Columns, and one of ones."""
    return np.hstack([np.asarray(x, dtype=np.float64), np.ones((len(x), 1))])


def clipped(model: Model, x: FloatArray, y: FloatArray, clip: float) -> list[FloatArray]:
    """Sums of the patients' gradients of both layers, each patient's clipped as a whole."""
    shown = model.shown(x)
    wrong = 1 / (1 + np.exp(-(shown @ model.last))) - y
    back = wrong[:, None] * model.last[:-1] * (1 - shown[:, :-1] ** 2)
    squares = wrong**2 * np.sum(shown**2, axis=1)
    squares += np.sum(x**2, axis=1) * np.sum(back**2, axis=1)
    kept = np.minimum(1.0, clip / np.maximum(np.sqrt(squares), 1e-12))
    return [x.T @ (kept[:, None] * back), shown.T @ (kept * wrong)]


@dataclass(frozen=True)
class Rows:
    """A hospital's rows with a column of ones, and the patients that its published size plans."""

    site: str
    x: FloatArray
    y: FloatArray
    test_x: FloatArray
    test_y: FloatArray


def hospitals_of(task: Task, seed: int) -> list[Rows]:
    """The sites, split as `securefl study simulate` splits them."""
    template, weights = read_template((STUDIES / task.name / "protocol.toml").read_bytes())
    source = Data(public=task.name).source(seed)(template)
    study = virtual_study(template, source.sites, weights)
    tables = source.division(study.data.patient, seed, 0)
    found = []
    for one in virtual_hospitals(study, tables, seed, 0):
        train, test = one.rows.train, one.rows.held_out
        found.append(Rows(one.site, with_ones(train.X), train.y, with_ones(test.X), test.y))
    return found


def start(width: int) -> Model:
    """The first model, the same for all."""
    drawn = np.random.default_rng(7)
    hidden = drawn.normal(0, 1 / np.sqrt(width), (width, HIDDEN))
    return Model(hidden, drawn.normal(0, 1 / np.sqrt(HIDDEN), HIDDEN + 1))


def trained(
    task: Task,
    rows: Sequence[Rows],
    seed: int,
    rate: float,
    local_rate: float | None,
) -> list[Model]:
    """A model for each hospital: all the same without local layers.

    Args:
        task: the table and its constants.
        rows: of the hospitals.
        seed: of batches and noise.
        rate: of the server's step.
        local_rate: of the last layers, as a part of it; None where all layers are common.
    """
    lot = np.random.default_rng([seed, 1])
    common = start(rows[0].x.shape[1])
    own = [start(rows[0].x.shape[1]) for _ in rows]
    everybody = sum(len(one.y) for one in rows)
    for _ in range(task.rounds):
        sums = []
        for one, model in zip(rows, own, strict=True):
            chosen = lot.random(len(one.y)) < task.rate
            parts = clipped(model, one.x[chosen], one.y[chosen], task.clip)
            sums.append([p + task.noise * task.clip * lot.normal(size=p.shape) for p in parts])
        hidden, last = (sum(found[k] for found in sums) / task.patients for k in (0, 1))
        common.moved(rate * hidden, rate * last, task.momentum)
        for one, model, found in zip(rows, own, sums, strict=True):
            step = rate * last
            if local_rate is not None:
                # a public size stands for the hospital's share of the planned patients
                planned = task.patients * len(one.y) / everybody
                step = rate * local_rate * found[1] / planned
            model.moved(rate * hidden, step, task.momentum)
    return own if local_rate is not None else [common] * len(rows)


def recalibrated(scores: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Scale and shift of the scores that fit rows at home, without noise."""

    def loss(found: FloatArray) -> float:
        moved = np.exp(found[0]) * scores + found[1]
        fit = np.sum(np.logaddexp(0, moved) - y * moved)
        return float(fit + (found[0] / _SCALE) ** 2 / 2 + (found[1] / _SHIFT) ** 2 / 2)

    best = minimize(loss, np.zeros(2), method="BFGS").x
    return float(np.exp(best[0])), float(best[1])


def judged(rows: Sequence[Rows], models: Sequence[Model], *, at_home: bool) -> dict[str, Any]:
    """Mean log loss and AUC of each hospital's held-out rows; no AUC where they have one outcome."""
    found = {}
    for one, model in zip(rows, models, strict=True):
        scores = model.scores(one.test_x)
        if at_home:
            scale, shift = recalibrated(model.scores(one.x), one.y)
            scores = scale * scores + shift
        loss = float(np.mean(np.logaddexp(0, scores) - one.test_y * scores))
        auc = None
        if 0 < one.test_y.sum() < len(one.test_y):
            auc = round(float(roc_auc_score(one.test_y, scores)), 4)
        found[one.site] = [round(loss, 4), auc]
    return found


def mean_loss(found: dict[str, Any]) -> float:
    """Mean over hospitals."""
    return statistics.mean(loss for loss, _ in found.values())


def measure(task: Task) -> dict[str, Any]:
    """All ways on one table, each at the rates of the least mean loss on the tuning seeds."""
    known = {seed: hospitals_of(task, seed) for seed in (*TUNED_ON, *SEEDS)}
    found: dict[str, Any] = {"task": task.name}
    for name, local_rates in (("common", (None,)), ("local", LOCAL_RATES)):
        tried = {}
        for rates in itertools.product(task.rates, local_rates):
            runs = [trained(task, known[seed], seed, *rates) for seed in TUNED_ON]
            losses = [
                mean_loss(judged(known[seed], run, at_home=False))
                for seed, run in zip(TUNED_ON, runs, strict=True)
            ]
            tried[rates] = statistics.mean(losses)
        best = min(tried, key=lambda rates: tried[rates])
        models = {seed: trained(task, known[seed], seed, *best) for seed in SEEDS}
        found[name] = {
            "rates": best,
            "as trained": [judged(known[s], models[s], at_home=False) for s in SEEDS],
            "recalibrated at home": [judged(known[s], models[s], at_home=True) for s in SEEDS],
        }
        print(task.name, name, best, {k: round(v, 4) for k, v in tried.items()}, flush=True)
    return found


WAYS = (
    ("common model", "common", "as trained"),
    ("common model, recalibrated at home", "common", "recalibrated at home"),
    ("last layer local", "local", "as trained"),
    ("last layer local, recalibrated at home", "local", "recalibrated at home"),
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Change of the mean log loss against the common model, and the mean AUC, by hospital."""
    lines = [
        "| table | hospital | " + " | ".join(words for words, _, _ in WAYS) + " |",
        "|---|---|" + "---|" * len(WAYS),
    ]
    for row in rows:
        plain = row["common"]["as trained"]
        for site in (*plain[0], "mean"):
            cells = []
            for words, model, state in WAYS:
                runs = row[model][state]
                losses = [_loss(run, site) for run in runs]
                less = [a - _loss(b, site) for a, b in zip(losses, plain, strict=True)]
                areas = [area for run in runs if (area := _area(run, site)) is not None]
                area = f" ({statistics.mean(areas):.3f})" if areas else ""
                error = statistics.stdev(less) / len(less) ** 0.5
                cell = f"{statistics.mean(less):+.3f} ± {error:.3f}"
                if words == WAYS[0][0]:
                    cell = f"{statistics.mean(losses):.3f}"
                cells.append(cell + area)
            lines.append(f"| {row['task']} | {site} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _loss(run: dict[str, Any], site: str) -> float:
    return mean_loss(run) if site == "mean" else run[site][0]


def _area(run: dict[str, Any], site: str) -> float | None:
    if site != "mean":
        return run[site][1]
    return statistics.mean(area for _, area in run.values() if area is not None)


def main() -> None:
    """Measure, and write the figures and the page's table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--page-only", action="store_true", help="the table of the figures kept")
    kept = HERE / "local_layers.json"
    if not options.parse_args().page_only:
        rows = [measure(task) for task in TASKS]
        whole = {"machine": machine("numpy"), "seeds": list(SEEDS), "rows": rows}
        kept.write_text(json.dumps(whole, indent=1) + "\n")
    page = HERE / "README.md"
    head, mark, rest = page.read_text().partition("<!-- local layers -->")
    _, end, tail = rest.partition("<!-- end of local layers -->")
    made = table(json.loads(kept.read_text())["rows"])
    page.write_text(f"{head}{mark}\n{made}\n{end}{tail}")


if __name__ == "__main__":
    main()
