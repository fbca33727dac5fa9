"""Finished models that are not what the study made: swapped in the store, another one for one
hospital, a sum that does not fit.

Each attack has a control: whoever leaves out the check takes the attacker's model.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from completed_study import finished, other_weights
from conftest import fixed_identity
from split_study import SPLIT, WITHHOLD

from securefl.errors import MessageError
from securefl.federation import bundle
from securefl.learning.artefact import load_model
from securefl.party import model_check
from securefl.secagg.total_check import total_sha256
from securefl.study.schema import Quality


@pytest.fixture(scope="module")
def end():
    return finished()


@pytest.fixture(scope="module")
def victim(end):
    return end.plan.study.cohort[0]


def test_the_honest_model_passes_at_every_hospital(end, tmp_path):
    for site in end.plan.study.cohort:
        end.check(end.opened(end.sealed(), site), tmp_path / site)


def test_a_coordinator_cannot_hand_out_a_model_that_the_rule_withholds(tmp_path, monkeypatch):
    withheld = finished(SPLIT, WITHHOLD)
    site = withheld.plan.study.cohort[0]
    files = withheld.opened(withheld.sealed(), site)
    with pytest.raises(MessageError, match="quality rule withholds it"):
        withheld.check(files, tmp_path / "refused")
    # control: a hospital that leaves out the rule takes it
    monkeypatch.setattr(Quality, "withholds", lambda *_: False)
    withheld.check(files, tmp_path / "taken")


def test_a_store_operator_cannot_swap_the_bundle(end, victim, tmp_path):
    operator = fixed_identity("Operator", "aggregator")
    files = end.with_model(other_weights(end.outcome.theta), tmp_path / "made")
    swapped = end.sealed(files, by=operator)
    with pytest.raises(MessageError, match="signature"):
        end.opened(swapped, victim)
    # its own sealed object under the coordinator's true statement
    mixed = bundle.SealedBundle(end.sealed().statement, swapped.sealed)
    with pytest.raises(MessageError, match="not the one that the coordinator signed"):
        end.opened(mixed, victim)
    # control: without the coordinator's signature anybody's model opens
    taken = end.opened(swapped, victim, verify=lambda *_: True)
    assert end.unpacked(taken, tmp_path / "taken").theta[0] != end.outcome.theta[0]


def test_an_old_bundle_of_another_study_is_refused(end, victim):
    other = finished(('id = "small"', 'id = "another"'))
    with pytest.raises(MessageError, match="another study"):
        end.opened(other.sealed(), victim)
    assert set(other.opened(other.sealed(), victim)) == set(
        bundle.FILES
    )  # control: in its own study it opens


def test_a_coordinator_cannot_give_one_hospital_another_model(end, victim, tmp_path):
    files = end.with_model(other_weights(end.outcome.theta), tmp_path / "made")
    opened = end.opened(end.sealed(files), victim)
    with pytest.raises(MessageError, match="another model than the one that follows"):
        end.check(opened, tmp_path / "checked")
    # control: a hospital that only looked at signature, seal and hashes would take it
    assert load_model(tmp_path / "checked").theta[0] != end.outcome.theta[0]


def test_another_histogram_than_the_verified_total_is_refused(end, victim, tmp_path):
    """The histogram that is shown is another than the total that was verified."""
    truth = json.loads(end.files[bundle.EVALUATION])["histogram"]
    verified = replace(end.own, histogram_sha256=total_sha256(np.array(truth, dtype=np.int64)))
    files = end.opened(end.sealed(), victim)
    model = end.unpacked(files, tmp_path / "honest")
    model_check.check_model(model, files, end.plan, verified, end.by_coordinator)
    other = replace(end.own, histogram_sha256=total_sha256(np.array(truth) + 1))
    with pytest.raises(MessageError, match="not the total that this hospital verified"):
        model_check.check_model(model, files, end.plan, other, end.by_coordinator)
    # control: without a verified total the histogram is the coordinator's word
    model_check.check_model(model, files, end.plan, end.own, end.by_coordinator)


def test_better_figures_than_the_histogram_gives_are_refused(end, tmp_path, monkeypatch):
    files = end.with_evaluation(auc=0.99)
    with pytest.raises(MessageError, match="do not follow from the released histogram"):
        end.check(files, tmp_path / "one")
    monkeypatch.setattr(model_check, "_check_figures", lambda *_: None)
    end.check(files, tmp_path / "two")  # control


def test_a_card_that_says_something_else_is_refused(end, tmp_path):
    made = end.unpacked(end.files, tmp_path / "made")
    flattering = made.facts.model_copy(update={"figures": {"AUC": "0.999"}})
    from securefl.learning.artefact import save_model

    save_model(tmp_path / "made", made.theta, made.spec, made.data, flattering)
    changed = end.files | {
        name: (tmp_path / "made" / name).read_bytes() for name in (bundle.FACTS, bundle.CARD)
    }
    with pytest.raises(MessageError, match="card does not say"):
        end.check(changed, tmp_path / "one")


def test_who_is_no_recipient_cannot_open_it(end, victim):
    some = finished(('recipients = ["participants"]', f'recipients = ["{victim}"]'))
    sealed = some.sealed()
    assert set(some.opened(sealed, victim)) == set(bundle.FILES)  # control
    for site in some.plan.study.cohort[1:]:
        with pytest.raises(MessageError, match="not sealed to this"):
            some.opened(sealed, site)
    for secret in (end.files[bundle.WEIGHTS][-32:], some.files[bundle.EVALUATION]):
        assert secret not in bytes(sealed.sealed)
        assert secret not in sealed.statement


def test_a_transcript_left_out_or_exchanged_is_refused(end, tmp_path):
    whole = end.outcome.transcripts
    for transcripts in (
        whole[:-1],
        (*whole[1:], whole[0]),
        (*whole, whole[-1]),
        (whole[0], *whole[:-1]),
    ):
        with pytest.raises(MessageError):
            end.check(
                end.files | {bundle.TRANSCRIPTS: bundle.pack_transcripts(transcripts)},
                tmp_path / "one",
            )
