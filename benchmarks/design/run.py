"""Designed studies beside ones tuned by hand, their bands, and designed questions checked.

``python benchmarks/design/run.py`` designs studies for published tables, checks each like any file,
simulates them, and writes ``results.json`` and ``README.md``. The heart table and the free light
chain cohort are found by ``SECUREFL_TEST_DATA``. Half an hour on one core. Names of templates as
arguments measure these alone and keep the other rows that were measured before.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn import datasets

import securefl as sf
from securefl.demo import chains
from securefl.designer.score_edges import FEW_BINS
from securefl.errors import StudyError
from securefl.privacy.accounting import PldAccountant
from securefl.public_tables import public_tables
from securefl.study.consistency import parse_consistent
from securefl.study.counts import evaluation_of
from securefl.study.edges import DEFAULT_BINS

HERE = Path(__file__).resolve().parent
STUDIES = HERE.parents[1] / "protocols" / "studies"
REPEAT = 10
EQUAL = "0.333,0.333,0.334"
UNTIL = "days until status = dead by 365, 1095, 1825"
#: Table, label, published shares, and what is made where it is no linear model.
QUESTIONS = [
    ("breast_cancer", "target = malignant", "0.373"),
    ("breast_cancer", "target", "0.627"),
    ("breast_cancer", "mean_radius >= 15", "0.33"),
    ("breast_cancer", "worst_area", None),
    ("diabetes", "target", None),
    ("diabetes", "target >= 140", "0.5"),
    ("diabetes", "bmi", None),
    ("diabetes", "bmi >= 0.04", "0.22"),
    ("iris", "target", EQUAL),
    ("iris", "target = setosa", "0.333"),
    ("iris", "petal_length_(cm)", None),
    ("wine", "target", "0.331,0.399,0.27"),
    ("wine", "target = class_0", "0.331"),
    ("wine", "alcohol > 13", "0.52"),
    ("wine", "proline", None),
    ("thyroid", "target ~ E F G H", "0.0727"),
    ("thyroid", "TT4", None),
    ("thyroid", "sick", "0.04"),
    ("thyroid", "age >= 60", "0.42"),
    ("thyroid", "sex = F", "0.66"),
    ("heart", "num >= 1", "0.553"),
    ("heart", "cp", "0.05,0.189,0.222,0.539"),
    ("thyroid", "target ~ A B C D E F G H", "0.099", "boosted-trees"),
    ("heart", "num >= 1", "0.553", "boosted-trees"),
    ("chains", UNTIL, "0.966,0.922,0.88"),
    ("chains", UNTIL, None),
    ("chains", UNTIL, None, "survival-curve"),
]
#: Template tuned by hand, shares; how the design learns of the columns, and the label then.
TUNED = [
    ("thyroid", "0.0727", "the hospitals' descriptions", None),
    ("thyroid", "0.0727", "the table's cells", "target ~ E F G H"),
    ("heart", "0.553", "the hospitals' descriptions", None),
    ("heart", "0.553", "the table's cells", "num >= 1"),
    ("thyroid-number", None, "the hospitals' descriptions", None),
    ("thyroid-classes", "0.0727,0.0263,0.901", "the hospitals' descriptions", None),
    ("thyroid-boost", "0.099", "the hospitals' descriptions", None),
    ("chains-survival", None, "the hospitals' descriptions", None),
]
SITES = {"heart": 4}
#: Trees have many weights, so fewer simulations of them.
REPEATS = {"thyroid-boost": 3}
KINDS = {"thyroid-boost": "boosted-trees"}
#: A design's hospitals add all of the noise, so the template beside it does, too.
OWN_NOISE = {'noise = "distributed"': 'noise = "local"', "colluders = 1": "colluders = 3"}
#: Table, label, published share: how many bands serve the check of the model.
BANDS = [
    ("breast_cancer", "target = malignant", "0.373"),
    ("heart", "num >= 1", "0.553"),
    ("thyroid", "target ~ E F G H", "0.0727"),
]


@cache
def table(name: str) -> pd.DataFrame:
    """A published table as a data frame of texts, with a patient a row."""
    if name not in {"thyroid", "heart", "chains"}:
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        made: pd.DataFrame = bunch.frame.copy()
        if hasattr(bunch, "target_names"):
            made["target"] = [str(bunch.target_names[i]) for i in made["target"]]
        made.columns = [column.replace(" ", "_") for column in made.columns]
        made.insert(0, "patient_id", range(len(made)))
        return made
    rows: list[dict[str, str]] = []
    found = chains.downloaded() if name == "chains" else public_tables(name)
    for text in found.values():
        rows += csv.DictReader(io.StringIO(text.decode()))
    # the column that divides the table is no column of a hospital's own
    return pd.DataFrame(rows).drop(columns="referral_source", errors="ignore")


def frame(text: bytes) -> pd.DataFrame:
    """A CSV as texts."""
    return pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False)


def checked(name: str, label: str, shares: str | None, kind: str = "linear") -> dict[str, Any]:
    """One question designed, and what the check says the first time."""
    rows = table(name)
    first = label == UNTIL and shares is None
    made = sf.design(
        rows,
        label,
        patients=None if first else len(rows),
        share=shares,
        source="Its publication",
        hospitals=SITES.get(name, 5),
        kind=kind,
    )
    if kind != "linear":
        label += f"`, `{kind}"
    elif first:
        label += "`, `the first study"
    try:
        parse_consistent(made.text.encode(), PldAccountant())
        fault = ""
    except StudyError as error:
        fault = str(error)
    return {"table": name, "label": label, "passes": not fault, "fault": fault}


def beside(template: str, shares: str | None, told: str, label: str | None) -> dict[str, Any]:
    """A design and the template that a person tuned, simulated on the same splits."""
    file = STUDIES / template / "protocol.toml"
    public = template.partition("-")[0]
    text = file.read_text("utf-8")
    for word, other in OWN_NOISE.items():
        text = text.replace(word, other)
    made = sf.design(
        table(public) if label else file,
        label,
        patients=len(table(public)),
        share=shares,
        source="Its publication",
        hospitals=SITES.get(public, 5),
        kind=KINDS.get(template),
    )
    where: dict[str, Any] = {"public": public}
    if public == "chains":
        where = {"tables": {site: frame(data) for site, data in chains.downloaded().items()}}
    repeat = REPEATS.get(template, REPEAT)
    figures = {}
    for name, study in (("designed", made.text), ("tuned", text)):
        found = sf.simulate(study, **where, repeat=repeat, advise=False).facts
        figures[name] = {"mean": found.base.figure.mean, "sd": found.base.figure.sd}
    difference = figures["designed"]["mean"] - figures["tuned"]["mean"]
    return {
        "template": template,
        "columns": told,
        "metric": found.metric,
        **figures,
        "difference": difference,
    }


def bands(name: str, label: str, share: str) -> dict[str, Any]:
    """A design with few bands and with the usual number, and which of them its rule takes."""
    rows = table(name)
    sites = SITES.get(name, 5)
    made = sf.design(
        rows, label, patients=len(rows), share=share, source="Its publication", hospitals=sites
    )
    chosen = evaluation_of(made.draft.study.study).bins
    figures = {}
    for kind, count in (("few", FEW_BINS), ("usual", DEFAULT_BINS)):
        text = made.text.replace(f"bins = {chosen}\n", f"bins = {count}\n")
        told = sf.simulate(text, {name: rows}, sites=sites, repeat=REPEAT, advise=False).to_dict()
        released = told["released"]
        figures[kind] = {
            "low": released["low"]["mean"],
            "high": released["high"]["mean"],
            "told": len(released["point"]["values"]),
            "holds_exact": released["holds_exact"],
        }
    exact = told["exact"]["mean"]
    return {"table": name, "label": label, "bins": chosen, "exact": exact, **figures}


def page(results: dict[str, Any]) -> str:
    """The README's text."""
    lines = [
        "# Designed studies",
        "Written by `python benchmarks/design/run.py` on " + results["day"] + ".",
        "",
        "## Beside figures tuned by hand",
        (
            f"Both simulated {results['repeat']} times (boosted trees"
            f" {REPEATS['thyroid-boost']} times) on the same splits of the published table, epsilon"
            " as the template's, exact figures of the patients kept aside: mean and standard deviation."
            " The templates were tuned on these tables; the designs saw columns and sizes alone."
        ),
        "",
        "| template | columns from | figure | designed | tuned | difference |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["beside"]:
        both = (row["designed"], row["tuned"])
        told = " | ".join(f"{one['mean']:.3f} ± {one['sd']:.3f}" for one in both)
        head = f"| {row['template']} | {row['columns']} | {row['metric']} |"
        lines.append(f"{head} {told} | {row['difference']:+.3f} |")
    lines += [
        "",
        "## Bands of the check",
        (
            "Each band of the score carries noise. Beside each other: mean of the released interval"
            f" over {results['repeat']} simulations at epsilon 1, in how many of them the model was"
            " told from chance, and in what share of them the interval holds the exact figure."
        ),
        "",
        (
            f"| table | exact AUC | {FEW_BINS} bands | told | holds | {DEFAULT_BINS} bands | told |"
            " holds | taken |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["bands"]:
        told = [
            f"{one['low']:.3f} to {one['high']:.3f} | {one['told']} | {one['holds_exact']:.0%}"
            for one in (row["few"], row["usual"])
        ]
        lines.append(
            f"| {row['table']} | {row['exact']:.3f} | {' | '.join(told)} | {row['bins']} |"
        )
    passed = sum(row["passes"] for row in results["questions"])
    tables = len({row["table"] for row in results["questions"]})
    lines += [
        "",
        "## Questions",
        (
            f"{passed} of {len(results['questions'])} designs, over {tables} published tables, pass"
            " `securefl study check` the first time."
        ),
        "",
        "| table | label | passes |",
        "|---|---|---|",
    ]
    for row in results["questions"]:
        lines.append(f"| {row['table']} | `{row['label']}` | {'yes' if row['passes'] else 'no'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    only = sys.argv[1:]
    known: dict[tuple[str, str], dict[str, Any]] = {}
    if only:
        before = json.loads((HERE / "results.json").read_text("utf-8"))["beside"]
        known = {(row["template"], row["columns"]): row for row in before}
    rows = []
    for template, shares, told, label in TUNED:
        row = known.get((template, told))
        if row is None or template in only:
            row = beside(template, shares, told, label)
        rows.append(row)
    results = {
        "day": datetime.now(UTC).date().isoformat(),
        "repeat": REPEAT,
        "questions": [checked(*question) for question in QUESTIONS],
        "beside": rows,
        "bands": [bands(*row) for row in BANDS],
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "README.md").write_text(page(results))


if __name__ == "__main__":
    main()
