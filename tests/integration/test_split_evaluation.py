"""A whole study whose check shows each hospital's own figures and subgroups: requests, encrypted
rounds, audits, the model's way home, the reports.
"""

import json

import pytest
from click.testing import CliRunner
from split_study import SPLIT
from whole_study import whole_study

from securefl.cli.main import cli


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield whole_study(tmp_path_factory.mktemp("split"), SPLIT, patch=patch)


def reported(done, *options):
    folder = str(done.consortium.root / "researcher")
    command = ["study", "report", done.study.name, "--researcher", folder, *options]
    return CliRunner().invoke(cli, command, env={"COLUMNS": "120"})


def test_the_model_comes_home_with_the_lowest_hospital_on_its_card(done):
    done.check_models()
    for name in done.consortium.names:
        card = done.consortium.root / name / "models" / done.study.name / "model_card.md"
        assert "AUC at each hospital" in card.read_text("utf-8")


def test_every_audit_says_that_own_figures_left(done):
    for said in done.audits().values():
        assert "check of the model with this hospital's own figures" in said


def test_the_reports_show_each_hospital_and_subgroup(done, tmp_path):
    page, found, table = (str(tmp_path / name) for name in ("r.html", "r.json", "r.csv"))
    shown = reported(done, "--html", page, "--json", found, "--csv", table)
    assert shown.exit_code == 0, shown.output
    for title in ("AUC at each hospital", "AUC by sex", "AUC by age"):
        assert title in shown.output
        assert title in (tmp_path / "r.html").read_text("utf-8")
    stage = json.loads((tmp_path / "r.json").read_text("utf-8"))["stages"][-1]
    hospitals = stage["figures"][0]
    assert hospitals["by"] == "hospital"
    assert [one["group"] for one in hospitals["groups"]] == sorted(done.consortium.names)
    lines = (tmp_path / "r.csv").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.startswith("hospital,")]) == 3
