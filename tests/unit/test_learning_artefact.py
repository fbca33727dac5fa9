import json

import numpy as np
import pytest
from binary_models import initial_weights, parameter_count
from model_facts import DETAILS
from small_study import SPEC, protocol

from securefl.errors import DataError, UnreadableError
from securefl.learning.artefact import (
    CARD,
    FACTS,
    WEIGHTS,
    load_model,
    model_card,
    save_model,
)
from securefl.learning.families.perceptron import PerceptronSpec
from securefl.study.binary_label import NumberCondition, TextCondition
from securefl.study.training import training_of

LOGISTIC = training_of(protocol()).model
MLP = PerceptronSpec(**dict(LOGISTIC) | {"kind": "mlp", "hidden": (3,)})
TABLE = {
    "age": [30, 65526, 50],
    "TSH": [None, 1, 20.5],
    "sex": ["F", "M", "M"],
    "sick": ["t", "f", "f"],
}


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "model", np.linspace(-1, 1, 7), LOGISTIC, SPEC, DETAILS)
    return tmp_path / "model"


def rewrite(folder, change):
    body = json.loads((folder / FACTS).read_text())
    change(body)
    (folder / FACTS).write_text(json.dumps(body))


@pytest.mark.parametrize("model", [LOGISTIC, MLP])
def test_a_saved_model_is_loaded_as_it_was(tmp_path, model):
    theta = initial_weights(model, 6) + np.linspace(-1, 1, parameter_count(model, 6))
    saved = save_model(tmp_path / "m", theta, model, SPEC, DETAILS)
    loaded = load_model(str(tmp_path / "m"))
    np.testing.assert_array_equal(loaded.theta, theta)
    assert (loaded.spec, loaded.data, loaded.facts, loaded.digest) == (
        model,
        SPEC,
        DETAILS,
        saved.digest,
    )
    assert loaded.intended_use == "Tests only."


def test_very_small_ranges_survive_the_file(tmp_path):
    tiny = protocol(('low = "0.005"', 'low = "5e-9"')).data
    assert save_model(tmp_path / "m", np.zeros(7), LOGISTIC, tiny, DETAILS).data == tiny


def test_scores_come_in_row_order_and_a_row_outside_the_ranges_has_none(folder):
    import pandas as pd

    model = load_model(folder)
    scores = model.predict(pd.DataFrame(TABLE))
    assert np.isnan(scores).tolist() == [False, True, False]
    again, reasons = model.scored(TABLE)
    np.testing.assert_array_equal(again, scores)
    assert reasons == [None, "age: outside 0 to 120", None]
    np.testing.assert_allclose(
        scores[0], 1 / (1 + np.exp(-(-1 * -0.5 + -1 / 3 * 1 + 2 / 3 * 1 + 1)))
    )


def test_a_missing_column_is_named_to_whoever_made_the_table(folder):
    with pytest.raises(DataError, match="no column 'TSH'") as caught:
        load_model(folder).predict({"age": [1]})
    assert caught.value.whose == "whoever made the table"


def test_the_card_says_what_the_model_is_for_what_it_costs_and_what_it_needs():
    card = model_card(LOGISTIC, SPEC, DETAILS)
    for text in (
        "Tests only.",
        "Epsilon 1 for each patient.",
        "0.98 (95 %",
        "a" * 64,
        "| age | 0 to 120 years | no |",
        "| sex | F, M | yes |",
        "contains one of the letters E, F (against -, |, A",
    ):
        assert text in card


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (
            TextCondition(column="t", kind="equals", positive=("yes", "maybe"), negative=("no",)),
            "whether t is one of yes, maybe (against no;",
        ),
        (
            NumberCondition(column="t", kind="at-least", value="1", low="0", high="9"),
            "whether t is 1 or more (a row outside 0 to 9 is set aside)",
        ),
    ],
)
def test_the_card_says_what_a_score_means_for_each_kind_of_label(label, text):
    assert text in model_card(MLP, SPEC.model_copy(update={"label": label}), DETAILS)


@pytest.mark.parametrize("name", [WEIGHTS, CARD])
def test_an_altered_file_is_noticed(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(UnreadableError, match=f"{name} is not the file"):
        load_model(folder)


@pytest.mark.parametrize("name", [WEIGHTS, CARD, FACTS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UnreadableError, match=f"{name} cannot be read"):
        load_model(folder)


def test_an_oversized_file_is_not_read_to_its_end(folder):
    with (folder / FACTS).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnreadableError, match="larger than"):
        load_model(folder)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", "null", "[" * 100_000, '{"schema": "securefl-model/1"}', "\x00\xff"],
)
def test_a_description_that_is_none_is_refused(folder, text):
    (folder / FACTS).write_text(text)
    with pytest.raises(UnreadableError):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.update(schema="securefl-model/2"),
        lambda b: b["model"].update(kind="forest"),
        lambda b: b["data"].update(columns=[]),
        lambda b: b["data"]["columns"].pop(),
        lambda b: b["facts"].update(extra="x"),
        lambda b: b["facts"].pop("licence"),
        lambda b: b["files"].pop(CARD),
        lambda b: b["model"].update(kind="mlp", hidden=[3]),
    ],
)
def test_a_description_that_does_not_fit_the_weights_or_the_contract_is_refused(folder, change):
    rewrite(folder, change)
    with pytest.raises(UnreadableError):
        load_model(folder)


def repack(folder, weights: bytes):
    import hashlib

    (folder / WEIGHTS).write_bytes(weights)
    rewrite(folder, lambda b: b["files"].update({WEIGHTS: hashlib.sha256(weights).hexdigest()}))


def test_weights_that_are_a_pickle_are_refused_without_being_run(folder):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (folder.joinpath("ran").touch, ())

    repack(folder, pickle.dumps(Bomb()))
    with pytest.raises(UnreadableError):
        load_model(folder)
    assert not folder.joinpath("ran").exists()


@pytest.mark.parametrize(
    "extra",
    [{"layers.0.bias": np.array([np.nan])}, {"layers.0.bias": np.zeros(2)}, {"more": np.zeros(1)}],
)
def test_weights_that_are_not_this_models_are_refused(folder, extra):
    from safetensors.numpy import save

    repack(
        folder, save({"layers.0.weight": np.zeros((1, 6)), "layers.0.bias": np.zeros(1)} | extra)
    )
    with pytest.raises(UnreadableError, match="does not hold the weights"):
        load_model(folder)


def test_the_card_calls_the_score_a_probability_only_where_the_calibration_supports_it():
    card = model_card(LOGISTIC, SPEC, DETAILS)
    assert "The score is a score, not a probability" in card
    assert "estimated probability" not in card
    lines = (
        "It may be read as one.",
        "score 0 to 0.1: 1.0 to 3.0 % of about 800 patients are positive",
    )
    card = model_card(
        LOGISTIC, SPEC, DETAILS.model_copy(update={"probability": True, "calibration": lines})
    )
    assert "The score is the estimated probability that this holds: " in card
    assert "- score 0 to 0.1: 1.0 to 3.0 % of about 800 patients are positive" in card
