"""``sf.simulate`` and ``securefl study simulate``: where rows come from, what is shown, what is refused."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import protocol_text
from looked_at import LOOKS
from simulated_tables import csv_of

import securefl as sf
from securefl.cli.main import cli
from securefl.errors import DataError, UsageError
from securefl.public_tables import HEART_SHA256, heart_tables, public_tables
from securefl.report.html import html_page
from securefl.report.terminal import plain_text

NOTHING = "protects nothing"
FAST = {"repeat": 2, "advise": False}


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text(protocol_text(('normaliser = "200"', 'normaliser = "80"')))
    return file


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "table.csv"
    file.write_bytes(csv_of())
    return file


def run(*arguments):
    return CliRunner().invoke(cli, ["study", "simulate", *map(str, arguments)])


def test_a_template_without_parties_is_simulated_on_one_csv(study, table):
    found = sf.simulate(study, table, **FAST)
    assert len(found.facts.sites) == 5
    assert sum(s.train + s.held_out for s in found.facts.sites) == 540
    assert found.to_dict() == found.facts.to_dict()
    assert found.to_dict()["exact"]["mean"] > 0.7
    assert NOTHING in repr(found)


def test_the_command_and_python_give_the_same_figures(study, table):
    done = run(study, "--data", table, "--repeat", 2, "--no-advice", "--json", "-")
    assert done.exit_code == 0, done.output
    said, same = json.loads(done.stdout), sf.simulate(study, str(table), **FAST).to_dict()
    for one in (said, same):
        one.pop("seconds")
    assert said == same
    assert said["protects"] == "nothing"


def test_a_folder_is_a_csv_for_each_hospital(study, tmp_path):
    for name in ("north", "south"):
        (tmp_path / f"{name}.csv").write_bytes(csv_of(100))
    found = sf.simulate(study, tmp_path, **FAST)
    assert [s.site for s in found.facts.sites] == ["north", "south"]


def test_a_column_may_say_what_the_hospitals_are(study, table):
    found = sf.simulate(study, table, by="place", **FAST)
    assert [s.site for s in found.facts.sites] == ["east", "north", "south"]


def test_invented_rows_are_as_many_as_the_study_plans_for(study):
    found = sf.simulate(study, mock=True, sites=4, **FAST)
    assert len(found.facts.sites) == 4
    train = sum(s.train for s in found.facts.sites)
    assert 340 < train < 460
    assert "labels mean nothing" in found.facts.data


def test_data_frames_are_taken(study):
    lines = csv_of(200).decode().splitlines()
    cells = [line.split(",") for line in lines]
    columns = {name: [row[i] for row in cells[1:]] for i, name in enumerate(cells[0])}
    found = sf.simulate(study, {"a": columns, "b": columns}, **FAST)
    assert [s.site for s in found.facts.sites] == ["a", "b"]


def test_every_page_and_picture_says_that_it_protects_nothing(study, table, tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "picture.svg"
    done = run(
        *(study, "--data", table, "--repeat", 2, "--html", page, "--svg", picture),
        *("--sweep", "learning_rate=.5,4", "--sweep", "clip_norm=1,2"),
    )
    assert done.exit_code == 0, done.output
    for text in (done.output, page.read_text(), picture.read_text()):
        assert NOTHING in " ".join(text.replace("│", " ").split())
    assert picture.read_text().startswith("<svg")
    assert "best" in picture.read_text()
    assert "Best: " in done.output
    assert done.output.count("learning_rate=.5, clip_norm=2") >= 1


def test_without_a_sweep_the_picture_is_the_training(study, table):
    found = sf.simulate(study, table, **FAST)
    assert "by rounds" in found.picture()
    assert NOTHING in found.picture()
    assert NOTHING in html_page(found.page())
    assert "interval to expect" in plain_text(found.page(), 100)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("patience = 1", "patience = 3"), "stages.1.looks.patience: says 3, and there are 3"),
        (('epsilon = "0.792"', 'epsilon = "0.5"'), "looks.epsilon"),
        (("min_contributors = 5", "min_contributors = 4"), "at least colluders + 2 = 5"),
        (("closes = 2999-01", "closes = 2026-02"), "the study was to run until"),
    ],
)
def test_what_the_check_refuses_is_said_before_any_figure(tmp_path, table, edit, said):
    file = tmp_path / "protocol.toml"
    sound = protocol_text(LOOKS)
    assert edit[0] in sound
    file.write_text(sound.replace(*edit))
    checked = CliRunner().invoke(cli, ["study", "check", str(file)])
    found = sf.simulate(file, table, repeat=1, advise=False)
    (fault,) = found.to_dict()["refused"]
    assert said in fault
    assert fault in str(checked.exception)
    shown = " ".join(plain_text(found.page(), 400).split())
    assert shown.index(fault) < shown.index("interval to expect")


def test_control_a_file_that_the_check_takes_is_not_said_to_be_refused(tmp_path, table):
    file = tmp_path / "protocol.toml"
    file.write_text(protocol_text(LOOKS))
    assert CliRunner().invoke(cli, ["study", "check", str(file)]).exit_code == 0
    found = sf.simulate(file, table, repeat=1, advise=False)
    assert found.to_dict()["refused"] == []
    assert "No study can be made" not in plain_text(found.page(), 400)


def test_encrypted_sums_change_nothing_but_the_time(study, table):
    plain, encrypted = (
        sf.simulate(study, table, repeat=1, advise=False, encrypted=e) for e in (False, True)
    )
    assert encrypted.facts.base == plain.facts.base
    assert "real cipher" in plain_text(encrypted.page(), 100)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "from one place"),
        ({"mock": True, "public": "thyroid"}, "from one place"),
        ({"mock": True, "sites": 1}, "cannot be simulated"),
        ({"public": "nothing"}, "no public table"),
        ({"mock": True, "by": "sex", "sites": 3}, "Leave one of them out"),
    ],
)
def test_what_does_not_fit_together_is_refused(study, given, said):
    with pytest.raises(UsageError) as caught:
        sf.simulate(study, **given)
    assert said in str(caught.value)


def test_rubbish_is_refused_without_a_traceback(study, tmp_path):
    rubbish = tmp_path / "rubbish.csv"
    rubbish.write_bytes(bytes(range(256)) * 4)
    empty = tmp_path / "empty.csv"
    empty.touch()
    for file in (rubbish, empty):
        done = run(study, "--data", file)
        assert done.exit_code != 0
        assert isinstance(done.exception, (SystemExit, DataError)), done.exception
    assert run(rubbish, "--mock").exit_code != 0
    assert run(study, "--mock", "--sweep", "colour=1").exit_code != 0


def test_watched_by_rounds(study):
    seen = []
    sf.simulate(study, mock=True, sites=2, watch=lambda *a: seen.append(a), **FAST)
    assert seen == [(n, 10) for n in range(1, 11)]


def test_a_study_text_is_taken_as_well_as_its_file(study):
    text = study.read_text()
    both = [sf.simulate(s, mock=True, sites=2, repeat=1, advise=False) for s in (text, study)]
    assert both[0].facts.base == both[1].facts.base


def test_the_thyroid_study_does_in_simulation_as_in_its_demonstration():
    """Its README says .986 and more on average."""
    file = Path(__file__).parents[2] / "protocols/studies/thyroid/protocol.toml"
    found = sf.simulate(file, public="thyroid", repeat=2, advise=False)
    assert 0.97 < found.facts.base.figure.mean < 0.995
    assert found.facts.base.covered is not None
    assert len(found.facts.sites) == 5


def test_several_classes_are_simulated():
    file = Path(__file__).parents[2] / "protocols/studies/thyroid-classes/protocol.toml"
    found = sf.simulate(file, public="thyroid", repeat=1, advise=False)
    assert found.facts.metric == "macro AUC"
    assert found.facts.base.figure.mean > 0.8
    assert not found.facts.base.calibration.known


def test_a_number_is_simulated_and_no_page_speaks_of_a_yes_or_no():
    file = Path(__file__).parents[2] / "protocols/studies/thyroid-number/protocol.toml"
    found = sf.simulate(file, public="thyroid", repeat=1, advise=False)
    assert found.facts.metric == "R2"
    assert 0.3 < found.facts.base.figure.mean < 0.5
    assert not found.facts.base.calibration.known
    shown = plain_text(found.page(), 100)
    assert "R2, released" in shown
    assert not [word for word in ("AUC", "positive", "score", "probab") if word in shown]


def test_a_study_without_a_model_shows_its_tables():
    file = Path(__file__).parents[2] / "protocols/studies/thyroid-table/protocol.toml"
    found = sf.simulate(file, public="thyroid", repeat=1)
    tables = found.facts.base.tables
    assert tables
    shown = plain_text(found.page(), 100)
    for table in tables:
        assert table.metric in shown
    assert found.to_dict()["found"][0]["name"] == tables[0].metric
    assert found.picture() == ""


@pytest.mark.skipif("SECUREFL_TEST_DATA" not in os.environ, reason="needs the heart table")
def test_the_heart_study_reaches_what_its_page_says():
    folder = Path(__file__).parents[2] / "protocols/studies/heart"
    found = sf.simulate(folder / "protocol.toml", public="heart", advise=False)
    said = float(re.search(r"\| mean \| (0\.[0-9]+)", (folder / "README.md").read_text())[1])
    assert found.facts.base.figure.mean == pytest.approx(said, abs=0.01)
    assert [s.site for s in found.facts.sites] == ["cleveland", "hungarian", "switzerland", "va"]
    assert sum(s.train + s.held_out for s in found.facts.sites) == 920


def test_the_heart_table_is_checked_before_it_is_used(monkeypatch, tmp_path):
    monkeypatch.delenv("SECUREFL_TEST_DATA", raising=False)
    with pytest.raises(DataError, match="not shipped"):
        heart_tables()
    monkeypatch.setenv("SECUREFL_TEST_DATA", str(tmp_path))
    with pytest.raises(DataError, match="cannot be read"):
        heart_tables()
    (tmp_path / "heart").mkdir()
    for site in HEART_SHA256:
        (tmp_path / f"heart/processed.{site}.data").write_text("1,2,3\n")
    with pytest.raises(DataError, match="not the published table"):
        public_tables("heart")
