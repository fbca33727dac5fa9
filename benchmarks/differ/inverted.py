"""One hospital whose labels are inverted: what it does to the model, whether it is named, and what a
study that continues without it brings back.

``python benchmarks/differ/inverted.py`` writes ``inverted.json``, ``inverted.svg`` and the tables of
``README.md``. The study is `protocols/studies/thyroid`, its five hospitals as published, epsilon 1,
full noise at each, and `each_participant = true`. A hospital that inverts takes yes for no in its
whole table, in the rows that train and in those kept aside. Figures of hospitals are those that the
study releases and charges. The AUC is exact, on all patients kept aside with their true labels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from machine import machine

from securefl.learning.evaluation_split import is_wrong_way
from securefl.learning.models import family_of, predict, weights_to_bytes
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.public_tables import THYROID_SITES, thyroid_tables
from securefl.report.markup import element
from securefl.report.svg import Plot, line, number, picture_alone, text
from securefl.simulation.draws import Samplers
from securefl.simulation.poisoning import with_flipped_labels
from securefl.simulation.trial import run_trial, virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study
from securefl.study.counts import evaluation_of
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of
from securefl.study.warm_start import weights_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.evaluation_split import PartFigures
    from securefl.simulation.trial import Trial, VirtualHospital
    from securefl.study.schema import Study
    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/thyroid/protocol.toml"
SEEDS = range(5)
NOBODY = "nobody"
#: The hospital of 26 % of all patients.
SHOWN = "SVI"
#: In the place of the digest of the study that is continued.
DIGEST = "0" * 64
OWN_FIGURES = ('metric = "auc"\n', 'metric = "auc"\neach_participant = true\n')


def study_of(
    sites: Sequence[str],
    start: FloatArray | None = None,
) -> Study:
    """The study of these hospitals; from the weights of an earlier one where they are given.

    Fewer hospitals have fewer patients, so the normaliser and the least number of contributors are
    theirs.
    """
    raw = deepcopy(read_template(TEMPLATE.read_text().replace(*OWN_FIGURES).encode())[0].raw)
    train = raw["stages"][0]
    patients = sum(THYROID_SITES[site] for site in sites)
    batch = Fraction(patients) * Fraction(7, 10) * Fraction(train["sample_rate"])
    train["normaliser"] = f"{float(batch):.2f}"
    train["normaliser_source"] = f"{patients} published records, times 7/10 and the sampling rate"
    raw["secagg"] = {"min_contributors": len(sites), "colluders": len(sites) - 2}
    if start is not None:
        raw["continues"] = DIGEST
        train["start_weights"] = weights_text(weights_to_bytes(start))
    return virtual_study(UnsealedStudy.read(dump_toml(raw)), sites, {})


class Runs:
    """All runs of one seed: the same patients are kept aside in all of them."""

    def __init__(
        self,
        seed: int,
        samplers: Samplers,
    ) -> None:
        self._seed = seed
        self._samplers = samplers
        self._sites = tuple(THYROID_SITES)
        self._study = study_of(self._sites)
        tables = {site: read_table(table) for site, table in thyroid_tables().items()}
        self._honest = virtual_hospitals(self._study, tables, seed, 0)
        kept = [one.rows.held_out.one_row_each("patient") for one in self._honest]
        self._x = np.concatenate([part.X for part in kept])
        self._y = np.concatenate([part.y for part in kept])

    def all(self) -> dict[str, Any]:
        """Every hospital inverts in turn, and nobody; what follows where :data:`SHOWN` does."""
        found: dict[str, Any] = {
            "inverts": {NOBODY: self._told(self._run(self._honest), self._honest)}
        }
        for site in self._sites:
            inverted = with_flipped_labels(self._honest, [site], everywhere=True)
            trial = self._run(inverted)
            found["inverts"][site] = self._told(trial, inverted)
            if site == SHOWN:
                found["after"] = self._after(trial.theta)
        return found

    def _after(
        self,
        bent: FloatArray,
    ) -> dict[str, float]:
        """What a second study makes of the bent model, with noise of its own."""
        others = [one for one in self._honest if one.site != SHOWN]
        names = tuple(one.site for one in others)
        return {
            "continued without it": self._figure(self._second(study_of(names, bent), others)),
            "anew without it": self._figure(self._second(study_of(names), others)),
            "continued, its labels mended": self._figure(
                self._second(study_of(self._sites, bent), self._honest)
            ),
        }

    def _run(
        self,
        hospitals: Sequence[VirtualHospital],
    ) -> Trial:
        return run_trial(
            self._study, hospitals, self._samplers, seed=self._seed, repeat=0, probes=0
        )

    def _second(
        self,
        study: Study,
        hospitals: Sequence[VirtualHospital],
    ) -> Trial:
        return run_trial(study, hospitals, self._samplers, seed=self._seed, repeat=1, probes=0)

    def _figure(
        self,
        trial: Trial,
    ) -> float:
        """Exact AUC on all patients kept aside, with their true labels."""
        study = self._study
        family = family_of(training_of(study).model, study.data)
        return round(
            exact_auc(self._y, predict(trial.theta, family, task_of(study.data), self._x)), 4
        )

    def _told(
        self,
        trial: Trial,
        hospitals: Sequence[VirtualHospital],
    ) -> dict[str, Any]:
        (part,) = trial.split
        return {
            "auc": self._figure(trial),
            "hospitals": _intervals(part),
            "wrong way round": list(part.below_chance),
            "apart": part.apart,
            "own screens": self._own_screens(trial, hospitals),
        }

    def _own_screens(
        self,
        trial: Trial,
        hospitals: Sequence[VirtualHospital],
    ) -> list[str]:
        """Hospitals whose owner's own screen, with exact figures, would warn."""
        study = self._study
        task = task_of(study.data)
        family = family_of(training_of(study).model, study.data)
        found = []
        for one in hospitals:
            rows = one.rows.held_out.one_row_each("patient")
            predictions = predict(trial.theta, family, task, rows.X)
            if is_wrong_way(task, task.own_figures(predictions, rows.y, evaluation_of(study))):
                found.append(one.site)
        return found


def _intervals(part: PartFigures) -> dict[str, list[float] | None]:
    """Charged 95 % interval of each hospital; None where the noise leaves nothing to say."""
    return {
        one.group: [round(one.low, 3), round(one.high, 3)] if one.known else None
        for one in part.groups
    }


def named(told: Mapping[str, Any]) -> str:
    """The hospitals that the report names, by its two rules."""
    wrong_way = ", ".join(told["wrong way round"])
    if wrong_way:
        return f"{wrong_way}: the wrong way round"
    return f"{told['apart']}: apart" if told["apart"] else NOBODY


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The AUC and who was named, by the hospital that inverts."""
    lines = [
        "| labels inverted at | of all patients | AUC | named, in how many seeds | its own screen warns |",
        "|---|---|---|---|---|",
    ]
    patients = sum(THYROID_SITES.values())
    for site in (NOBODY, *sorted(THYROID_SITES, key=THYROID_SITES.get)):
        told = [row["inverts"][site] for row in rows]
        share = f"{THYROID_SITES[site] / patients:.1%}" if site != NOBODY else ""
        tally = Counter(named(one) for one in told)
        words = "; ".join(f"{name} ({count})" for name, count in sorted(tally.items()))
        warned = sum(site in one["own screens"] for one in told)
        screens = f"{warned} of {len(told)}" if site != NOBODY else ""
        auc = _cell([one["auc"] for one in told])
        lines.append(f"| {site} | {share} | {auc} | {words} | {screens} |")
    return "\n".join(lines)


def after_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The AUC before, with the inverted labels, and after a second study."""
    lines = ["| study | AUC |", "|---|---|"]
    arms = {
        "all five, labels right": [row["inverts"][NOBODY]["auc"] for row in rows],
        f"all five, labels of {SHOWN} inverted": [row["inverts"][SHOWN]["auc"] for row in rows],
    }
    for arm in rows[0]["after"]:
        arms[arm] = [row["after"][arm] for row in rows]
    lines += [f"| {words} | {_cell(values)} |" for words, values in arms.items()]
    return "\n".join(lines)


def own_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each hospital's own charged interval where :data:`SHOWN` inverts, seed by seed."""
    lines = [
        "| hospital | " + " | ".join(f"seed {seed}" for seed in range(len(rows))) + " |",
        "|---|" + "---|" * len(rows),
    ]
    for site in THYROID_SITES:
        cells = []
        for row in rows:
            ends = row["inverts"][SHOWN]["hospitals"][site]
            cells.append(f"{ends[0]:.2f} to {ends[1]:.2f}" if ends else "too few to say")
        lines.append(f"| {site} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} (least {min(values):.3f})"


def drawing(rows: Sequence[Mapping[str, Any]]) -> str:
    """Each hospital's own interval of seed 0, with right labels and with those of one inverted."""
    states = ((NOBODY, "labels right"), (SHOWN, f"labels of {SHOWN} inverted"))
    step = 22.0
    block = step * len(THYROID_SITES) + 34
    height = block * len(states) + 60
    plot = Plot(height, left=110, top=30, right=24, bottom=40)
    parts = [
        line(plot.x(0.5), plot.y(1), plot.x(0.5), plot.y(0), "granted"),
        text(plot.x(0.5) + 5, plot.y(0) - 4, "a guess", "small"),
        *plot.ticks((part / 4, f"{part / 4:g}", "middle") for part in range(5)),
    ]
    for place, (state, words) in enumerate(states):
        top = 30 + block * place
        parts.append(text(8, top + 6, words))
        for number_of, site in enumerate(THYROID_SITES):
            y = top + 14 + step * (number_of + 0.5)
            parts.append(text(plot.left - 10, y + 4, site, "last"))
            ends = rows[0]["inverts"][state]["hospitals"][site]
            if ends is None:
                parts.append(text(plot.x(0) + 6, y + 4, "too few to say", "small"))
                continue
            low, high = ends
            parts.append(line(plot.x(low), y, plot.x(high), y, "staircase"))
            middle = number(plot.x((low + high) / 2))
            parts.append(element("circle", cx=middle, cy=number(y), r=4, class_="mark"))
    title = (
        "Own 95 % interval of the AUC at each hospital, as charged. With right labels those of which"
        f" something can be said lie above one half, with those of {SHOWN} inverted its own lies below."
    )
    return picture_alone(title, height, *parts)


def block(rows: Sequence[Mapping[str, Any]]) -> str:
    """The three tables of the page."""
    return "\n\n".join((table(rows), own_table(rows), after_table(rows)))


def main() -> None:
    """Measure, and write the figures, the picture and the page's tables."""
    options = argparse.ArgumentParser()
    options.add_argument("--seeds", type=int, default=len(SEEDS))
    given = options.parse_args()
    samplers = Samplers()
    rows = []
    for seed in range(given.seeds):
        rows.append(Runs(seed, samplers).all())
        print(json.dumps(rows[-1]), flush=True)
    kept = {"machine": machine(), "seeds": given.seeds, "rows": rows}
    (HERE / "inverted.json").write_text(json.dumps(kept, indent=1) + "\n")
    (HERE / "inverted.svg").write_text(drawing(rows))
    page = HERE / "README.md"
    whole = page.read_text()
    start, end = "<!-- inverted -->\n", "<!-- end of inverted -->"
    before, rest = whole.split(start)
    page.write_text(f"{before}{start}{block(rows)}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
