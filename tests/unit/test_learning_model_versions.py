"""Versions of a model are told in the order in which they grew, as far as they are kept."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import SITES
from hospital_after_study import after_study
from hospital_folder import typed
from model_facts import DETAILS
from simulated_tables import csv_of
from test_learning_model_notices import AT, made

from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.learning.model_versions import MOST_VERSIONS, ModelVersion, line_of
from securefl.node.model_uses import note_use
from securefl.node.owner.model_lines import models_in_use
from securefl.node.owner.models import plan_recall, recall, score_rows
from securefl.party.study_names import meant_version
from securefl.sources.source import GivenReading

FIRST, SECOND, THIRD, OTHER = (letter * 64 for letter in "abcd")


def version(digest, continues=""):
    return ModelVersion(f"small-{digest[:12]}", digest, continues)


def digests(line):
    return [one.digest for one in line]


@pytest.mark.parametrize("asked", [FIRST, SECOND, THIRD])
def test_a_line_is_the_same_whichever_version_is_asked_about(asked):
    kept = [version(THIRD, SECOND), version(FIRST), version(OTHER), version(SECOND, FIRST)]
    assert digests(line_of(kept, asked)) == [FIRST, SECOND, THIRD]


def test_two_studies_that_continue_one_both_stand_in_its_line_and_not_in_each_others():
    kept = [version(FIRST), version(SECOND, FIRST), version(THIRD, FIRST)]
    assert digests(line_of(kept, FIRST)) == [FIRST, SECOND, THIRD]
    assert digests(line_of(kept, THIRD)) == [FIRST, THIRD]


def test_a_version_that_is_named_and_not_kept_begins_the_line():
    (unknown, known) = line_of([version(SECOND, FIRST)], SECOND)
    assert (unknown.digest, unknown.state) == (FIRST, "not here")
    assert known.digest == SECOND


def test_a_line_in_a_circle_ends():
    """Digests make no circle; a file of a model that somebody wrote can name one."""
    kept = [version(FIRST, SECOND), version(SECOND, FIRST)]
    assert len(line_of(kept, FIRST)) <= MOST_VERSIONS


def test_a_name_that_fits_none_says_which_are_there():
    with pytest.raises(UsageError, match=f"small-{FIRST[:12]}"):
        meant_version("large", [version(FIRST)])


def shown(*words):
    done = CliRunner().invoke(cli, [*map(str, words), "--json", "-"])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


def test_a_models_folder_tells_of_itself_and_of_what_it_continues(tmp_path):
    facts = DETAILS.model_copy(
        update={
            "participants": SITES,
            "continues": SECOND,
            "expires": "2026-03-01T00:00:00Z",
        }
    )
    folder, model = made(tmp_path / "model", facts)
    said = shown("model", "versions", folder, "--folder", tmp_path)
    before, now = said["versions"]
    assert (before["digest"], before["state"]) == (SECOND, "not here")
    assert (now["model_digest"], now["state"]) == (model.digest, "expired")
    assert now["released"] == DETAILS.figures
    with pytest.raises(UsageError, match="is no folder of a model"):
        shown("model", "versions", "small", "--folder", tmp_path)


@pytest.fixture
def hospital(tmp_path):
    return after_study(tmp_path)


def test_a_hospital_sees_which_model_is_in_use_and_since_when(hospital, tmp_path):
    (before,) = models_in_use(hospital)
    assert (before.in_use, before.first, before.version.state) == (False, "", "usable")
    assert before.version.at
    score_rows(hospital, "small", tmp_path / "records.csv", GivenReading())
    (once,) = models_in_use(hospital)
    assert once.in_use
    assert once.first == once.last
    note_use(hospital, once.version.digest, once.version.model, "2031-01-01T00:00:00Z")
    (twice,) = models_in_use(hospital)
    assert (twice.first, twice.last) == (once.first, "2031-01-01T00:00:00Z")
    note_use(hospital, once.version.digest, "e" * 64, "2031-01-01T00:00:00Z")
    (another,) = models_in_use(hospital)
    assert not another.in_use


def test_the_hospitals_commands_tell_a_recall_and_where_a_model_is_from(hospital):
    recall(hospital, plan_recall(hospital, "small", "A new scale."), AT)
    hospital.ledger.close()
    (found,) = shown("site", "models", "--site", hospital.path)["models"]
    assert (found["state"], found["in_use"], found["newer"]) == ("recalled", False, None)
    assert found["researcher"]
    (line,) = shown("model", "versions", "small", "--folder", hospital.path)["versions"]
    assert line["notices"] == found["notices"]
    words = typed("site", "models", "--site", hospital.path).words
    assert "The model is not to be used any more." in words


def test_times_of_use_are_for_the_owner_alone_and_leave_with_no_backup(hospital, tmp_path):
    from securefl.node.backup import kept_files

    (tmp_path / "rows.csv").write_bytes(csv_of(3))
    score_rows(hospital, "small", tmp_path / "rows.csv", GivenReading())
    (file,) = Path(hospital.path).rglob("model-uses/*")
    assert file.stat().st_mode & 0o077 == 0
    assert not [name for name in kept_files(hospital.path) if "model-uses" in name]
