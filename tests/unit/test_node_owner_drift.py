"""Rows that are scored are compared with the table of the training: at home, from a summary that is
kept when the owner approves, and that never leaves.
"""

import dataclasses
import json
import shutil
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium
from hospital_folder import saved_model
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, UsageError
from securefl.learning.artefact import load_model, save_model
from securefl.learning.mock import mock_table
from securefl.learning.model_notices import recall_model
from securefl.learning.readiness import look_at
from securefl.learning.table import read_table
from securefl.node.backup import kept_files
from securefl.node.model_uses import use_of
from securefl.node.newest_drift import newest_drift
from securefl.node.owner import requests
from securefl.node.owner.drift import rows_drift
from securefl.node.training_look import forget_training_looks, training_look
from securefl.sources.source import GivenReading

ME = NAMES[0]


@pytest.fixture
def c(tmp_path):
    return Consortium(tmp_path)


@pytest.fixture
def here(c):
    """A hospital whose owner approved a study, and to which its model came home."""
    site = c.site(ME)
    c.study = c.new_study("first")
    c.hand_over(c.study, ME)
    reviewed = requests.plan_approval(site, "first", datetime.now(UTC))
    requests.approve(site, reviewed)
    model = saved_model(c.root / "made")
    facts = model.facts.model_copy(update={"study_digest": c.study.digest})
    folder = site.path / "models" / c.study.name
    save_model(folder, model.theta, model.spec, model.data, facts)
    yield site
    site.ledger.close()


def older(table):
    """The same rows, each patient thirty years older."""
    head, *rows = table.decode().splitlines()
    place = head.split(",").index("age")
    moved = []
    for row in rows:
        cells = row.split(",")
        if cells[place]:
            cells[place] = str(min(float(cells[place]) + 30, 99))
        moved.append(",".join(cells))
    return "\n".join([head, *moved, ""]).encode()


def compared(here, c, content):
    rows = c.root / "rows.csv"
    rows.write_bytes(content)
    return rows_drift(here, "first", rows, GivenReading())


def test_rows_of_the_same_kind_did_not_move_and_older_patients_did(here, c):
    same = compared(here, c, mock_table(SPEC, 300, 5))
    assert not [column.column for column in same.columns if column.moved]
    assert (same.rows_then, same.rows) == (80, 300)
    moved = compared(here, c, older(mock_table(SPEC, 300, 5)))
    assert [column.column for column in moved.columns if column.moved] == ["age"]
    assert [drift.column for drift in moved.moved] == ["age"]


def test_the_look_of_the_approval_counts_though_the_table_changed_since(here, c):
    before = training_look(here, c.study.digest)
    c.table(ME).write_bytes(older(c.table(ME).read_bytes()))
    moved = compared(here, c, c.table(ME).read_bytes())
    assert [column.column for column in moved.columns if column.moved] == ["age"]
    assert training_look(here, c.study.digest) == before


def test_without_a_look_one_is_taken_of_the_same_table_and_of_no_other(here, c):
    (file,) = (here.path / "private" / "training-looks").iterdir()
    file.unlink()
    assert compared(here, c, mock_table(SPEC, 50, 5)).rows_then == 80
    file.unlink()
    c.table(ME).write_bytes(mock_table(SPEC, 90, seed=3))
    with pytest.raises(UsageError, match="the table has changed since"):
        compared(here, c, mock_table(SPEC, 50, 5))
    assert not file.exists()


def test_scores_are_told_without_a_word_of_it_in_their_file(here, c):
    rows = c.root / "rows.csv"
    rows.write_bytes(older(mock_table(SPEC, 300, 5)))
    words = ["site", "model", "predict", "first", str(rows), "--site", str(here.path)]
    done = CliRunner().invoke(cli, [*words, "--json", "-"])
    assert "One column is distributed otherwise" in done.stderr
    assert set(json.loads(done.stdout)) == {"scores", "without_score", "meaning"}
    page = CliRunner().invoke(
        cli, ["site", "model", "drift", "first", str(rows), "--site", str(here.path)]
    )
    assert "moved far" in page.stdout


def test_the_summary_holds_no_cell_stays_private_and_goes_with_the_data_set(here, c):
    planted = 119.03125
    head, first, *rest = c.table(ME).read_bytes().splitlines()
    cells = first.split(b",")
    cells[head.split(b",").index(b"age")] = str(planted).encode()
    c.table(ME).write_bytes(b"\n".join([head, b",".join(cells), *rest, b""]))
    second = c.new_study("second")
    c.hand_over(second, ME)
    requests.approve(here, requests.plan_approval(here, "second", datetime.now(UTC)))
    folder = here.path / "private" / "training-looks"
    kept = (folder / f"{second.digest}.json").read_text()
    # the look has it, and would tell it: what is kept of it does not
    look = look_at(read_table(c.table(ME).read_bytes()), SPEC)
    assert look.columns[0].most == planted
    assert str(planted) not in kept
    assert str(planted) in json.dumps(dataclasses.asdict(look))
    assert {file.stat().st_mode & 0o077 for file in folder.iterdir()} == {0}
    assert not [name for name in c.objects() if "look" in name]
    assert not [name for name in kept_files(here.path) if "training-looks" in name]
    forget_training_looks(here, "others")
    assert len(list(folder.iterdir())) == 2
    forget_training_looks(here, "records")
    assert not list(folder.iterdir())


# --- told where a model is used


def rows_file(c, rows, *, aged=True):
    """A file of rows; of patients thirty years older where they are aged."""
    table = mock_table(SPEC, rows, 5)
    file = c.root / f"rows-{rows}-{aged}.csv"
    file.write_bytes(older(table) if aged else table)
    return file


def said(*words):
    """What a command says on the stream that goes into no file of scores."""
    done = CliRunner().invoke(cli, [str(word) for word in words], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return " ".join(done.stderr.split())


def test_few_rows_are_scored_with_a_word_on_the_newest_comparison_of_many(here, c):
    site = ("--site", here.path)
    few = rows_file(c, 6, aged=False)
    assert "ATTENTION" not in said("site", "model", "predict", "first", few, *site)
    said("site", "model", "drift", "first", rows_file(c, 300), *site)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    told = said("site", "model", "predict", "first", few, *site)
    assert f"compared last, on {today}, one column was distributed otherwise" in told
    assert "Moved: age. How far, for your screen: securefl site model drift" in told
    # a newer comparison of as many rows takes it back, one of few does not
    said("site", "model", "drift", "first", few, *site)
    assert "compared last" in said("site", "model", "predict", "first", few, *site)
    said("site", "model", "predict", "first", rows_file(c, 300, aged=False), *site)
    assert "ATTENTION" not in said("site", "model", "predict", "first", few, *site)


def test_plain_predict_tells_it_at_the_hospital_and_nowhere_else(here, c, monkeypatch):
    rows = rows_file(c, 300)
    copy = shutil.copytree(here.path / "models" / c.study.name, c.root / "handed")
    # in its own folder, wherever the command is given
    assert "One column is distributed" in said(
        "predict", here.path / "models" / c.study.name, rows, "--json", c.root / "scores.json"
    )
    assert "otherwise" not in (c.root / "scores.json").read_text()
    # a copy that was handed over: at the hospital
    assert "ATTENTION" not in said("predict", copy, rows)
    monkeypatch.chdir(here.path)
    assert "One column is distributed" in said("predict", copy, rows)
    use = use_of(here, c.study.digest)
    assert use is not None
    assert use.model == load_model(copy).digest


def test_a_recall_that_came_home_holds_for_a_copy_that_is_scored_there(here, c, monkeypatch):
    other = c.site(NAMES[1])
    keys = {site.name: site.identity.card.signing_public for site in (here, other)}
    folder = here.path / "models" / c.study.name
    model = load_model(folder)
    facts = model.facts.model_copy(update={"owners": keys, "participants": NAMES})
    model = save_model(folder, model.theta, model.spec, model.data, facts)
    copy = shutil.copytree(folder, c.root / "handed")
    reason, at = "A new scale.", "2026-06-01T08:00:00Z"
    recall_model(folder, model, other.identity, reason, at)
    rows = rows_file(c, 20, aged=False)
    assert "ATTENTION" not in said("predict", copy, rows)  # nobody told this copy
    monkeypatch.chdir(here.path)
    assert f"Recalled by {other.name} on 2026-06-01: {reason}" in said("predict", copy, rows)
    recall_model(folder, model, here.identity, reason, at)
    refused = CliRunner().invoke(cli, ["predict", str(copy), str(rows)])
    assert isinstance(refused.exception, NotApprovedError)
    assert "Recalled by" in said("predict", copy, rows, "--anyway")


def test_the_newest_comparison_names_columns_alone_and_goes_with_the_data_set(here, c):
    said("site", "model", "drift", "first", rows_file(c, 300), "--site", here.path)
    (file,) = (here.path / "private" / "newest-drift").iterdir()
    assert set(json.loads(file.read_bytes())) == {"day", "rows", "moved"}
    assert file.stat().st_mode & 0o077 == 0
    assert not [name for name in kept_files(here.path) if "drift" in name]
    file.write_bytes(b"{")
    assert newest_drift(here, c.study.digest) is None
    forget_training_looks(here, "records")
    assert not file.exists()
