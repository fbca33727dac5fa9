"""A study that only counts runs from the request to every ledger's audit: real processes, PySyft,
encryption and budgets; nothing is trained, so there is no model to judge, to save or to send.
"""

from __future__ import annotations

import json

import pytest
from conftest import PROTOCOL
from consortium import consortium
from statistics_study import ALONE as STATISTICS_ALONE

from securefl.errors import UsageError

pytestmark = pytest.mark.slow

START = PROTOCOL.index("[[stages]]")
STAGES = PROTOCOL[START : PROTOCOL.index("[secagg]")]
COUNT = """\
[[stages]]
kind = "count"
noise_multiplier = "18.54"
epsilon = "0.174"
bound = 20000
minimum = 0

"""
QUALITY = '[quality]\nminimum = "0.5"\nstop_rule = "none"\n\n'
ONLY_COUNTED = (
    (STAGES, COUNT),
    (QUALITY, ""),
    ('recipients = ["participants"]', "recipients = []"),
    ("min_contributors = 5", "min_contributors = 3"),
    ("colluders = 3", "colluders = 1"),
)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    with consortium(tmp_path_factory.mktemp("counted")) as made:
        yield made


def test_a_study_that_only_counts_runs_from_request_to_audit(c):
    study = c.new_study("counted", base=ONLY_COUNTED)
    site = ["--site", str(c.root / c.names[0])]
    researcher = ["--researcher", str(c.root / "researcher")]
    checked = c.cli("study", "check", str(study.folder / "study.toml"))
    assert "What is trained" not in checked
    assert "makes no model" in checked
    planned = json.loads(c.cli("study", "plan", str(study.folder / "study.toml"), "--json", "-"))
    assert [charge["kind"] for charge in planned["charges"]] == ["preparation"]
    assert "noise" not in planned
    c.request(study)
    page = " ".join(c.cli("site", "review", study.name, *site).split())
    assert "how many patients train the model" not in page
    assert "The study makes no model, and the program sends nothing to anybody else" in page
    assert "The lowest acceptable" not in page
    c.ready_after_request(study)
    done = c.cli("study", "run", study.name, *researcher)
    assert "What was found" in done
    assert "securefl predict" not in done
    c.ended(study, *c.names, status="completed")
    report = json.loads(c.cli("study", "report", study.name, "--json", "-", *researcher))
    (stage,) = report["stages"]
    assert stage["kind"] == "count"
    assert (
        abs(sum(stage["strata"].values()) - 3 * 56) < 200
    )  # 80 rows each, three in ten kept aside; noised
    assert "model" not in report
    assert "quality" not in report
    page = c.root / "report.html"
    shown = c.cli("study", "report", study.name, "--html", str(page), *researcher)
    for text in (shown, page.read_text("utf-8")):
        assert "about" in text
        assert "counted" in text
        assert f"Extract of the audit of {c.names[0]}" in text
    assert sorted(report["extracts"]) == sorted(c.names)
    audit = json.loads(c.cli("audit", "--json", "-", *site))
    releases = [release for dataset in audit["datasets"] for release in dataset["releases"]]
    assert [release["kind"] for release in releases] == ["preparation"]
    assert audit["verified"] is True
    verified = c.cli("study", "verify", "all", "--folder", str(c.root / c.names[0]))
    assert "No key was needed" in verified
    assert "completed" in c.cli("site", "status", *site)
    assert "No model has come home" in c.cli("site", "model", "list", *site)


def test_a_table_of_patients_is_shown_again_and_written_for_a_spreadsheet(c, tmp_path):
    base = (*STATISTICS_ALONE, *ONLY_COUNTED[-2:])
    study = c.new_study("table", base=base)
    researcher = ["--researcher", str(c.root / "researcher")]
    c.request(study)
    page = " ".join(c.cli("site", "review", study.name, "--site", str(c.root / "SVI")).split())
    assert "one of them counts in 4 of the numbers" in page
    c.ready_after_request(study)
    done = c.cli("study", "run", study.name, *researcher)
    assert "sex and sick (patients)" in done
    c.ended(study, *c.names, status="completed")
    file = tmp_path / "figures.csv"
    again = c.cli("study", "report", study.name, "--csv", str(file), *researcher)
    assert "age (years)" in again
    lines = file.read_text().splitlines()
    assert lines[0] == "name,group,figure,value,low,high"
    patients = [line.split(",") for line in lines if line.startswith("age,F,patients")]
    assert 0 < float(patients[0][3]) < 3 * 80 + 200  # 80 rows each; noised
    assert len(study.figure_rows()) == len(lines) - 1


def test_a_folder_for_a_model_that_is_not_made_is_refused_before_anybody_waits(c):
    study = c.new_study("no-model", base=ONLY_COUNTED)
    with pytest.raises(UsageError, match="makes no model, so there is nothing to put into"):
        study.place(c.root / "model")
