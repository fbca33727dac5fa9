"""A model that is looked for after the end: it may come late, be refused, be replaced, or never
come.
"""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from completed_study import finished, other_weights
from conftest import fixed_identity, make_study
from statistics_study import ALONE as NO_MODEL

from securefl.boards.opening import open_board
from securefl.errors import StoreError, UsageError
from securefl.federation import paths
from securefl.federation.round_plan import RoundPlan
from securefl.node import models
from securefl.node.model_watch import ModelWatch, expect_model
from securefl.node.models import (
    fetch_model,
    find_model,
    list_models,
    remember_model,
    remember_total,
)
from securefl.study.sealed import SealedStudy

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Here:
    """As much of a hospital's folder as models need."""

    def __init__(self, root, end, name):
        self.path, self.name, self.identity = (
            root / name,
            name,
            end.room.identities.get(name, fixed_identity(name, "hospital")),
        )
        self.board = open_board(str(root / "store"))
        self.path.mkdir()

    def study_folder(self, digest):
        return self.path / "studies" / digest


@pytest.fixture(scope="module")
def end():
    return finished()


@pytest.fixture
def here(tmp_path, end):
    """A hospital after the study's end: it kept what it was told, and looks for the model."""
    site = Here(tmp_path, end, end.plan.study.cohort[0])
    keep_rounds(site, end)
    expect_model(site, end.plan, NOW)
    return site


def keep_rounds(site, end):
    from in_process_federation import sealed_study

    folder = site.study_folder(end.plan.digest)
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(sealed_study()[0])
    remember_model(site, end.plan, facts(end, end.plan.last_round, end.own.model_sha256))


def facts(end, number, sha256="1" * 64):
    nobody = dict.fromkeys(end.plan.study.cohort, "0" * 64)
    return end.plan.facts(number, "0" * 64, sha256, instances=nobody)


def put(site, end, sealed):
    site.board.post(paths.model_sealed(end.plan.digest), sealed.sealed)
    site.board.post(paths.model_statement(end.plan.digest), sealed.statement)


def watch(said, at=NOW):
    return ModelWatch(said.append, lambda: at)


def turn(watching, site):
    watching._paces.clear()  # whatever its pace, it is due
    watching.turn(site)


def test_only_what_the_check_needs_is_kept_and_only_by_a_recipient(here, end, tmp_path):
    folder = here.study_folder(end.plan.digest) / "verified"
    last = end.plan.last_round
    for number in (1, last - 1):
        remember_model(here, end.plan, facts(end, number))
    assert [file.name for file in folder.iterdir()] == ["model"]
    assert (folder / "model").read_text() == end.own.model_sha256
    stranger = Here(tmp_path, end, "Stranger")
    remember_model(stranger, end.plan, facts(end, last))
    expect_model(stranger, end.plan, NOW)
    assert list(stranger.path.iterdir()) == []
    assert list_models(stranger) == ()


def test_it_comes_home_whenever_it_comes(here, end):
    said, (row,) = [], list_models(here)
    assert (row.state, row.said) == ("expected", "looked for until 2026-03-31T00:00:00Z")
    with pytest.raises(UsageError, match="is not here: expected"):
        find_model(here, "small")
    watching = watch(said, NOW + timedelta(days=29))
    turn(watching, here)
    assert said == []
    put(here, end, end.sealed())
    turn(watching, here)
    assert "came home, and every check of it holds" in said[0]
    row, model = find_model(here, "small")
    assert row.state == "here"
    np.testing.assert_array_equal(model.theta, end.outcome.theta)
    assert not (here.study_folder(end.plan.digest) / "verified").exists()
    turn(watching, here)
    assert len(said) == 1
    for name in (row.name, row.name[:8], end.plan.study.study.id):
        assert find_model(here, name)[0] == row
    with pytest.raises(UsageError, match="No model fits 'other'"):
        find_model(here, "other")


def test_a_refused_one_is_said_once_and_a_right_one_after_it_is_taken(here, end, tmp_path):
    said = []
    watching = watch(said)
    put(here, end, end.sealed(end.with_model(other_weights(end.outcome.theta), tmp_path / "made")))
    for _ in range(3):
        turn(watching, here)
    assert len(said) == 1
    assert "another model than the one that follows" in said[0]
    (row,) = list_models(here)
    assert row.state == "refused"
    assert [folder.name for folder in (here.path / "models").iterdir()] == ["expected"]
    put(here, end, end.sealed())
    turn(watching, here)
    assert list_models(here)[0].state == "here"


def test_what_anybody_writes_into_the_store_is_no_model(here, end):
    said = []
    here.board.post(paths.model_statement(end.plan.digest), b"junk")
    turn(watch(said), here)
    assert "not a signed statement" in said[0]
    put(here, end, end.sealed(by=fixed_identity("Stranger", "researcher")))
    turn(watch(said), here)
    assert "signature" in said[1]


def test_half_of_it_is_not_there_yet(here, end):
    said = []
    here.board.post(paths.model_statement(end.plan.digest), end.sealed().statement)
    turn(watch(said), here)
    assert said == []
    assert fetch_model(here, end.plan.digest) is None
    here.board.erase(paths.model_statement(end.plan.digest))
    assert fetch_model(here, end.plan.digest) is None


def test_after_a_month_it_is_looked_for_no_more(here, end):
    said = []
    watching = watch(said, NOW + timedelta(days=30, seconds=1))
    turn(watching, here)
    turn(watching, here)
    assert len(said) == 1
    assert "did not come within 30 days" in said[0]
    assert list_models(here)[0].state == "never came"
    assert not (here.study_folder(end.plan.digest) / "verified").exists()
    put(here, end, end.sealed())
    turn(watching, here)
    assert list_models(here)[0].state == "never came"


def test_a_hospital_that_kept_nothing_says_so_and_takes_nothing(here, end):
    (here.study_folder(end.plan.digest) / "verified" / "model").unlink()
    put(here, end, end.sealed())
    said = []
    turn(watch(said), here)
    assert "this hospital did not keep what it is checked against" in said[0]
    assert list_models(here)[0].state == "refused"


def test_a_full_disk_is_said_and_tried_again(here, end, monkeypatch):
    put(here, end, end.sealed())

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(models, "replace_file", full)
        with pytest.raises(StoreError, match="No space left"):
            turn(watch([]), here)
        remember_model(
            here, end.plan, facts(end, end.plan.last_round)
        )  # costs the model, not the round
    said = []
    turn(watch(said), here)
    assert "came home" in said[0]


def test_a_broken_note_hides_no_other(here):
    folder = here.path / "models" / "expected"
    for number, text in enumerate(("", "[]", '{"name": 1}', "null")):
        (folder / f"{number:064d}.json").write_text(text)
    assert len(list_models(here)) == 1
    assert json.loads(next(folder.glob("*[a-f]*.json")).read_bytes())["refused"] == ""


def test_a_study_that_makes_no_model_is_no_fault_and_leaves_no_hash(tmp_path, end):
    text, *_ = make_study(5, *NO_MODEL)
    plan = RoundPlan(SealedStudy.read(text.encode()))
    site = Here(tmp_path, end, plan.study.cohort[0])
    nobody = dict.fromkeys(plan.study.cohort, "0" * 64)
    remember_model(site, plan, plan.facts(1, "0" * 64, "1" * 64, instances=nobody))
    remember_total(site, plan, 1, "2" * 64)
    assert list(site.path.iterdir()) == []
