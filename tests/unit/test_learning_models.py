import hashlib

import numpy as np
import pytest
from binary_models import (
    flat_vector,
    initial_weights,
    layer_sizes,
    named_tensors,
    parameter_count,
    predict_scores,
)
from small_study import protocol

from securefl.errors import MessageError
from securefl.learning.families.perceptron import PerceptronSpec
from securefl.learning.models import weights_from_bytes, weights_sha256, weights_to_bytes
from securefl.learning.public import public_uniforms
from securefl.learning.tasks.binary.task import sigmoid
from securefl.study.training import training_of

LOGISTIC = training_of(protocol()).model
MLP = PerceptronSpec(**dict(LOGISTIC) | {"kind": "mlp", "hidden": (5, 3)})


def test_parameters_are_counted_layer_by_layer():
    assert parameter_count(LOGISTIC, 6) == 7
    assert parameter_count(MLP, 6) == 6 * 5 + 5 + 5 * 3 + 3 + 3 + 1


@pytest.mark.parametrize("model", [LOGISTIC, MLP])
def test_a_vector_survives_being_cut_into_tensors(model):
    theta = np.arange(parameter_count(model, 6), dtype=float)
    tensors = named_tensors(theta, model, 6)
    assert tensors["layers.0.weight"].shape[1] == 6
    np.testing.assert_array_equal(flat_vector(tensors, model, 6), theta)


def test_logistic_regression_starts_at_zero():
    assert not initial_weights(LOGISTIC, 6).any()


def test_a_perceptron_starts_at_public_weights_that_never_change():
    theta = initial_weights(MLP, 6)
    assert (
        weights_sha256(theta) == "c20347381c9f20ea0eb69886b591750e1394949397fdfa66cedbead594301124"
    )
    assert np.abs(theta).max() < (6 / (3 + 1)) ** 0.5
    assert weights_sha256(
        initial_weights(MLP.model_copy(update={"initial_seed": "2"}), 6)
    ) != weights_sha256(theta)


def test_public_numbers_are_shake256_and_lie_strictly_between_0_and_1():
    head = b"securefl/public/1/label"
    word = (
        int.from_bytes(
            hashlib.shake_256(len(head).to_bytes(4, "big") + head + b"seed").digest(8), "little"
        )
        >> 12
    )
    assert public_uniforms("label", b"seed", 3)[0] == (word + 0.5) / 2**52
    many = public_uniforms("label", b"seed", 10_000)
    assert many.min() > 0
    assert many.max() < 1
    assert abs(many.mean() - 0.5) < 0.02
    assert public_uniforms("label", b"seed", 0).shape == (0,)


@pytest.mark.parametrize("model", [LOGISTIC, MLP])
def test_scores_are_those_of_the_plain_formula(model):
    generator = np.random.default_rng(0)
    theta, x = generator.normal(size=parameter_count(model, 6)), generator.uniform(-1, 1, (700, 6))
    tensors, hidden = named_tensors(theta, model, 6), x
    for i in range(len(layer_sizes(model, 6)) - 1):
        hidden = np.tanh(hidden @ tensors[f"layers.{i}.weight"].T + tensors[f"layers.{i}.bias"])
    last = len(layer_sizes(model, 6)) - 1
    logits = (hidden @ tensors[f"layers.{last}.weight"].T + tensors[f"layers.{last}.bias"])[:, 0]
    np.testing.assert_allclose(
        predict_scores(theta, model, x), 1 / (1 + np.exp(-logits)), rtol=1e-12
    )


def test_a_rows_score_does_not_depend_on_the_rows_around_it():
    generator = np.random.default_rng(0)
    theta, x = (
        generator.normal(size=parameter_count(MLP, 27)),
        generator.uniform(-1, 1, (700, 27)).astype(np.float32),
    )
    together = predict_scores(theta, MLP, x)
    np.testing.assert_array_equal(together[3:], predict_scores(theta, MLP, x[3:]))
    np.testing.assert_array_equal(together[699:], predict_scores(theta, MLP, x[699:]))


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(sigmoid(np.array([-700.0, 0.0, 700.0]))[1:], [0.5, 1.0])


def test_weights_travel_as_little_endian_float64():
    theta = np.array([1.0, -2.5])
    assert weights_to_bytes(theta).hex() == "000000000000f03f00000000000004c0"
    np.testing.assert_array_equal(weights_from_bytes(weights_to_bytes(theta), 2), theta)
    assert weights_sha256(theta) == hashlib.sha256(weights_to_bytes(theta)).hexdigest()


@pytest.mark.parametrize(
    "data",
    [b"", bytes(15), bytes(24), np.array([1.0, np.nan]).tobytes(), np.array([np.inf, 0]).tobytes()],
)
def test_a_global_model_of_the_wrong_size_or_not_finite_is_refused(data):
    with pytest.raises(MessageError):
        weights_from_bytes(data, 2)
