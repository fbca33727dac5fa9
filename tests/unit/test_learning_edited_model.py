"""Curves of an additive model are edited by hand: signed, beside the unedited model, never in it."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import fixed_identity
from kinds_of_models import rows_with_faults, some_model

from securefl.cli.main import cli
from securefl.errors import MessageError, SecureFLError, UnreadableError, UsageError
from securefl.learning.artefact import load_model, save_model
from securefl.learning.curve_edits import Wish, applied, curves_of, plan_edit
from securefl.learning.edit_statement import CurveEdit, make_statement, open_edit
from securefl.learning.edited_model import (
    edited_beside,
    folder_for,
    last_edit,
    save_edited,
)
from securefl.learning.models import family_of
from securefl.learning.portable.formats import export_model

SIGNER = fixed_identity("Nord", "hospital")
AT = "2026-11-30T05:00:00Z"


@pytest.fixture
def source(tmp_path):
    model = some_model("binary", "additive")
    save_model(tmp_path / "model", model.theta, model.spec, model.data, model.facts)
    return tmp_path / "model"


def edit(source, wish, *, target=None, signer=SIGNER, change=None):
    """A folder with one edit more."""
    model = load_model(source)
    unedited = model.edited.unedited if model.edited else model
    planned = plan_edit(model.theta, model.spec, model.data, unedited.theta, wish)
    statement = make_statement(
        planned,
        wish,
        signer.card,
        model=unedited.digest,
        before=last_edit(model, source),
        who="Dr. A, endocrinologist",
        why="Risk does not fall with TSH.",
        at=AT,
    )
    if change:
        statement = change(statement)
    save_edited(model, source, statement.dump(signer.sign), target or folder_for(source))


def heights(model, column):
    unedited = model.edited.unedited if model.edited else model
    return curves_of(model.theta, model.spec, model.data, unedited.theta)[column].heights[0]


RISING = Wish("TSH", 0.03, 90, "rising")


def test_an_edited_model_scores_with_its_edit_and_the_unedited_one_stays_as_it_was(source):
    before = {file.name: file.read_bytes() for file in source.iterdir()}
    edit(source, RISING)
    folder = source.parent / "model-edited"
    old, new = load_model(source), load_model(folder)
    assert {file.name: file.read_bytes() for file in source.iterdir()} == before
    assert {f.name: f.read_bytes() for f in (folder / "original").iterdir()} == before
    assert load_model(folder / "original").digest == old.digest == new.edited.unedited.digest
    assert new.digest != old.digest
    curve = heights(new, "TSH")
    assert (np.diff(curve[1:6]) >= -1e-6).all()
    assert not (np.diff(heights(old, "TSH")[1:6]) >= -1e-6).all(), "the control: it fell before"
    np.testing.assert_allclose(curve[[0, 6]], heights(old, "TSH")[[0, 6]], atol=1e-9)
    np.testing.assert_allclose(heights(new, "age"), heights(old, "age"), atol=1e-12)
    rows = rows_with_faults(old, 100)
    assert np.nanmax(abs(new.predict(rows) - old.predict(rows))) > 0.01


def test_a_score_moves_by_what_the_points_beside_its_value_moved(source):
    edit(source, Wish("age", 39, 61, "flat", height=0.25))
    old, new = load_model(source), load_model(source.parent / "model-edited")
    np.testing.assert_allclose(heights(new, "age")[[2, 3]], 0.25, atol=1e-6)
    family = family_of(old.spec, old.data)
    x = np.zeros((8, 7))[:, : len(old.features(rows_with_faults(old, 8))[0])]
    x[:, 0] = (50 / 120) * 2 - 1
    moved = family.scores(new.theta, x)[0, 0] - family.scores(old.theta, x)[0, 0]
    beside = (np.full(2, 0.25) - heights(old, "age")[[2, 3]]).mean()
    assert moved == pytest.approx(beside, abs=1e-5)


def test_straight_joins_the_points_beside_and_falling_is_the_mirror_of_rising(source):
    theta, spec, data = (getattr(load_model(source), name) for name in ("theta", "spec", "data"))
    curve = curves_of(theta, spec, data, theta)["age"].heights[0]
    line = plan_edit(theta, spec, data, theta, Wish("age", 20, 40, "straight"))
    step = (curve[3] - curve[0]) / 3
    np.testing.assert_allclose(line.new, [curve[0] + step, curve[0] + 2 * step], atol=1e-6)
    assert line.reaches == (0.0, 60.0)
    end = plan_edit(theta, spec, data, theta, Wish("age", 100, 120, "straight"))
    np.testing.assert_allclose(end.new, [curve[4], curve[4]], atol=1e-6)
    fallen = plan_edit(theta, spec, data, theta, Wish("age", 0, 120, "falling")).new
    assert (np.diff(fallen) <= 1e-6).all()
    assert np.mean(fallen) == pytest.approx(0, abs=1e-6)


def test_card_and_page_show_old_and_new_curve_and_no_released_figure_as_the_edited_ones(source):
    edit(source, RISING)
    model = load_model(source.parent / "model-edited")
    card = (source.parent / "model-edited" / "model_card.md").read_text()
    for words in (
        "Dr. A, endocrinologist",
        "Risk does not fall with TSH.",
        "TSH (before): ",
        "TSH (edited): ",
        SIGNER.card.spoken,
        load_model(source).digest,
        "AUC, before the edits",
    ):
        assert words in card
    assert "age (before)" not in card
    assert not model.facts.probability
    assert model.facts.calibration == ()
    assert "edited by hand: TSH" in model.score_words
    told = model.contributions
    (both,) = [curves for curves in told.curves if len(curves.lines) == 2]
    assert [line.name for line in both.lines] == ["before", "edited"]
    assert both.lines[0].values != both.lines[1].values


def test_a_second_edit_makes_a_second_folder_and_follows_the_first(source):
    edit(source, RISING)
    first = source.parent / "model-edited"
    edit(first, Wish("age", 0, 20, "flat", height=0.0))
    second = source.parent / "model-edited-2"
    found = load_model(second)
    assert [one.column for one in found.edited.edits] == ["TSH", "age"]
    assert found.edited.columns == ("TSH", "age")
    assert edited_beside(source) == [first, second]
    with pytest.raises(UsageError, match="nothing is overwritten"):
        edit(first, RISING, target=second)
    shutil.copy(second / "edits" / "0002.signed", first / "edits" / "0002.signed")
    assert len(load_model(first).edited.edits) == 1, "what edited.json does not name is not read"


def rename_hash(folder, file, change):
    """Change an edit and the hash of it, as somebody who rewrites the folder would."""
    path = folder / "edits" / file
    path.write_bytes(change(path.read_bytes()))
    body = json.loads((folder / "edited.json").read_bytes())
    body["edits"][int(file[:4]) - 1] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "edited.json").write_text(json.dumps(body))


def test_an_edit_that_was_altered_is_refused_whatever_the_hashes_say(source):
    edit(source, RISING)
    folder = source.parent / "model-edited"
    load_model(folder)
    rename_hash(folder, "0001.signed", lambda data: data.replace(b"Dr. A,", b"Dr. B,"))
    with pytest.raises(UnreadableError, match="signature"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model_card.md", "edits/0001.signed", "original/model_card.md"])
def test_a_folder_in_which_a_file_was_changed_is_refused(source, name):
    edit(source, RISING)
    file = source.parent / "model-edited" / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(UnreadableError):
        load_model(source.parent / "model-edited")


def test_another_original_is_refused(source):
    edit(source, RISING)
    folder = source.parent / "model-edited"
    model = load_model(source)
    shutil.rmtree(folder / "original")
    save_model(folder / "original", model.theta * 2, model.spec, model.data, model.facts)
    with pytest.raises(UnreadableError, match="another model"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "0" * 64}, "another model"),
        ({"before": "0" * 64}, "another model"),
        ({"column": "sex"}, "no such curve"),
        ({"score": 1}, "no such curve"),
        ({"old": ("0.100000",) * 5}, "other heights"),
        ({"new": ("60.000000",) * 5}, "above 50"),
        ({"last": 9}, "other knots"),
    ],
)
def test_an_edit_that_does_not_fit_its_model_is_refused(source, change, words):
    def altered(statement):
        fields = {**vars(statement), **change}
        return CurveEdit(**fields)

    with pytest.raises(MessageError, match=words):
        edit(source, RISING, change=altered)
    assert not (source.parent / "model-edited").exists()
    assert [one for one in source.parent.iterdir() if one.name.startswith(".part")] == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish("weight", 0, 1, "rising"), "no curve for 'weight'"),
        (Wish("sex", 0, 1, "rising"), "no curve for 'sex'"),
        (Wish("age", 21, 39, "rising"), "No point of the curve"),
        (Wish("age", 60, 20, "rising"), "ends before it begins"),
        (Wish("age", float("nan"), 20, "rising"), "ends before it begins"),
        (Wish("age", 0, 20, "flat"), "needs its height"),
        (Wish("age", 0, 20, "flat", height=float("nan")), "needs its height"),
        (Wish("age", 0, 20, "flat", height=51), "needs its height"),
        (Wish("age", 0, 20, "rising", height=1), "says nothing beside"),
        (Wish("age", 0, 120, "straight"), "Nothing stands beside"),
        (Wish("age", 0, 20, "rising", score="E"), "no score"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_the_mend(source, wish, words):
    model = load_model(source)
    with pytest.raises(UsageError, match=words):
        plan_edit(model.theta, model.spec, model.data, model.theta, wish)


@pytest.mark.parametrize(
    ("who", "why"), [("", "because"), ("A", " "), ("A", "a\nb"), ("A", "x" * 401)]
)
def test_an_edit_without_a_name_or_a_reason_is_refused(source, who, why):
    model = load_model(source)
    planned = plan_edit(model.theta, model.spec, model.data, model.theta, RISING)
    with pytest.raises(UsageError, match="An edit needs the"):
        make_statement(
            planned, RISING, SIGNER.card, model="0" * 64, before="", who=who, why=why, at=AT
        )


def test_models_without_curves_are_refused_in_words():
    model = some_model("binary", "perceptron")
    with pytest.raises(UsageError, match="no curves"):
        plan_edit(model.theta, model.spec, model.data, model.theta, RISING)


@pytest.mark.parametrize("task", ["classes", "time-to-event"])
def test_each_score_of_a_model_has_curves_of_its_own(task):
    model = some_model(task, "additive")
    given = (model.theta, model.spec, model.data, model.theta)
    name = "TSH" if task == "classes" else next(iter(curves_of(*given)))
    curve = curves_of(*given)[name]
    wish = Wish(name, float(curve.column.low), float(curve.column.high), "falling")
    if len(curve.heights) == 1:
        assert plan_edit(*given, wish).score == 0
        return
    with pytest.raises(UsageError, match="several scores"):
        plan_edit(*given, wish)
    from securefl.learning.tasks import task_of

    last = task_of(model.data).score_names[-1]
    wish = Wish(wish.column, wish.low, wish.high, "falling", score=last)
    planned = plan_edit(*given, wish)
    statement = make_statement(
        planned, wish, SIGNER.card, model="0" * 64, before="", who="A", why="b", at=AT
    )
    statement = open_edit(statement.dump(SIGNER.sign))
    theta = applied(*given, statement)
    after = curves_of(theta, *given[1:])[name].heights
    np.testing.assert_allclose(after[:-1], curve.heights[:-1], atol=1e-9)
    assert (np.diff(after[-1]) <= 1e-6).all()


def test_an_edited_model_leaves_for_other_programs_as_edited(source, tmp_path):
    edit(source, RISING)
    model = load_model(source.parent / "model-edited")
    assert export_model(model, "torch", tmp_path / "out") < 1e-6
    assert "edited by hand" in (tmp_path / "out" / "README.md").read_text()


def run(*words):
    done = CliRunner().invoke(cli, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_clinician_edits_shows_and_predicts_on_the_command_line(source, tmp_path):
    lab = tmp_path / "lab"
    about = ("--name", "Lab", "--legal-name", "The lab", "--email", "a@b.example")
    run("study", "init", lab, *about, "--store", tmp_path / "store")
    words = ("model", "edit", source, "--column", "TSH", "--from", "0.03", "--to", "90")
    words = (*words, "--way", "rising", "--who", "Dr. A", "--why", "It rises.", "--folder", lab)
    with pytest.raises(UsageError, match="needs a yes"):
        run(*words)
    assert not (tmp_path / "model-edited").exists()
    done = run(*words, "--yes")
    assert "The drawn curve changes from 0.005 to 600" in done.output
    edited = tmp_path / "model-edited"
    shown = json.loads(run("model", "show", edited, "--folder", lab, "--json", "-").output)
    assert shown["edits"][0]["signer"] == "your own key"
    assert shown["unedited_digest"] == load_model(source).digest
    page = tmp_path / "page.html"
    said = run("model", "show", edited, "--html", page).output
    assert "compare the fingerprint by telephone" in " ".join(said.split())
    assert page.read_text().count("<svg") == 2
    (tmp_path / "rows.csv").write_text("age,TSH,sex,sick\n50,2,F,t\n")
    scored = run("predict", edited, tmp_path / "rows.csv").output
    assert "edited by hand: TSH" in " ".join(scored.split())
    figure = load_model(edited).predict({"age": ["50"], "TSH": ["2"], "sex": ["F"], "sick": ["t"]})
    assert f"{figure[0]:.4f}" in scored
    assert run("model", "show", source).exit_code == 0


def test_nobodys_key_signs_outside_a_partys_folder(source, tmp_path):
    (tmp_path / "empty").mkdir()
    words = ("model", "edit", source, "--column", "TSH", "--from", "1", "--to", "90", "--way")
    words = (*words, "rising", "--who", "A", "--why", "b", "--folder", tmp_path / "empty", "--yes")
    with pytest.raises(SecureFLError, match="no party's folder"):
        run(*words)
