"""A whole study with looks, by the product's own parties: charged, audited, told, archived."""

import json
import shutil

import pytest
from click.testing import CliRunner
from looked_at import TWO_LOOKS
from whole_study import WholeStudy, whole_study

from securefl.cli.main import cli
from securefl.errors import RoundError
from securefl.federation.round_plan import card_of
from securefl.learning.looks import Trend
from securefl.learning.stages.roles import training_result
from securefl.node.owner.status import budget_statuses
from securefl.party import study_archive
from securefl.party.study_archive import ArchiveManifest, check_archive
from securefl.report.terminal import plain_text
from securefl.researcher.progress import round_lines
from securefl.researcher.run_series import run_looks, run_series, run_settling

KINDS = ["update", "look", "update", "look", "update", "evaluation"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        made = whole_study(root, TWO_LOOKS, patch=patch)
        made.study.archive(root / "archive")
    made.root = root
    return made


def test_it_runs_and_its_model_comes_home(whole):
    whole.check_models()
    plan = whole.study.plan
    assert [plan.kind(n) for n in range(1, plan.last_round + 1)] == KINDS


def test_every_ledger_is_charged_for_all_looks_and_names_each(whole):
    for name, said in whole.audits().items():
        assert said.count("look at the model") == 2, said
        site = whole.consortium.site(name)
        state = site.ledger.state.study(whole.study.digest)
        reserved = {part.purpose: part.mechanism.count for part in state.reservation.parts}
        assert reserved == {"update": 3, "look": 2, "evaluation": 1}


def test_the_result_the_report_and_the_series_tell_them(whole):
    study = whole.study
    found = training_result(whole.result.outcome.results).looks
    (stage, _) = study.report()["stages"]
    assert stage == {"kind": "train", **found.record()}
    assert [look["after"] for look in stage["looks"]] == [1, 2]
    page = " ".join(plain_text(study.report_page(), 120).split())
    assert "AUC on the way" in page
    assert "How it learnt" in page
    rows = [row for row in study.figure_rows() if row.name == "model on the way"]
    assert [row.group for row in rows] == ["after round 1", "after round 2"]
    assert run_looks(study.folder, study.plan) == found
    points = run_series(study.folder, study.plan)
    assert {p.round for p in points if p.series == "look/low"} == {2, 4}
    assert {p.round for p in points if p.series == "training/update_length"} == {1, 3, 5}
    assert run_settling(study.folder, study.plan).rounds == 3


def test_the_run_tells_a_looks_figure_behind_its_round(whole, tmp_path):
    study, outcome = whole.study, whole.result.outcome
    lines = [round_lines(study.plan, study.folder)(record) for record in outcome.records]
    found = training_result(outcome.results).looks.looks
    for line, look in zip((lines[1], lines[3]), found, strict=True):
        said = "; the noise leaves nothing to say of the AUC"
        if look.known:
            said = f"; AUC {look.low:.3f} to {look.high:.3f} (95 %)"
        assert line.startswith("look ")
        assert line.endswith(said)
    without = round_lines(study.plan, tmp_path)  # control: no opened sums lie there
    assert "AUC" not in "".join(without(record) for record in outcome.records)
    assert "AUC" not in "".join(lines[::2])


def test_the_live_page_tells_the_newest_and_what_all_say(whole):
    where = ["--researcher", str(whole.consortium.lab.folder.path)]
    shown = CliRunner().invoke(cli, ["study", "status", whole.study.name, "--live", *where])
    assert "2 of 2 looks" in " ".join(shown.output.split())
    told = CliRunner().invoke(
        cli, ["study", "status", whole.study.name, "--live", "--json", "-", *where]
    )
    looks = json.loads(told.stdout)["looks"]
    assert looks["trend"] in set(Trend)
    assert [look["after"] for look in looks["looks"]] == [1, 2]


def test_an_archive_with_other_figures_on_the_way_is_found_out(whole, tmp_path):
    folder = shutil.copytree(whole.root / "archive", tmp_path / "archive")
    keys = {p.name: card_of(p).spoken for p in whole.study.file.participants}
    assert check_archive(folder, keys).weights_follow  # control: as it was written
    told = json.loads((folder / study_archive.RESULT).read_text())
    told["stages"][0]["looks"][1]["high"] += 0.001
    (folder / study_archive.RESULT).write_text(json.dumps(told))
    names = study_archive.archived_files(folder)
    files = {name: study_archive.archived_sha256(folder / name) for name in names}
    sign = whole.consortium.lab.folder.identity.sign
    text = ArchiveManifest(whole.study.digest, files).dump(sign)
    (folder / study_archive.MANIFEST).write_bytes(text)
    with pytest.raises(RoundError, match="figures on the way"):
        check_archive(folder, keys)


def worse_at_once(looks, planned, patience, least):
    """Word for a course in which every look is the worst."""
    del looks, planned, patience, least
    return Trend.WORSE


def test_a_study_that_its_looks_end_early_is_charged_in_full(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("securefl.learning.looks.trend_of", worse_at_once)
    monkeypatch.setattr("securefl.learning.looks.best_before", lambda looks: looks[-1])
    ends = ("patience = 1\n", "patience = 1\nends = true\n")
    ended = WholeStudy(tmp_path, TWO_LOOKS, ends, patch=monkeypatch)
    with pytest.raises(RoundError, match="as its rule on looks says"):
        ended.run()
    ended._turns(8)
    for name in ended.consortium.names:
        assert len(sent(ended, name)) == 2  # an update and a look
        assert len(sent(whole, name)) == len(KINDS)
        assert ended.consortium.status(name, ended.study) == "failed"
        assert budget_used(ended, name) == budget_used(whole, name) > 0


def sent(study, name):
    """What left a hospital for the study."""
    return study.consortium.site(name).ledger.state.study(study.study.digest).sent


def budget_used(study, name):
    """Part of a hospital's budget that is charged."""
    (budget,) = budget_statuses(study.consortium.site(name))
    return budget.used
