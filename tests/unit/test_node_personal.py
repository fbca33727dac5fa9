"""A personal model at a hospital: made behind the worker's walls, kept for its owner alone, used by
``securefl predict --site`` and refused by everything else.
"""

import hashlib
import json
import stat

import numpy as np
import pytest
from click.testing import CliRunner
from hospital_after_study import COMMON, after_study, complete
from hospital_folder import typed
from simulated_tables import csv_of
from statistics_study import ALONE as STATISTICS_ALONE

from securefl.cli.main import cli
from securefl.errors import DataError, NotApprovedError, RoundError, UnreadableError, UsageError
from securefl.learning.artefact import PERSONAL, load_model, save_model
from securefl.learning.personal.facts import Candidate, Interval, Judged, PersonalFacts, Rows
from securefl.node.backup import make_backup
from securefl.node.launcher import PersonalAnswer
from securefl.node.owner.models import plan_recall, recall, score_rows
from securefl.node.owner.personal import personalize, score_at_home
from securefl.node.personal import WEIGHTS, read_personal
from securefl.node.requests import kept_study
from securefl.node.site import Site
from securefl.node.training_look import keep_training_look
from securefl.sources.csv import CsvSource
from securefl.sources.source import GivenReading
from securefl.study.training import training_of

NOW = "2026-03-01T12:00:00Z"
UNKNOWN = Interval(value=None, low=None, high=None)
PERSONAL_MODEL = COMMON + 1.0
#: A study's model that ranks this hospital's patients the wrong way round: whoever its secret holds
#: out, a personal one does better.
WRONG = np.array([-3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The real worker, once: the hospital's folder, and what the command said as JSON."""
    root = tmp_path_factory.mktemp("made")
    site = after_study(root, common=WRONG)
    before = site.ledger.state
    site.ledger.close()
    page = root / "page.html"
    words = ["site", "personalize", "small", "--site", str(site.path)]
    done = CliRunner().invoke(cli, [*words, "--json", "-", "--html", str(page)])
    assert done.exit_code == 0, done.output
    return root, before, json.loads(done.output), page.read_text("utf-8")


def test_the_command_compares_three_models_and_keeps_the_better(made):
    _, _, said, page = made
    assert said["kept"] == "personal"
    assert said["harms"] is said["table_changed"] is False
    assert said["models"]["personal"]["change"]["high"] < 0
    assert set(said["models"]) == {"global", "personal", "local"}
    assert said["held_out"]["count"] == sum(said["held_out"]["strata"].values())
    for words in ("It is better on patients", "as confidential as the records", "nothing was"):
        assert words in " ".join(page.split())


def test_nothing_was_charged_and_the_ledger_says_what_was_done(made):
    root, before, said, _ = made
    site = Site.at(root / "svi")
    state = site.ledger.state
    assert state.used("clinic") == before.used("clinic")
    assert state.studies == before.studies
    snapshot = site.table("records").fingerprint(site.secret)
    site.ledger.close()
    audit = json.loads(
        CliRunner().invoke(cli, ["audit", "--site", str(site.path), "--json", "-"]).stdout
    )
    (entry,) = audit["personalized"]
    assert entry["study"] == said["digest"]
    assert entry["snapshot"] == snapshot


def test_its_files_are_for_the_owner_alone_and_are_in_no_backup(made):
    root, _, said, _ = made
    folder = root / "svi" / "personal" / said["study"]
    assert {file.name for file in folder.iterdir()} == {PERSONAL, WEIGHTS}
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    site = Site.at(root / "svi")
    copy = make_backup(site, root / "copy", NOW)
    site.ledger.close()
    assert not [name for name in copy.files if "personal" in name]
    assert any(name.startswith("models/") for name in copy.files)


def test_it_is_refused_wherever_a_released_model_is_read(made, tmp_path):
    root, _, said, _ = made
    folder = root / "svi" / "personal" / said["study"]
    with pytest.raises(UnreadableError, match="personal model"):
        load_model(folder)
    assert "personal model" in typed("predict", folder, root / "records.csv").error
    disguised = tmp_path / "released"
    disguised.mkdir()
    released = root / "svi" / "models" / said["study"]
    for file in released.iterdir():
        (disguised / file.name).write_bytes(file.read_bytes())
    load_model(disguised)
    (disguised / "model.safetensors").write_bytes((folder / WEIGHTS).read_bytes())
    facts = json.loads((disguised / "model.json").read_text())
    facts["files"]["model.safetensors"] = hashlib.sha256(
        (folder / WEIGHTS).read_bytes()
    ).hexdigest()
    (disguised / "model.json").write_text(json.dumps(facts))
    with pytest.raises(UnreadableError, match="does not hold the weights"):
        load_model(disguised)


def test_predict_at_the_site_uses_it_and_says_so(made):
    root, _, said, _ = made
    rows, home = root / "records.csv", root / "svi"
    done = typed("predict", said["study"], rows, "--site", home)
    assert "Scored with the personal model" in done.words
    own, study = (
        json.loads(CliRunner().invoke(cli, [*map(str, words), "--json", "-"]).stdout)
        for words in (
            ("predict", "small", rows, "--site", home),
            ("site", "model", "predict", "small", rows, "--site", home),
        )
    )
    assert own["model"] == "personal"
    assert "model" not in study
    assert own["scores"] != study["scores"]


# --- with a worker of the test


def answer(site, *, kept="personal", sha256=None):
    judged = Judged(figure=UNKNOWN, loss=0.5, change=UNKNOWN)
    rows = Rows(count=40, strata={"negative": 20, "positive": 20})
    tried = Candidate(method="near", setting="0.2", loss=0.5, error=0.0)
    facts = PersonalFacts(
        metric="AUC",
        training=rows,
        held_out=rows,
        tried=(tried,),
        chosen=tried,
        models={"global": judged, "personal": judged, "local": judged},
        kept=kept,
    )
    table = hashlib.sha256(site.table("records").content()).hexdigest()
    return PersonalAnswer(facts, PERSONAL_MODEL, sha256 or table)


class StandIn:
    """A worker that says what the test wants."""

    said = None

    def __init__(self, source, *, max_bytes, log, rules):
        assert max_bytes == 8 * COMMON.size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def personalize(self, text, common, secret, patient_key, removed):
        StandIn.removed = removed
        if isinstance(self.said, Exception):
            raise self.said
        np.testing.assert_array_equal(common, COMMON)
        return self.said


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr("securefl.node.personal.Worker", StandIn)
    here = after_study(tmp_path)
    StandIn.said = answer(here)
    yield here
    here.ledger.close()


def kept_name(digest):
    return f"small-{digest[:12]}"


def scored(site, name="small"):
    rows = site.path.parent / "records.csv"
    return score_at_home(site, name, rows, GivenReading())


def test_the_personal_model_scores_where_it_is_kept(site):
    found = personalize(site, "small", NOW)
    np.testing.assert_array_equal(found.personal.kept.theta, PERSONAL_MODEL)
    assert scored(site).personal


def test_the_studys_model_scores_where_that_is_kept_and_no_weights_stay(site):
    personalize(site, "small", NOW)
    StandIn.said = answer(site, kept="global")
    found = personalize(site, "small", NOW)
    assert [file.name for file in found.personal.folder.iterdir()] == [PERSONAL]
    np.testing.assert_array_equal(found.personal.kept.theta, COMMON)
    assert not scored(site).personal
    done = typed("predict", "small", site.path.parent / "records.csv", "--site", site.path)
    assert "the personal one did no better here" in done.words


def test_a_recalled_model_makes_no_personal_one_and_one_that_was_made_scores_no_more(site):
    personalize(site, "small", NOW)
    rows = site.path.parent / "records.csv"
    recall(site, plan_recall(site, "small", "The laboratory changed its scale."), NOW)
    with pytest.raises(NotApprovedError, match="changed its scale"):
        scored(site)
    with pytest.raises(NotApprovedError, match="changed its scale"):
        score_rows(site, "small", rows, GivenReading())
    with pytest.raises(NotApprovedError, match="changed its scale"):
        personalize(site, "small", NOW)
    found = score_at_home(site, "small", rows, GivenReading(), anyway=True)
    assert found.personal
    assert found.scored.notices


def test_a_personal_model_is_used_with_a_word_on_columns_that_moved(site):
    personalize(site, "small", NOW)
    digest = read_personal(site, "small").record.study
    keep_training_look(site, digest, kept_study(site, digest).study, NOW)
    assert scored(site).scored.moved == ()
    rows = site.path.parent / "rows.csv"
    head, *lines = csv_of(300).decode().splitlines()
    place = head.split(",").index("age")
    cells = [line.split(",") for line in lines]
    aged = [[*row[:place], "99", *row[place + 1 :]] for row in cells]
    rows.write_text("\n".join([head, *map(",".join, aged)]) + "\n")
    found = score_at_home(site, "small", rows, GivenReading())
    assert "age" in found.scored.moved


def test_a_table_that_changed_since_is_refused_until_it_is_made_anew(site):
    personalize(site, "small", NOW)
    table = site.path.parent / "records.csv"
    table.write_bytes(csv_of(201))
    with pytest.raises(UsageError, match="rows changed") as refused:
        scored(site)
    assert "securefl site personalize" in refused.value.next_step
    StandIn.said = answer(site)
    assert personalize(site, "small", NOW).changed
    assert scored(site).personal


def test_another_table_under_the_same_name_is_refused_and_the_same_elsewhere_is_not(site, tmp_path):
    personalize(site, "small", NOW)
    moved = tmp_path / "moved.csv"
    moved.write_bytes(csv_of(200))
    assert scored(site.with_dataset("records", CsvSource(moved), "clinic")).personal
    other = tmp_path / "other.csv"
    other.write_bytes(csv_of(200, seed=9))
    with pytest.raises(UsageError, match="is not the one that the personal model"):
        scored(site.with_dataset("records", CsvSource(other), "clinic"))


def test_a_model_of_another_study_or_another_model_of_it_is_refused(site):
    found = personalize(site, "small", NOW).personal
    complete(site, ('title = "A small study"', 'title = "Another"'))
    other = next(f for f in (site.path / "models").iterdir() if f.name != found.name)
    found.folder.rename(found.folder.with_name(other.name))
    with pytest.raises(UsageError, match="made of another study's model"):
        read_personal(site, other.name)
    with pytest.raises(UsageError, match="No personal model was made"):
        scored(site, found.name)
    found.folder.with_name(other.name).rename(found.folder)
    changed = found.common
    save_model(
        site.path / "models" / found.name,
        COMMON * 2,
        training_of(found.study).model,
        found.study.data,
        changed.facts,
    )
    with pytest.raises(UsageError, match="made of another study's model"):
        scored(site, found.name)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (PERSONAL, b"{}"),
        (PERSONAL, b"no JSON"),
        (WEIGHTS, b"x"),
        (WEIGHTS, None),
    ],
)
def test_altered_files_are_refused(site, file, content):
    folder = personalize(site, "small", NOW).personal.folder
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(UnreadableError, match="holds no personal model that can be used"):
        scored(site)


def test_a_table_that_changes_while_it_is_read_makes_no_model(site):
    StandIn.said = answer(site, sha256="0" * 64)
    with pytest.raises(DataError, match="changed while it was read"):
        personalize(site, "small", NOW)
    assert not (site.path / "personal").exists()


def test_a_worker_that_ends_says_that_nothing_was_changed(site):
    StandIn.said = RoundError("The worker process ended.", next_step="The study ends here.")
    with pytest.raises(RoundError, match="ended") as error:
        personalize(site, "small", NOW)
    assert "study ends" not in error.value.next_step
    assert "worker.log" in error.value.next_step


def test_the_ledger_is_told_before_the_table_is_read(site):
    StandIn.said = DataError("All are in one group.")
    with pytest.raises(DataError):
        personalize(site, "small", NOW)
    assert site.ledger.events()[-1].kind == "personalize"


def test_names_that_fit_no_model_say_what_is_there(site):
    with pytest.raises(UsageError, match="No model fits 'nothing'"):
        personalize(site, "nothing", NOW)


def test_a_study_that_only_counts_has_no_model_to_make_one_of(tmp_path):
    site = after_study(tmp_path, None, *STATISTICS_ALONE)
    with pytest.raises(UsageError, match="trains no model"):
        personalize(site, "small", NOW)
    site.ledger.close()


def test_a_study_that_was_not_completed_here_is_refused_before_the_table_is_read(site, tmp_path):
    digest = complete(site, ('title = "A small study"', 'title = "Another"'), end="failed")
    StandIn.said = AssertionError("the table must not be read")
    with pytest.raises(UsageError, match="was not completed here"):
        personalize(site, kept_name(digest), NOW)
