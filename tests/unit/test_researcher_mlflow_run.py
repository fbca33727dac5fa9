"""A study as a run of MLflow: what is public, each figure once, nothing to anybody else."""

import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from conftest import make_study

from securefl.errors import StoreError, UsageError
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_record import RoundRecord
from securefl.learning.features import feature_names
from securefl.researcher.mlflow_run import StudyRecord, study_record, write_mlflow
from securefl.researcher.run_events import RunEvents
from securefl.researcher.run_series import run_series
from securefl.researcher.run_study import RESULT
from securefl.study.sealed import SealedStudy

PLAN = RoundPlan(SealedStudy.read(make_study()[0]))
STUDY = PLAN.study
SITES = len(STUDY.participants)
SIZE = len(feature_names(STUDY.data)) + 1
START = datetime(2031, 3, 1, 22, 0, tzinfo=UTC)


def kept(tmp_path):
    """Points of a run of three rounds."""
    times = iter(START + timedelta(seconds=10 * n) for n in range(100))
    events = RunEvents(tmp_path, PLAN, lambda: next(times))
    events.begun()
    home = KeptTotals(tmp_path / "run" / "totals")
    for number in (1, 2, 3):
        sent = dict.fromkeys(STUDY.cohort, "c" * 64)
        events.opened(RoundRecord(number, "update", "a" * 64, "b" * 64, sent, "d" * 64, 7000))
        home.keep(number, np.full(SIZE, number * 1000, np.int64), SITES)
    events.close()
    return run_series(tmp_path, PLAN)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database of MLflow with its tables: making them takes seconds."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    write_mlflow(
        StudyRecord("none", "none", {}, {"securefl.digest": "0"}, (), {}, "RUNNING"),
        f"sqlite:///{file}",
    )
    return file


@pytest.fixture
def address(tmp_path, empty):
    shutil.copy(empty, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


def logged(address):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name(STUDY.study.id)
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


def test_mlflow_has_a_run_for_the_study_with_what_is_public(tmp_path, address):
    points = kept(tmp_path)
    write_mlflow(study_record("a-study", tmp_path, PLAN, points), address)
    client, run = logged(address)
    assert run.info.status == "RUNNING"
    assert run.data.tags["securefl.digest"] == PLAN.digest
    assert run.data.tags["securefl.lock"] == STUDY.software.lock_sha256
    assert run.data.params["privacy.delta"] == str(STUDY.privacy.model_dump(mode="json")["delta"])
    assert run.data.params["hospitals"] == str(SITES)
    assert run.data.metrics["round/hospitals"] == SITES
    lengths = client.get_metric_history(run.info.run_id, "training/update_length")
    assert [said.step for said in lengths] == [1, 2, 3]
    # neither the name of who logs it nor a path of this machine
    assert not {tag for tag in run.data.tags if tag.startswith(("mlflow.user", "mlflow.source"))}


def test_a_run_that_is_logged_again_has_each_figure_once_and_ends_with_its_study(tmp_path, address):
    points = kept(tmp_path)
    early = [point for point in points if point.round < 3]
    write_mlflow(study_record("a-study", tmp_path, PLAN, early), address)
    events = RunEvents(tmp_path, PLAN, lambda: START)
    events.ended("completed")
    events.close()
    stages = [{"kind": "count", "patients": 812.0, "noise_sd": 3.5, "table": [1, 2]}]
    (tmp_path / RESULT).write_text(json.dumps({"stages": stages}))
    write_mlflow(study_record("a-study", tmp_path, PLAN, points), address)
    write_mlflow(study_record("a-study", tmp_path, PLAN, points), address)
    client, run = logged(address)
    assert run.info.status == "FINISHED"
    bytes_sent = client.get_metric_history(run.info.run_id, "round/upload_bytes")
    assert [said.step for said in bytes_sent] == [1, 2, 3]
    assert run.data.metrics["released/stage1.patients"] == 812.0
    assert "released/stage1.table" not in run.data.metrics
    assert len(client.get_metric_history(run.info.run_id, "released/stage1.patients")) == 1


def test_mlflow_reports_its_use_to_nobody(tmp_path, address, monkeypatch):
    from mlflow.telemetry.utils import is_telemetry_disabled

    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    write_mlflow(study_record("a", tmp_path, PLAN, kept(tmp_path)), address)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert is_telemetry_disabled()


def test_an_address_that_mlflow_does_not_take_is_refused_in_words(tmp_path, address):
    record = study_record("a", tmp_path, PLAN, kept(tmp_path))
    with pytest.raises(UsageError, match="MLflow does not take"):
        write_mlflow(record, str(tmp_path / "mlruns"))
    with pytest.raises(StoreError, match="does not answer"):
        write_mlflow(record, "http://127.0.0.1:9")


def test_a_program_that_is_not_installed_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    record = study_record("a", tmp_path, PLAN, kept(tmp_path))
    with pytest.raises(UsageError, match="mlflow is not installed") as refused:
        write_mlflow(record, "http://127.0.0.1:9")
    assert "securefl[mlflow]" in refused.value.next_step
