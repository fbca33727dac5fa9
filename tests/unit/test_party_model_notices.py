"""A model that expired, or that its owners recalled, is not scored with; what is no notice of an
owner is not heeded.
"""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from completed_study import finished
from conftest import SITES, fixed_identity, make_study
from model_facts import DETAILS
from small_study import SPEC, protocol

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StudyError, UntrustedError
from securefl.learning.artefact import load_model, save_model
from securefl.party.model_notices import (
    NOTICES,
    Recall,
    check_usable,
    recall_model,
    standing,
)
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
