"""A model that expired, or that its owners recalled, is not scored with; what is no notice of an
owner is not heeded.
"""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from completed_study import finished
from conftest import SITES, fixed_identity, make_study
from kinds_of_models import some_model
from model_facts import DETAILS
from small_study import SPEC, protocol

from securefl.api import load_model as load_in_session
from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StudyError, UntrustedError
from securefl.learning.artefact import load_model, save_model
from securefl.learning.curve_edits import Wish, plan_edit
from securefl.learning.edit_statement import make_statement
from securefl.learning.edited_model import save_edited
from securefl.learning.model_notices import (
    NOTICES,
    Recall,
    check_usable,
    recall_model,
    standing,
)
from securefl.learning.portable.feature_words import model_notes
from securefl.report.html import html_page
from securefl.report.shown_model import shown_model_page
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
AT = "2026-05-30T12:00:00Z"
HOSPITALS = {name: fixed_identity(name, "hospital") for name in SITES}
OWNED = DETAILS.model_copy(
    update={
        "participants": SITES,
        "owners": {name: who.card.signing_public for name, who in HOSPITALS.items()},
    }
)
MARCH = (
    'intended_use = "Tests only."',
    'intended_use = "Tests only."\nexpires = 2026-03-01T00:00:00Z',
)


def made(folder, facts=OWNED):
    save_model(folder, np.linspace(-1, 1, 7), training_of(protocol()).model, SPEC, facts)
    return folder, load_model(folder)


def recalled(folder, model, *names):
    for name in names:
        recall_model(folder, model, HOSPITALS[name], "The laboratory changed its scale.", AT)


def test_a_model_without_notices_is_used(tmp_path):
    found = standing(*made(tmp_path / "model"), NOW)
    assert not found.refused
    assert found.sentences == ()
    check_usable(found)


def test_a_recall_by_fewer_than_half_is_a_warning_with_its_reason(tmp_path):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, *SITES[:2])
    found = standing(folder, model, NOW)
    check_usable(found)
    assert "The laboratory changed its scale." in found.sentences[0]
    assert {said.site for said in found.recalls} == set(SITES[:2])


def test_a_recall_by_more_than_half_forbids_the_use(tmp_path):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, *SITES[:3])
    with pytest.raises(NotApprovedError, match="The laboratory changed its scale"):
        check_usable(standing(folder, model, NOW))


def test_one_notice_under_several_names_is_one(tmp_path):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, SITES[0])
    signed = (folder / NOTICES / f"{SITES[0]}.json").read_bytes()
    for name in SITES[1:]:
        (folder / NOTICES / f"{name}.json").write_bytes(signed)
    found = standing(folder, model, NOW)
    assert not found.refused
    assert len(found.recalls) == 1
    assert len(found.unknown) == len(SITES) - 1


def test_the_own_recall_forbids_the_use_at_home_alone(tmp_path):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, SITES[0])
    assert standing(folder, model, NOW, SITES[0]).refused
    assert not standing(folder, model, NOW, SITES[1]).refused


def test_whoever_is_no_owner_recalls_nothing(tmp_path):
    folder, model = made(tmp_path / "model")
    stranger = fixed_identity("Stranger", "hospital")
    with pytest.raises(UntrustedError):
        recall_model(folder, model, stranger, "No.", AT)
    forged = Recall("a" * 64, model.digest, SITES[0], "No.", AT).dump(stranger.sign)
    (folder / NOTICES).mkdir()
    (folder / NOTICES / f"{SITES[0]}.json").write_bytes(forged)
    found = standing(folder, model, NOW, SITES[0])
    assert found.recalls == ()
    assert not found.refused
    assert "is not heeded" in found.sentences[0]


@pytest.mark.parametrize("field", ["study", "model"])
def test_a_notice_on_another_model_is_not_heeded(tmp_path, field):
    folder, model = made(tmp_path / "model")
    fields = {"study": "a" * 64, "model": model.digest} | {field: "b" * 64}
    said = Recall(**fields, site=SITES[0], reason="No.", at=AT)
    (folder / NOTICES).mkdir()
    (folder / NOTICES / f"{SITES[0]}.json").write_bytes(said.dump(HOSPITALS[SITES[0]].sign))
    assert standing(folder, model, NOW).recalls == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 9000])
def test_a_damaged_notice_is_told_and_not_heeded(tmp_path, content):
    folder, model = made(tmp_path / "model")
    (folder / NOTICES).mkdir()
    (folder / NOTICES / f"{SITES[0]}.json").write_bytes(content)
    found = standing(folder, model, NOW)
    assert (len(found.unknown), found.refused) == (1, False)


def test_a_reason_that_a_screen_obeys_is_refused(tmp_path):
    folder, model = made(tmp_path / "model")
    with pytest.raises(Exception, match="malformed"):
        recall_model(folder, model, HOSPITALS[SITES[0]], "a\x1b[2Jb", AT)
    assert not (folder / NOTICES).exists()


@pytest.mark.parametrize(
    ("expires", "refused"),
    [("", False), ("2026-06-01T00:00:00Z", False), ("2026-05-31T23:59:59Z", True), ("soon", True)],
)
def test_a_model_is_used_until_it_expires(tmp_path, expires, refused):
    facts = OWNED.model_copy(update={"expires": expires})
    assert standing(*made(tmp_path / "model", facts), NOW).refused is refused


def test_predict_refuses_and_scores_all_the_same_when_asked_to(tmp_path):
    folder, model = made(tmp_path / "model")
    rows = tmp_path / "rows.csv"
    rows.write_text("age,TSH,sex,sick\n30,1,F,f\n")
    command = ["predict", str(folder), str(rows), "--json", str(tmp_path / "s.json")]
    recalled(folder, model, SITES[0])
    warned = CliRunner().invoke(cli, command)
    assert warned.exit_code == 0
    assert "ATTENTION: Recalled by" in warned.output
    recalled(folder, model, *SITES[1:3])
    (tmp_path / "s.json").unlink()
    refused = CliRunner().invoke(cli, command)
    assert isinstance(refused.exception, NotApprovedError)
    assert not (tmp_path / "s.json").exists()
    assert CliRunner().invoke(cli, [*command, "--anyway"]).exit_code == 0
    said = json.loads((tmp_path / "s.json").read_text())
    assert len(said["scores"]) == 1
    assert len(said["notices"]) == 3


# --- every way a model is used or handed on

ROW = {"age": ["30"], "TSH": ["1"], "sex": ["F"], "sick": ["f"]}


def by_command(*words):
    done = CliRunner().invoke(cli, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception


def compared(folder):
    table = folder.parent / "table.csv"
    rows = [f"{30 + n},1,F,f,{'E' if n % 2 else '-'}" for n in range(20)]
    table.write_text("\n".join(["age,TSH,sex,sick,target", *rows]) + "\n")
    by_command("model", "compare", folder, folder, "--table", table, "--json", "-")


DOORS = {
    "predict": lambda folder: load_model(folder).predict(ROW),
    "scored": lambda folder: load_model(folder).scored(ROW),
    "as_sklearn": lambda folder: load_model(folder).as_sklearn(),
    "as_torch": lambda folder: load_model(folder).as_torch(),
    "model export": lambda folder: by_command(
        *("model", "export", folder, "--to", "safetensors", "--out", folder.parent / "out"),
    ),
    "model compare": compared,
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_opens_to_a_recalled_or_expired_model(tmp_path, door):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, *SITES[:2])
    DOORS[door](folder)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "out").unlink(missing_ok=True)
    recalled(folder, model, SITES[2])
    with pytest.raises(NotApprovedError, match="not to be used any more"):
        DOORS[door](folder)
    assert not (tmp_path / "out").exists()
    old, _ = made(
        tmp_path / "old",
        OWNED.model_copy(update={"expires": "2026-03-01T00:00:00Z"}),
    )
    with pytest.raises(NotApprovedError, match="until 2026-03-01"):
        DOORS[door](old)


def test_a_program_that_loaded_the_model_before_its_recall_is_refused_as_well(tmp_path):
    folder, model = made(tmp_path / "model")
    estimator = load_model(folder).as_sklearn()
    assert len(estimator.predict(ROW)) == 1
    recalled(folder, model, *SITES[:3])
    with pytest.raises(NotApprovedError):
        estimator.predict(ROW)


def test_a_session_is_told_at_once_and_may_use_the_model_anyway(tmp_path):
    folder, model = made(tmp_path / "model")
    recalled(folder, model, *SITES[:3])
    with pytest.warns(UserWarning, match="The laboratory changed its scale"):
        opened = load_in_session(folder, anyway=True)
    assert np.isfinite(opened.predict(ROW)).all()


@pytest.mark.parametrize("before", [True, False])
def test_a_recall_holds_for_the_model_whose_curves_were_edited(tmp_path, before):
    plain = some_model("binary", "additive")
    folder, edited = tmp_path / "model", tmp_path / "model-edited"
    model = save_model(folder, plain.theta, plain.spec, plain.data, OWNED)
    if before:
        recalled(folder, model, *SITES[:3])
    wish = Wish("age", 0, 20, "flat", height=0.2)
    statement = make_statement(
        plan_edit(model.theta, model.spec, model.data, model.theta, wish),
        wish,
        HOSPITALS[SITES[0]].card,
        model=model.digest,
        before="",
        who="Dr. A",
        why="The risk does not fall there.",
        at=AT,
    )
    save_edited(model, folder, statement.dump(HOSPITALS[SITES[0]].sign), edited)
    if not before:
        recalled(folder, model, *SITES[:3])
        shutil.copytree(folder / NOTICES, edited / NOTICES)
    with pytest.raises(NotApprovedError, match="changed its scale"):
        load_model(edited).predict(ROW)
    page = html_page(shown_model_page(load_model(edited), str(edited), [""]))
    assert "The model is not to be used any more." in page


def test_an_exported_file_says_until_when_the_model_is_used():
    facts = OWNED.model_copy(update={"expires": "2031-03-01T00:00:00Z"})
    notes = model_notes(replace(some_model("binary", "linear"), facts=facts))
    assert "Not to be used after: 2031-03-01" in notes


# --- from the study file


def test_the_study_says_who_may_recall_its_model_and_until_when_it_is_used(tmp_path):
    end = finished(MARCH)
    model = end.unpacked(end.files, tmp_path / "model")
    end.check(end.files, tmp_path / "checked")
    assert model.facts.expires == "2026-03-01T00:00:00Z"
    assert model.facts.owners == end.plan.signing_keys()
    assert "Not to be used after: 2026-03-01" in end.files["model_card.md"].decode()
    assert standing(tmp_path / "model", model, NOW).refused


def test_a_time_without_its_zone_is_refused():
    edit = (MARCH[0], f"{MARCH[0]}\nexpires = 2026-03-01T00:00:00")
    with pytest.raises(StudyError, match="with the zone"):
        SealedStudy.read(make_study(3, edit)[0])
