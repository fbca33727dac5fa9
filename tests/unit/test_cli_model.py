"""A trained model goes where it is used: other formats, scikit-learn, PyTorch, other tables, and
beside another model.
"""

import importlib.util
import io
import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from kinds_of_models import KINDS, rows_with_faults, some_model
from model_facts import DETAILS
from safetensors.numpy import load_file
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from small_study import SPEC, protocol
from test_learning_artefact import LOGISTIC

from securefl.cli.main import cli
from securefl.errors import DataError, SecureFLError, UsageError
from securefl.learning import comparing
from securefl.learning.artefact import load_model, save_model
from securefl.learning.comparing import compare_models
from securefl.learning.mock import mock_table
from securefl.learning.portable.feature_words import model_notes
from securefl.learning.portable.formats import FORMATS, export_model
from securefl.learning.table import read_table


class Done(NamedTuple):
    exit_code: int
    output: str


THETA = np.array([2.0, 0.5, 0.3, 1.0, 0.2, 1.0, -1.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("trained") / "model"
    save_model(place, THETA, LOGISTIC, SPEC, DETAILS)
    return place


@pytest.fixture(scope="module")
def frame():
    """Invented rows whose outcome follows from the model's own score."""
    rows = pd.read_csv(io.BytesIO(mock_table(SPEC, 300, 5)), dtype=str, keep_default_na=False)
    family_scores = some_scores(rows)
    lots = np.random.default_rng(0).uniform(size=len(rows))
    rows["target"] = np.where(lots < family_scores, "E", "-")
    return rows


def some_scores(rows):
    model = replace(some_model("binary", "linear"), theta=THETA, spec=LOGISTIC)
    return np.nan_to_num(model.predict(rows))


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(comparing, "RESAMPLES", 150)


def run(*arguments):
    """The command's exit code, and all that stands on its screen."""
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    said, code = done.output, done.exit_code
    if isinstance(done.exception, SecureFLError):
        said, code = f"{said} {done.exception}", int(done.exception.exit_code)
    return Done(code, said)


def words(done):
    return " ".join(done.output.split())


@pytest.mark.parametrize("to", sorted({*FORMATS.names()} - {"lightgbm"}))
def test_each_format_is_written_and_compared_with_predict(folder, tmp_path, to):
    target = tmp_path / "out"
    done = run("model", "export", folder, "--to", to, "--out", target, "--json", tmp_path / "json")
    assert done.exit_code == 0, done.output
    assert "On 1,000 invented rows it says what `securefl predict` says" in words(done)
    assert "a score, not a probability" in words(done)
    found = json.loads((tmp_path / "json").read_text())
    assert found["checked_rows"] == 1000
    assert found["largest_difference"] <= 1e-6
    again = run("model", "export", folder, "--to", to, "--out", target)
    assert again.exit_code == 2
    assert "nothing is overwritten" in words(again)


def test_a_file_that_says_something_else_is_not_passed_off_as_the_model(
    folder, tmp_path, monkeypatch
):
    onnx = FORMATS["onnx"]
    true = onnx.predictions
    monkeypatch.setattr(onnx, "predictions", lambda *given: true(*given) + 1e-4)
    done = run("model", "export", folder, "--to", "onnx", "--out", tmp_path / "model.onnx")
    assert done.exit_code == 8
    assert "differs by 0.0001" in words(done)


def test_where_nothing_can_run_the_file_the_command_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(FORMATS["onnx"], "predictions", lambda *_: None)
    done = run("model", "export", folder, "--to", "onnx", "--out", tmp_path / "model.onnx")
    assert done.exit_code == 0
    assert "It was not compared" in words(done)


def test_an_unknown_format_names_those_that_there_are(folder):
    done = run("model", "export", folder, "--to", "pickle")
    assert done.exit_code == 2
    assert "onnx, safetensors, torch" in words(done)


def test_the_onnx_file_says_what_it_is(folder, tmp_path):
    export_model(load_model(folder), "onnx", tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    assert [each.name for each in session.get_inputs()] == ["age", "TSH", "sex", "sick"]
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["intended_use"] == "Tests only."
    assert "not a probability" in facts["prediction"]
    # a row at a time, as an application would ask
    said = session.run(
        ["prediction"],
        {
            "age": np.array([[50.0]]),
            "TSH": np.array([[np.nan]]),
            "sex": np.array([["F"]], dtype=object),
            "sick": np.array([["f"]], dtype=object),
        },
    )[0]
    one = {"age": [50], "TSH": [None], "sex": ["F"], "sick": ["f"]}
    np.testing.assert_allclose(said[0], load_model(folder).predict(one), rtol=1e-12)


def test_codes_and_numbers_beyond_the_range_are_read_in_onnx_as_declared(tmp_path):
    edited = protocol(
        (
            'low = "0", high = "120"',
            'low = "0", high = "120", outside = "clip", missing = "flag", missing_codes = ["-9"]',
        )
    )
    data = edited.data
    assert data.columns[0].outside == "clip"
    model = save_model(tmp_path / "m", np.linspace(-1, 1, 8), LOGISTIC, data, DETAILS)
    ages = ["-9", "-9.0", "500", "-3", "nan", "inf", "40", "text"]
    table = {"age": ages, "TSH": ["1"] * 8, "sex": ["F"] * 8, "sick": ["f"] * 8}
    from securefl.learning.portable.onnx_file import onnx_bytes, onnx_inputs
    from securefl.learning.table import table_from_frame

    rows = table_from_frame(table)
    session = onnxruntime.InferenceSession(onnx_bytes(model))
    said = session.run(["prediction"], onnx_inputs(model, rows))[0][:, 0]
    np.testing.assert_allclose(said, model.predict(table), rtol=1e-12)
    assert np.isnan(said).tolist() == [False] * 5 + [True, False, True]
    assert "1 where nothing, or one of -9, is recorded, else 0" in model_notes(model)


@pytest.mark.parametrize(("task", "family"), KINDS)
def test_the_torch_folder_needs_nothing_of_ours(tmp_path, task, family):
    model = some_model(task, family)
    FORMATS["torch"]().write(model, tmp_path / "out")
    text = (tmp_path / "out" / "model.py").read_text()
    assert "securefl" not in text.split('"""')[2]
    spec = importlib.util.spec_from_file_location("model", tmp_path / "out" / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = rows_with_faults(model, 50)
    features = model.features(table)
    usable = ~np.isnan(features[:, 0])
    with torch.no_grad():
        said = module.Model()(torch.tensor(features[usable]))
        same = model.as_torch()(torch.tensor(features[usable]))
    expected = model.predict(table).reshape(50, -1)[usable]
    np.testing.assert_allclose(said.numpy(), expected, rtol=1e-9)
    np.testing.assert_array_equal(said.numpy(), same.numpy())


def test_no_text_of_a_study_becomes_code(tmp_path):
    model = some_model("binary", "linear")
    facts = DETAILS.model_copy(update={"title": '"""\nraise SystemExit\n"""', "licence": '"""'})
    export_model(replace(model, facts=facts), "torch", tmp_path / "out")
    assert "SystemExit" not in (tmp_path / "out" / "model.py").read_text()
    assert "raise SystemExit" in (tmp_path / "out" / "README.md").read_text()


def test_safetensors_hold_the_weights_and_the_order_of_features(folder, tmp_path):
    export_model(load_model(folder), "safetensors", tmp_path / "w")
    tensors = load_file(tmp_path / "w")
    np.testing.assert_array_equal(tensors["layers.0.weight"][0], THETA[:-1])


def test_a_classifier_works_in_scikit_learn(folder, frame):
    model = load_model(folder)
    found = model.as_sklearn()
    assert is_classifier(found)
    assert found.get_params()["threshold"] == 0.5
    columns = list(found.feature_names_in_)
    y = found.target(frame)
    usable = frame[columns]
    np.testing.assert_allclose(found.predict_proba(usable)[:, 1], model.predict(frame))
    assert set(found.predict(usable)) <= {0, 1}
    np.testing.assert_array_equal(found.predict(usable), found.predict(usable.to_numpy()))
    whole = roc_auc_score(y, found.predict_proba(usable)[:, 1])
    parts = cross_val_score(clone(found), usable, y, scoring="roc_auc", cv=3)
    assert abs(parts.mean() - whole) < 0.1
    piped = make_pipeline(FunctionTransformer(), found).fit(usable, y)
    np.testing.assert_array_equal(piped.predict(usable), found.predict(usable))
    calibrated = CalibratedClassifierCV(found, cv=3).fit(usable, y)
    assert calibrated.predict_proba(usable).shape == (len(frame), 2)


def test_a_row_that_the_model_was_not_made_for_is_refused_or_nan(folder, frame):
    rows = frame.copy()
    rows.loc[3, "age"] = "500"
    with pytest.raises(DataError, match="row 4: age: outside 0 to 120"):
        load_model(folder).as_sklearn().predict_proba(rows)
    given = load_model(folder).as_sklearn(unusable="nan")
    assert np.isnan(given.predict_proba(rows)).any(axis=1).sum() == 1
    with pytest.raises(DataError, match="no class"):
        given.predict(rows)
    with pytest.raises(DataError, match=r"4 columns"):
        given.predict_proba(np.zeros((2, 9)))


@pytest.mark.parametrize("task", ["classes", "number", "count", "time-to-event"])
def test_other_tasks_are_estimators_too(task):
    model = some_model(task, "linear")
    rows = pd.read_csv(io.BytesIO(mock_table(model.data, 60, 5)), dtype=str, keep_default_na=False)
    found = model.as_sklearn()
    assert is_classifier(found) == (task == "classes")
    assert is_regressor(found) == (task in {"number", "count"})
    if task == "time-to-event":
        chances = found.predict_survival(rows)
        np.testing.assert_array_equal(found.predict(rows), 1 - chances[:, -1])
        return
    assert np.isfinite(found.fit().score(rows, found.target(rows)))
    if task == "number":
        read = found.target(rows)
        np.testing.assert_allclose(read, rows["target"].astype(float), rtol=1e-6)


def test_parquet_and_csv_give_the_same_scores(folder, frame, tmp_path):
    frame.to_csv(tmp_path / "rows.csv", index=False)
    typed = frame.assign(age=frame["age"].astype(float))
    typed.to_parquet(tmp_path / "rows.parquet")
    said = []
    for name in ("rows.csv", "rows.parquet"):
        done = run("predict", folder, tmp_path / name, "--json", tmp_path / "json")
        assert done.exit_code == 0, done.output
        assert "The score is a score, not a probability" in words(done)
        said.append(json.loads((tmp_path / "json").read_text()))
    assert said[0]["scores"] == said[1]["scores"]
    assert "not a probability" in said[0]["meaning"]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 rubbish")
    assert run("predict", folder, tmp_path / "bad.parquet").exit_code == 11


def test_models_are_compared_on_the_same_patients(folder, frame, tmp_path):
    worse = THETA + np.random.default_rng(1).normal(size=7) * 2
    save_model(tmp_path / "worse", worse, LOGISTIC, SPEC, DETAILS)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    done = run(
        *("model", "compare", folder, tmp_path / "worse"),
        *("--table", tmp_path / "rows.csv", "--json", tmp_path / "json"),
    )
    assert done.exit_code == 0, done.output
    assert "The first model has the higher AUC." in words(done)
    found = json.loads((tmp_path / "json").read_text())
    gap = found["second"]["value"] - found["first"]["value"]
    assert found["difference"]["value"] == pytest.approx(gap)
    assert found["difference"]["low"] < gap < found["difference"]["high"] < 0
    # a model beside itself: no difference at all, though each figure has an interval
    table = read_table((tmp_path / "rows.csv").read_bytes())
    same = compare_models(load_model(folder), load_model(folder), table)
    assert (same.difference.low, same.difference.high) == (0, 0)
    assert same.first.low < same.first.high
    assert "does not tell" in same.verdict


def test_a_paired_interval_is_narrower_than_two_of_strangers(folder, frame, tmp_path):
    near = THETA + np.random.default_rng(1).normal(size=7) * 0.2
    other = save_model(tmp_path / "near", near, LOGISTIC, SPEC, DETAILS)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = compare_models(
        load_model(folder), other, read_table((tmp_path / "rows.csv").read_bytes())
    )
    alone = [figure.high - figure.low for figure in (found.first, found.second)]
    assert found.difference.high - found.difference.low < np.hypot(*alone) / 2


def test_models_of_other_labels_and_tables_of_few_patients_are_refused(folder, frame):
    one = load_model(folder)
    with pytest.raises(UsageError, match="predict different things"):
        compare_models(one, some_model("count", "linear"), read_table(b"a\n1\n"))
    few = read_table(frame.head(5).to_csv(index=False).encode())
    with pytest.raises(DataError, match="5 patients are left"):
        compare_models(one, one, few)


@pytest.mark.parametrize("task", ["classes", "number", "count", "time-to-event"])
def test_every_task_can_be_compared(task):
    model = some_model(task, "linear")
    table = read_table(mock_table(model.data, 60, 2))
    found = compare_models(model, some_model(task, "additive"), table)
    assert found.difference.low <= found.difference.high
    assert np.isfinite(found.first.value)
