"""A study that goes on from the released model of an earlier one: the contract, the fit, the run, and
the record by which a hospital knows the model again.
"""

import json
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pytest
from completed_study import finish, finished, other_weights
from conftest import make_study
from in_process_federation import NAMES, NINE, Room, sealed_study

from securefl.errors import NotApprovedError, StudyError, UsageError
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_progress import StudyProgress
from securefl.learning.artefact import load_model
from securefl.learning.model_notices import recall_model
from securefl.learning.models import first_weights, weights_sha256, weights_to_bytes
from securefl.node.earlier_study import (
    continuation,
    continuation_faults,
    keep_trained,
    trained_sha256,
)
from securefl.node.models import remember_model
from securefl.node.quality import keep_verdict
from securefl.researcher.earlier_study import continued
from securefl.study.earlier_study import misfits
from securefl.study.seal import seal_study
from securefl.study.sealed import SealedStudy, UnsealedStudy
from securefl.study.training import training_of
from securefl.study.warm_start import weights_raw, weights_text

HOLDOUT = ('holdout = "3/10"', 'holdout = "4/10"')
UNIT = ('unit = "years"', 'unit = "months"')
MODEL = (
    'kind = "logistic-regression"',
    'kind = "mlp"\nhidden = [4]\nactivation = "tanh"',
)
LABEL = ('positive = ["E", "F"]', 'positive = ["E"]')


@pytest.fixture(scope="module")
def end():
    return finished()


@pytest.fixture(scope="module")
def model(end, tmp_path_factory):
    return end.unpacked(end.files, tmp_path_factory.mktemp("model"))


def protocol_of(sealed):
    """The protocol of which a study was made."""
    import tomllib

    from securefl.study.seal import dump_toml

    raw = tomllib.loads(sealed.text.decode())
    for key in ("coordinator", "aggregator", "participants", "software"):
        del raw[key]
    raw["schema"] = "securefl-protocol/2"
    del raw["stages"][0]["model"]["initial_sha256"]
    return UnsealedStudy.read(dump_toml(raw))


def next_study(end, model, protocol=None, *, names=NAMES):
    from conftest import fixed_identity, party

    started = continued(protocol or protocol_of(end.plan.sealed), end.plan.sealed, model)
    return seal_study(
        started,
        coordinator=party(fixed_identity("Researcher", "researcher")),
        aggregator=party(fixed_identity("Aggregator", "aggregator")),
        participants=[
            party(fixed_identity(name, "hospital"))
            | {"weight": f"1/{len(names)}", "weight_source": "equal shares"}
            for name in names
        ],
        software={"securefl": "0.1.0", "lock_sha256": "0" * 64},
    )


class Here:
    """As much of a hospital as the check of a continuation needs."""

    def __init__(self, root, sealed, *, status="completed"):
        self.path, self.name = root, NAMES[0]
        state = SimpleNamespace(studies={}, budgets={"clinic": SimpleNamespace(cap=1000)})
        if sealed is not None:
            folder = self.study_folder(sealed.digest)
            folder.mkdir(parents=True)
            (folder / "study.toml").write_bytes(sealed.text)
            state.studies[sealed.digest] = SimpleNamespace(
                status=status,
                charged=250,
                reservation=SimpleNamespace(population="clinic"),
            )
        self.ledger = SimpleNamespace(state=state)

    def study_folder(self, digest):
        return self.path / "studies" / digest


# --- the contract


def test_weights_travel_as_the_same_bits():
    theta = np.array([0.1, -0.0, 5e-324, 1e300])
    assert weights_raw(weights_text(weights_to_bytes(theta))) == weights_to_bytes(theta)


@pytest.mark.parametrize("text", ["AAAA=", "AB==", "A AA", "é", "AAA"])
def test_a_text_that_is_no_single_form_of_bytes_is_refused(text):
    with pytest.raises(ValueError, match=r"form|base64|padding|ascii|ASCII|multiple"):
        weights_raw(text)


def refused(*edits):
    with pytest.raises(StudyError) as error:
        SealedStudy.read(make_study(3, *edits)[0])
    return str(error.value)


def test_weights_without_a_study_that_they_are_of_are_refused():
    text = refused(("bits = 16", 'bits = 16\nstart_weights = "AAAA"'))
    assert "the study names none" in text


def test_a_sealed_study_that_names_another_holds_its_model():
    edit = (
        'schema = "securefl-protocol/2"',
        f'schema = "securefl-protocol/2"\ncontinues = "{"a" * 64}"',
    )
    assert "its model is not here" in refused(edit)


def test_a_protocol_may_name_the_study_and_leave_the_model_to_study_new(end):
    text = protocol_of(end.plan.sealed).text.decode()
    named = UnsealedStudy.read(f'continues = "{"a" * 64}"\n{text}')
    assert named.study.continues == "a" * 64


def test_a_study_that_trains_nothing_continues_none():
    from conftest import protocol_text
    from statistics_study import ALONE

    text = protocol_text(*ALONE)
    with pytest.raises(StudyError, match="no stage trains one"):
        UnsealedStudy.read(f'continues = "{"a" * 64}"\n{text}')


# --- the fit


def test_the_same_protocol_fits(end):
    assert misfits(end.plan.study, protocol_of(end.plan.sealed).study) == ()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (HOLDOUT, "learnt from some of those"),
        (UNIT, "other columns"),
        (LABEL, "predicts something else"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(end, model, edit, why):
    other = protocol_of(SealedStudy.read(sealed_study(edit)[0]))
    with pytest.raises(StudyError, match=why):
        continued(other, end.plan.sealed, model)


def test_fewer_kept_aside_are_a_part_of_those_kept_aside_before(end):
    fewer = protocol_of(SealedStudy.read(sealed_study(('holdout = "3/10"', 'holdout = "2/10"'))[0]))
    assert misfits(end.plan.study, fewer.study) == ()


def test_the_model_of_another_study_is_refused(end, model):
    other = SealedStudy.read(sealed_study(('"seed 1"', '"seed 2"'))[0])
    with pytest.raises(UsageError, match="not that of"):
        continued(protocol_of(other), other, model)


def test_a_model_too_large_for_a_study_file_is_refused(end, model, monkeypatch):
    monkeypatch.setattr("securefl.researcher.earlier_study.MOST_WEIGHTS", model.theta.size - 1)
    with pytest.raises(StudyError, match="has room for"):
        next_study(end, model)


# --- the run


def test_the_first_round_starts_from_the_released_model_and_the_card_names_the_study(
    end, model, tmp_path
):
    sealed = next_study(end, model)
    plan = RoundPlan(sealed)
    assert plan.starts_from(1) == weights_sha256(model.theta)
    assert np.array_equal(StudyProgress(plan).broadcast(), model.theta)
    again = finish(Room(plan))
    assert not np.array_equal(again.outcome.theta, model.theta)
    again.check(again.files, tmp_path / "checked")
    card = load_model(tmp_path / "checked").facts
    assert card.continues == end.plan.digest
    assert end.plan.digest in again.files["model_card.md"].decode()


def test_a_study_goes_on_without_a_hospital_that_was_named(tmp_path):
    """Three of four train on from the model that the fourth bent; each owner sees who left."""
    named, *without = four = NINE[:4]
    before = finish(Room(sealed_study(names=four)[1]))
    model = before.unpacked(before.files, tmp_path / "before")
    fewer = protocol_of(SealedStudy.read(sealed_study(names=tuple(without))[0]))
    sealed = next_study(before, model, fewer, names=without)
    plan = RoundPlan(sealed)
    assert plan.starts_from(1) == weights_sha256(model.theta)
    again = finish(Room(plan))
    again.check(again.files, tmp_path / "checked")
    card = load_model(tmp_path / "checked").facts
    assert (card.continues, card.participants) == (before.plan.digest, tuple(without))
    assert continuation(Here(tmp_path, before.plan.sealed), sealed).left == (named,)


def test_it_is_charged_as_any_study(end, model):
    from securefl.learning.stages.programme import charges_of

    assert charges_of(next_study(end, model).study) == charges_of(end.plan.study)


def test_the_digest_covers_the_weights(end, model):
    sealed = next_study(end, model)
    text = sealed.text.decode()
    found = training_of(sealed.study).start_weights
    changed = weights_text(weights_to_bytes(other_weights(model.theta)))
    assert SealedStudy.read(text.replace(found, changed)).digest != sealed.digest


# --- at a hospital


def test_a_hospital_keeps_the_hash_of_the_model_also_where_it_is_no_recipient(end, tmp_path):
    site = Here(tmp_path, None)
    plan = sealed_study(('recipients = ["participants"]', 'recipients = ["coordinator"]'))[1]
    nobody = dict.fromkeys(plan.study.cohort, "0" * 64)
    at = plan.facts(plan.last_round, "0" * 64, end.own.model_sha256, instances=nobody)
    remember_model(site, plan, at)
    assert trained_sha256(site, plan.digest) == end.own.model_sha256
    assert [file.name for file in site.study_folder(plan.digest).iterdir()] == ["trained.sha256"]


def test_the_model_that_this_hospital_worked_out_is_taken_and_any_other_is_refused(
    end, model, tmp_path
):
    site = Here(tmp_path, end.plan.sealed)
    study = next_study(end, model).study
    keep_trained(site, end.plan.digest, weights_sha256(model.theta))
    assert continuation_faults(site, study) == ()
    keep_trained(site, end.plan.digest, weights_sha256(other_weights(model.theta)))
    (fault,) = continuation_faults(site, study)
    assert "not those that this hospital worked out" in fault.what


def test_a_hospital_judges_the_fit_for_itself(end, model, tmp_path):
    site = Here(tmp_path, SealedStudy.read(sealed_study(HOLDOUT)[0]))
    study = next_study(end, model).study
    before = next(iter(site.ledger.state.studies))
    assert continuation_faults(site, study.model_copy(update={"continues": before})) == ()
    small = SealedStudy.read(sealed_study(('holdout = "3/10"', 'holdout = "1/10"'))[0])
    site = Here(tmp_path / "other", small)
    (fault,) = continuation_faults(site, study.model_copy(update={"continues": small.digest}))
    assert "kept" in fault.what or "keeps" in fault.what


def test_a_withheld_model_is_not_continued(end, model, tmp_path):
    strict = SealedStudy.read(sealed_study(('stop_rule = "none"', 'stop_rule = "withhold"'))[0])
    site = Here(tmp_path, strict)
    study = next_study(end, model).study.model_copy(update={"continues": strict.digest})
    assert continuation_faults(site, study) == ()
    keep_verdict(site.study_folder(strict.digest), "not-met")
    (fault,) = continuation_faults(site, study)
    assert "withholds" in fault.what


def test_no_study_starts_from_a_recalled_model(end, tmp_path):
    site = Here(tmp_path, end.plan.sealed)
    folder = tmp_path / "models" / end.plan.sealed.name
    folder.parent.mkdir()
    model = end.unpacked(end.files, folder)
    study = next_study(end, model).study
    assert continuation_faults(site, study) == ()
    recalled_by(folder, model, site.name)
    (fault,) = continuation_faults(site, study)
    assert "was recalled" in fault.what
    # one hospital of three takes it from nobody but itself
    next_study(end, model)
    recalled_by(folder, model, NAMES[1])
    with pytest.raises(NotApprovedError, match="The laboratory changed its scale"):
        next_study(end, model)


def recalled_by(folder, model, name):
    from conftest import fixed_identity

    owner = fixed_identity(name, "hospital")
    recall_model(folder, model, owner, "The laboratory changed its scale.", "2026-05-30T12:00:00Z")


def test_the_owner_sees_which_study_what_it_took_and_who_is_new(end, model, tmp_path):
    site = Here(tmp_path, end.plan.sealed)
    sealed = next_study(end, model, names=(*NAMES[1:], "H09"))
    found = continuation(site, sealed)
    assert (found.name, found.spent) == (end.plan.sealed.name, Decimal("0.25"))
    assert (found.joined, found.left) == (("H09",), (NAMES[0],))
    assert not found.checked
    keep_trained(
        site,
        end.plan.digest,
        weights_sha256(first_weights(training_of(sealed.study), sealed.study.data)),
    )
    assert continuation(site, sealed).checked


def test_a_hospital_that_is_new_is_told_that_it_cannot_compare(end, model, tmp_path):
    site = Here(tmp_path, None)
    sealed = next_study(end, model)
    found = continuation(site, sealed)
    assert (found.name, found.spent, found.checked) == ("", None, False)
    assert continuation_faults(site, sealed.study) == ()
    assert continuation(site, end.plan.sealed) is None


def test_the_line_of_versions_is_told_as_far_as_it_is_kept(end, model, tmp_path):
    second = next_study(end, model)
    site = Here(tmp_path, second)
    third = second.study.model_copy(update={"continues": second.digest})
    found = continuation(site, SimpleNamespace(study=third))
    assert found.line == (second.name, end.plan.digest[:12])
    assert json.dumps(found.line)
