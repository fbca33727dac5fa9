"""Whole studies whose check shows each hospital's own figures: requests, encrypted rounds, audits,
the model's way home or its withholding, the reports.

One test a study: it is made once, also where tests run side by side.
"""

import json

import pytest
from click.testing import CliRunner
from simulated_tables import csv_of
from split_study import ONLY_OWN, SPLIT, WITHHOLD
from whole_study import WholeStudy, whole_study

from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.learning.artefact import load_model
from securefl.node.model_figures import own_figures
from securefl.node.site import Site

#: So many that noise cannot hide a hospital.
ROWS = 3000


def reported(done, folder, *options):
    """The report on screen, as a page, as JSON and as CSV."""
    lab = str(done.consortium.root / "researcher")
    files = {kind: folder / f"report.{kind}" for kind in ("html", "json", "csv")}
    options = [text for kind, file in files.items() for text in (f"--{kind}", str(file))]
    command = ["study", "report", done.study.name, "--researcher", lab, *options]
    shown = CliRunner().invoke(cli, command, env={"COLUMNS": "120"})
    assert shown.exit_code == 0, shown.output
    return shown.output, {kind: file.read_text("utf-8") for kind, file in files.items()}


def check_own_rounds(done, name):
    """The owner sees every round's model on its own patients, exactly as they are."""
    folder, found = str(done.consortium.root / name), done.consortium.root / "own.json"
    command = ["site", "model", "rounds", done.study.name, "--site", folder]
    shown = CliRunner().invoke(cli, command, env={"COLUMNS": "100"})
    assert shown.exit_code == 0, shown.output
    assert "They stand on your screen only" in " ".join(shown.output.split())
    CliRunner().invoke(cli, [*command, "--json", str(found)])
    rounds = json.loads(found.read_text("utf-8"))["rounds"]
    assert [one["after"] for one in rounds] == [0, 1, 2, 3]
    home = done.consortium.root / name / "models" / done.study.name
    model, study = load_model(home), done.study.file
    exact = own_figures(Site.at(done.consortium.root / name), model, study)
    assert rounds[-1]["value"] == exact.auc
    kept = done.consortium.root / name / "studies" / done.study.digest / "round-models"
    assert all(file.stat().st_mode & 0o077 == 0 for file in kept.iterdir())
    # only what everybody was sent is kept: no figure of these patients
    assert sum(file.stat().st_size for file in kept.iterdir()) == 4 * 8 * len(model.theta)


def test_a_study_shows_hospitals_and_subgroups(tmp_path, monkeypatch):
    done = whole_study(tmp_path, SPLIT, patch=monkeypatch)
    names = sorted(done.consortium.names)
    done.check_models()
    for name in names:
        card = done.consortium.root / name / "models" / done.study.name / "model_card.md"
        assert "AUC at each hospital" in card.read_text("utf-8")
    for said in done.audits().values():
        assert "check of the model with this hospital's own figures" in said
    check_own_rounds(done, names[0])
    shown, files = reported(done, tmp_path)
    for title in ("AUC at each hospital", "AUC by sex", "AUC by age"):
        assert title in shown
        assert title in files["html"]
    hospitals = json.loads(files["json"])["stages"][-1]["figures"][0]
    assert hospitals["by"] == "hospital"
    assert [one["group"] for one in hospitals["groups"]] == names
    lines = [line for line in files["csv"].splitlines() if line.startswith("hospital,")]
    assert len(lines) == len(names)


def test_a_hospital_whose_table_has_yes_for_no_is_named_and_warned_on_its_own_screen(
    tmp_path, monkeypatch
):
    """Through encrypted rounds with noise of the operating system: every hospital is told, by the
    same charged list, and the one that it is about by its own exact figures.
    """
    made = WholeStudy(tmp_path, ONLY_OWN, patch=monkeypatch)
    names = sorted(made.consortium.names)
    wrong = names[1]
    for seed, name in enumerate(names):
        table = csv_of(ROWS, seed=seed)
        if name == wrong:
            table = table.replace(b",E,", b",?,").replace(b",-,", b",E,").replace(b",?,", b",-,")
        made.consortium.table(name).write_bytes(table)
    made.result = made.run()
    made.check_ends()
    made.check_models()
    shown, files = reported(made, tmp_path)
    for text in (shown, files["html"]):
        assert f"At {wrong} the model orders patients the wrong way round" in " ".join(text.split())
    hospitals = json.loads(files["json"])["stages"][-1]["figures"][0]
    assert hospitals["below_chance"] == [wrong]
    for name in names:
        home = made.consortium.root / name
        card = home / "models" / made.study.name / "model_card.md"
        assert f"the wrong way round: {wrong}" in card.read_text("utf-8").replace("*", "")
        found = tmp_path / f"{name}.json"
        command = ["site", "model", "show", made.study.name, "--site", str(home)]
        screen = CliRunner().invoke(cli, command, env={"COLUMNS": "100"})
        CliRunner().invoke(cli, [*command, "--json", str(found)])
        assert json.loads(found.read_text("utf-8"))["wrong_way_round"] == (name == wrong)
        warned = "Attention: the model orders your patients the wrong way round"
        assert (warned in " ".join(screen.output.split())) == (name == wrong)


def test_a_model_that_misses_the_rule_is_given_to_nobody(tmp_path, monkeypatch):
    done = whole_study(tmp_path, ONLY_OWN, WITHHOLD, patch=monkeypatch)
    assert done.result.withheld
    assert done.result.sent_to == ()
    with pytest.raises(UsageError, match="withholds this model"):
        _ = done.result.model
    root = done.consortium.root
    assert not list(root.rglob("model.safetensors"))
    # nor are the opened sums handed on, from which it follows
    with pytest.raises(UsageError, match="the model follows from the opened"):
        done.study.archive(tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
    for name in done.consortium.names:
        assert "the model is withheld" in done.consortium.log(name)
        assert not list((root / name / "models" / "expected").glob("*.json"))
    shown, files = reported(done, tmp_path)
    assert "the model is withheld" in " ".join(shown.split())
    assert "AUC at each hospital" in shown
    assert "What the model rests on" not in files["html"]
