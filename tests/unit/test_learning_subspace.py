"""A perceptron in a subspace: its directions, its gradients, and a whole study with it."""

import numpy as np
import pytest
from binary_models import BINARY
from conftest import protocol_text
from in_process_federation import Room, sealed_study
from small_study import protocol, rows

from securefl.errors import StudyError
from securefl.learning.families.layers import Layers
from securefl.learning.families.subspace import Signs
from securefl.learning.models import family_of
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.report.explain_study import model_words
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

MODEL = (
    'kind = "logistic-regression"',
    'kind = "subspace"\nhidden = [12, 5]\ndimensions = 30',
)


def family(*edits):
    study = protocol(MODEL, *edits)
    return family_of(training_of(study).model, study.data)


def matrix(signs, dimensions):
    """S, column by column."""
    return np.array([signs.upward(column) for column in np.eye(dimensions)]).T


@pytest.mark.parametrize(("size", "dimensions"), [(12, 4), (13, 4), (7, 7), (100, 9)])
def test_directions_are_orthogonal_and_no_longer_than_one(size, dimensions):
    signs = Signs("a lot", size, dimensions)
    columns = matrix(signs, dimensions)
    assert columns.shape == (size, dimensions)
    products = columns.T @ columns
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    assert np.diag(products).max() <= 1 + 1e-12
    gradients = np.random.default_rng(1).normal(size=(3, size))
    np.testing.assert_allclose(signs.downward(gradients), gradients @ columns, atol=1e-12)


def test_another_seed_draws_other_directions():
    one, again, other = (Signs(seed, 200, 20) for seed in ("a", "a", "b"))
    z = np.arange(20.0)
    np.testing.assert_array_equal(one.upward(z), again.upward(z))
    assert np.count_nonzero(one.upward(z) != other.upward(z)) > 50


def test_it_is_the_perceptron_at_the_weights_that_it_stands_for():
    model = family()
    inputs = model._layers.sizes[0][1]
    x, y = rows(20, inputs)
    z = np.random.default_rng(2).normal(size=30)
    layers = Layers((12, 5), inputs, 1)
    weights = layers.initial_weights("seed 1") + matrix(model._fixed[1], 30) @ z
    padded = np.zeros((256, inputs))
    padded[:20] = x
    np.testing.assert_allclose(model.scores(z, padded), layers.scores(weights, padded), atol=1e-12)
    found = model.gradients(BINARY)(z, x.astype(float), y)
    whole = layers.gradients(BINARY)(weights, x.astype(float), y)
    np.testing.assert_allclose(found, whole @ matrix(model._fixed[1], 30), atol=1e-6)


def test_it_starts_where_the_perceptron_starts():
    model = family()
    assert not model.initial_weights("whatever").any()
    np.testing.assert_array_equal(
        model._weights(np.zeros(30)), model._layers.initial_weights("seed 1")
    )


def test_only_the_directions_are_sent_and_the_page_says_of_what():
    study = protocol(MODEL)
    (release,) = trained(Programme(study)).releases()
    assert release.length == 30
    assert "hidden layers of 12, 5" in model_words(study)
    assert "30 weights" in model_words(study)


def test_more_directions_than_there_are_weights_are_refused():
    text = protocol_text((MODEL[0], MODEL[1].replace("30", "61")))
    with pytest.raises(StudyError, match=r"dimensions: is more than the 60 weights"):
        parse_protocol(text)


def test_a_study_of_it_runs_encrypted():
    plan = sealed_study(MODEL)[1]
    room = Room(plan)
    for hospital in room.hospitals.values():
        hospital._steps = None
    outcome = room.coordinator().run()
    assert outcome.theta.shape == (30,)
    assert outcome.theta.any()


def test_what_its_gradients_need_is_opened_before_a_row_is_read(monkeypatch):
    opened = []
    monkeypatch.setattr(Layers, "open_libraries", lambda _: opened.append(1))
    family().open_libraries()
    assert opened == [1]
