"""Personal models after a study, method by method, on the heart and thyroid tables.

``python benchmarks/differ/personal.py`` trains ``protocols/studies/heart`` and ``thyroid`` with
noise from a seed, as ``securefl study simulate`` does, and makes personal models at each hospital
with the product's own methods and with others beside them. A quarter of each hospital's patients is
taken away before the study: what they lose is what a method is worth. It writes ``personal.json``
and prints the tables of ``README.md`` beside it. The heart table is found by
``SECUREFL_TEST_DATA``. About twenty minutes; ``--seeds 2`` is a short trial.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import machine

from securefl.learning.clipping import Factors
from securefl.learning.families.linear import Linear
from securefl.learning.features import feature_names, prepare
from securefl.learning.personal.choosing import (
    LocalRows,
    candidates,
    chosen,
    cross_validated,
    lowest,
)
from securefl.learning.personal.judging import judge
from securefl.learning.personal.methods import Method, Near, Recalibration
from securefl.learning.split import held_out, split_rows
from securefl.learning.stages.stage import Rows
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.whole_vectors import padded
from securefl.public_tables import public_tables
from securefl.simulation.draws import Samplers, key_of
from securefl.simulation.trial import VirtualHospital, run_trial
from securefl.simulation.virtual_study import read_template, virtual_study
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.personal.choosing import Tried
    from securefl.learning.personal.local_loss import LocalLoss
    from securefl.learning.steps import GradientFunction
    from securefl.learning.table import Table
    from securefl.learning.tasks.task import Task
    from securefl.study.schema import Study
    from securefl.types import FloatArray

HERE: Final = Path(__file__).resolve().parent
STUDIES: Final = HERE.parents[1] / "protocols" / "studies"
#: Patients that neither study nor personal model sees.
FRESH: Final = Fraction(1, 4)
#: Runs of each table.
SEEDS: Final = {"heart": 20, "thyroid": 10}


class _FastLinear(Linear):
    """The linear family by matrix products: the same figures but for last bits, which only noised
    steps need.
    """

    def scores(self, theta: FloatArray, x: FloatArray) -> FloatArray:
        weight, bias = self.tensors(theta).values()
        return x @ weight.T + bias

    def gradients(self, task: Task) -> GradientFunction:
        return _FastGradients(self, task)  # type: ignore[return-value] - only factors are asked


class _FastGradients:
    def __init__(self, family: _FastLinear, task: Task) -> None:
        self._family, self._task = family, task

    def factors(self, theta: FloatArray, x: FloatArray, y: FloatArray) -> list[Factors]:
        scores = padded(self._family.scores(theta, x))
        return [Factors(x, self._task.loss_gradient(scores, padded(y))[: len(y)])]


class FineTuning(Method):
    """Steps of plain gradient descent from the study's model; how many, is the setting."""

    name = "fine-tuning"
    _RATE: Final = 0.3
    _STEPS: Final = (1, 3, 10, 30, 100, 300, 1000)

    def fit(self, loss: LocalLoss, start: FloatArray) -> dict[str, FloatArray]:
        """The rate is below what the steepest loss of features in [-1, 1] allows."""
        found, theta, done = {}, start, 0
        for steps in self._STEPS:
            for _ in range(steps - done):
                theta = theta - self._RATE * loss.gradient(theta) / loss.rows
            found[str(steps)], done = theta, steps
        return found

    def words(self, setting: str) -> str:
        """As it is."""
        return f"{setting} steps"


class NearAfterShift(Method):
    """The pull is towards the study's model with its scores shifted first: the intercept is free."""

    name = "near, after a shift"

    def fit(self, loss: LocalLoss, start: FloatArray) -> dict[str, FloatArray]:
        """Shifted, then pulled."""
        return dict(Near().fit(loss, Recalibration().fit(loss, start)["shift"]))

    def words(self, setting: str) -> str:
        """As it is."""
        return setting


METHODS: Final = {m.name: m for m in (Recalibration(), Near(), NearAfterShift(), FineTuning())}
#: Sets of methods from which cross-validation chooses; the study's model is in each.
SETS: Final[dict[str, tuple[str, ...]]] = {
    "recalibration": ("recalibration",),
    "fine-tuning": ("fine-tuning",),
    "near": ("near",),
    "near, after a shift": ("near, after a shift",),
    "recalibration or near": ("recalibration", "near"),
    "recalibration or near, after a shift": ("recalibration", "near, after a shift"),
    "all": tuple(METHODS),
}


def study_of(name: str, tables: dict[str, Table]) -> Study:
    """The template's study with the table's sites, weighted by their published rows."""
    template, _ = read_template((STUDIES / name / "protocol.toml").read_bytes())
    rows = {site: table.rows for site, table in tables.items()}
    total = sum(rows.values())
    return virtual_study(
        template, sorted(rows), {site: f"{count}/{total}" for site, count in rows.items()}
    )


def one_run(study: Study, tables: dict[str, Table], seed: int) -> list[dict[str, Any]]:
    """Figures of every hospital in one run of the study."""
    samplers, parts = Samplers(), {}
    for site in sorted(tables):
        secret = key_of("split", seed, 0, site)
        rows = prepare(tables[site], study.data, secret, study.privacy.unit)
        fresh = held_out(hashlib.sha256(secret).digest(), rows.patients, FRESH)
        halves = split_rows(rows.select(~fresh), secret, study.data.holdout)
        parts[site] = (*halves, rows.select(fresh), secret)
    hospitals = [VirtualHospital(site, Rows(*part[:2]), {}) for site, part in parts.items()]
    trial = run_trial(study, hospitals, samplers, seed=seed, repeat=0, probes=0)
    assert trial.theta is not None
    return [
        {"site": site, "seed": seed, **of_hospital(study, trial.theta, part)}
        for site, part in parts.items()
        if all(len(set(rows.y.tolist())) > 1 for rows in part[:3])
    ]


def of_hospital(
    study: Study, common: FloatArray, part: tuple[Prepared, Prepared, Prepared, bytes]
) -> dict[str, Any]:
    """Every set's choice, with its figures on held-out and on fresh rows."""
    *rows, secret = part
    task = task_of(study.data)
    family = _FastLinear(None, len(feature_names(study.data)), task.outputs)
    train, judging, fresh = (LocalRows(family, task, some, study.privacy.unit) for some in rows)
    section = evaluation_of(study)
    start = family.initial_weights(training_of(study).model.initial_seed)
    tried = cross_validated(train, common, METHODS.values(), secret)
    local = lowest(candidates(cross_validated(train, start, [Near()], secret)))
    made = {
        (name, setting): theta
        for name, method in METHODS.items()
        for setting, theta in method.fit(train.loss(), common).items()
    } | {("", ""): common}
    picks = {name: chosen(candidates(_some(tried, methods))) for name, methods in SETS.items()}
    thetas = {name: made[pick.method, pick.setting] for name, pick in picks.items()}
    alone = start if not local.method else Near().fit(train.loss(), start)[local.setting]
    thetas |= {"global": common, "local": alone}
    figures = {}
    for name, theta in thetas.items():
        on = [judge(local_rows, section, theta, common) for local_rows in (judging, fresh)]
        figures[name] = {
            "held_out": on[0].model_dump(),
            "fresh": on[1].model_dump(),
            "pick": f"{picks[name].method} {picks[name].setting}".strip() if name in picks else "",
        }
    return {
        "training": len(train.rows.y),
        "held_out": len(judging.rows.y),
        "fresh": len(fresh.rows.y),
        "models": figures,
    }


def _some(tried: Tried, methods: tuple[str, ...]) -> Tried:
    """The settings of these methods, and the study's model unchanged."""
    return {key: losses for key, losses in tried.items() if key[0] in {"", *methods}}


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over the runs, hospital by hospital, weighted by fresh rows."""
    by_site = defaultdict(list)
    for run in runs:
        by_site[run["site"]].append(run)
    found = {}
    for site, some in by_site.items():
        weights = np.array([run["fresh"] for run in some], dtype=float)
        models = {name: _of_model(some, name, weights) for name in ("global", "local", *SETS)}
        found[site] = {
            "runs": len(some),
            "training": float(np.mean([run["training"] for run in some])),
            "held_out": float(np.mean([run["held_out"] for run in some])),
            "models": models,
            "rules": _rules(some, weights),
        }
    return found


def _of_model(some: Sequence[dict[str, Any]], name: str, weights: FloatArray) -> dict[str, float]:
    fresh = [run["models"][name]["fresh"] for run in some]
    change = np.array([one["change"]["value"] for one in fresh])
    return {
        "loss": float(np.average([one["loss"] for one in fresh], weights=weights)),
        "change": float(np.average(change, weights=weights)),
        "change_se": float(change.std(ddof=1) / len(some) ** 0.5) if len(some) > 1 else 0.0,
        "auc": float(np.average([one["figure"]["value"] for one in fresh], weights=weights)),
    }


#: The product's set of methods, by which rules of keeping are compared.
PRODUCT: Final = "recalibration or near"


def _rules(some: Sequence[dict[str, Any]], weights: FloatArray) -> dict[str, dict[str, float]]:
    """Rules that say from held-out rows when a personal model is kept, by what fresh rows lose."""
    held = [run["models"][PRODUCT]["held_out"]["change"] for run in some]
    fresh = np.array([run["models"][PRODUCT]["fresh"]["change"]["value"] for run in some])
    keeps = {
        "always": [True for _ in held],
        "lower loss": [one["value"] < 0 for one in held],
        "surely lower": [one["high"] is not None and one["high"] < 0 for one in held],
        "not surely higher": [one["low"] is None or one["low"] <= 0 for one in held],
    }
    return {
        rule: {
            "change": float(np.average(fresh * kept, weights=weights)),
            "kept": float(np.mean(kept)),
            "kept_and_worse": float(np.mean(np.array(kept) & (fresh > 0))),
        }
        for rule, kept in keeps.items()
    }


def agreement(runs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """How often held-out and fresh rows agree on the mean change of loss within their joint 95 %
    interval, and how often a held-out interval that leaves out 0 has the sign of the fresh change.
    """
    pairs = [
        (run["models"][PRODUCT]["held_out"]["change"], run["models"][PRODUCT]["fresh"]["change"])
        for run in runs
        if run["models"][PRODUCT]["pick"]
    ]
    pairs = [(one, two) for one, two in pairs if one["low"] is not None and two["low"] is not None]
    inside = [
        abs(one["value"] - two["value"])
        <= ((one["high"] - one["value"]) ** 2 + (two["high"] - two["value"]) ** 2) ** 0.5
        for one, two in pairs
    ]
    said = [(one, two) for one, two in pairs if one["high"] < 0 or one["low"] > 0]
    right = [(one["value"] < 0) == (two["value"] < 0) for one, two in said]
    return {
        "pairs": len(pairs),
        "within": float(np.mean(inside)),
        "told": len(said),
        "told_rightly": float(np.mean(right)) if right else None,
    }


def tables_of(found: dict[str, Any]) -> str:
    """The tables of the page."""
    lines = []
    for name, sites in found.items():
        heads = ("global", "local", *SETS)
        lines += [
            f"### {name}",
            "",
            "| hospital (training rows) | " + " | ".join(heads) + " |",
            "|---" * (len(heads) + 1) + "|",
        ]
        for site, facts in sites.items():
            cells = [
                f"{facts['models'][m]['change']:+.3f} ± {facts['models'][m]['change_se']:.3f}"
                f" ({facts['models'][m]['auc']:.3f})"
                for m in heads
            ]
            cells[0] = (
                f"{facts['models']['global']['loss']:.3f} ({facts['models']['global']['auc']:.3f})"
            )
            lines.append(f"| {site} ({facts['training']:.0f}) | " + " | ".join(cells) + " |")
        rules = next(iter(sites.values()))["rules"]
        lines += [
            "",
            "| hospital (held-out rows) | " + " | ".join(rules) + " |",
            "|---" * (len(rules) + 1) + "|",
        ]
        for site, facts in sites.items():
            cells = [
                f"{one['change']:+.3f}, kept {100 * one['kept']:.0f} %, kept and worse"
                f" {100 * one['kept_and_worse']:.0f} %"
                for one in facts["rules"].values()
            ]
            lines.append(f"| {site} ({facts['held_out']:.0f}) | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure, write, print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seeds", type=int, help="runs of each table")
    options.add_argument("--tables", nargs="+", default=list(SEEDS))
    options.add_argument("--out", default=HERE, type=Path)
    chosen_options = options.parse_args()
    found, agreed = {}, {}
    for name in chosen_options.tables:
        tables = {site: read_table(data) for site, data in public_tables(name).items()}
        study = study_of(name, tables)
        runs = []
        for seed in range(chosen_options.seeds or SEEDS[name]):
            runs += one_run(study, tables, seed)
            sys.stderr.write(f"{name}: seed {seed}\n")
        found[name], agreed[name] = summary(runs), agreement(runs)
    (chosen_options.out / "personal.json").write_text(
        json.dumps({"machine": machine("scipy"), "tables": found, "agreement": agreed}, indent=1)
        + "\n"
    )
    sys.stdout.write(tables_of(found) + "\n" + json.dumps(agreed) + "\n")


if __name__ == "__main__":
    main()
