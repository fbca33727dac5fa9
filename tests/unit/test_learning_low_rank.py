"""A perceptron whose hidden layers move in few directions: its numbers, gradients, and a study."""

import numpy as np
import pytest
from binary_models import BINARY
from conftest import protocol_text
from in_process_federation import Room, sealed_study
from small_study import protocol, rows

from securefl.errors import StudyError
from securefl.learning.families.layers import Layers
from securefl.learning.models import family_of
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.report.explain_study import model_words
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

MODEL = (
    'kind = "logistic-regression"',
    'kind = "low-rank"\nhidden = [12, 7]\nrank = 3',
)


STRETCHED = (MODEL[0], MODEL[1] + '\nstretch = "2.5"')
FIXED = (MODEL[0], MODEL[1] + '\ninner = "fixed"')


def family(model=MODEL):
    study = protocol(model)
    return family_of(training_of(study).model, study.data)


def matrix(model):
    """All weights' changes by the numbers that are learnt, float64[p, k]."""
    start = model._weights(np.zeros(model.parameters))
    return np.array([model._weights(one) - start for one in np.eye(model.parameters)]).T


def test_directions_are_orthogonal_and_no_longer_than_one():
    columns = matrix(family())
    products = columns.T @ columns
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    assert np.diag(products).max() <= 1 + 1e-12
    assert np.diag(products).min() >= 1 - 1e-12


def test_the_first_layer_learns_from_every_feature_and_the_last_one_is_whole():
    model = family()
    inputs = model._layers.sizes[0][1]
    assert model.parameters == 3 * (inputs + 1) + 3 * (3 + 1) + (7 + 1)
    last = matrix(model)[-8:]
    np.testing.assert_allclose(last[:, -8:], np.eye(8), atol=1e-12)
    first = matrix(model)[: 12 * inputs].reshape(12, inputs, -1)
    assert (np.abs(first).sum(axis=(0, 2)) > 0).all()


def test_every_unit_has_a_part_in_every_direction():
    inputs = family()._layers.sizes[0][1]
    first = matrix(family())[: 12 * inputs].reshape(12, inputs, -1)
    assert (first[:, 0, [0, inputs, 2 * inputs]] != 0).all()


def test_the_first_layers_directions_are_as_long_as_stretch_says():
    short, long = matrix(family()), matrix(family(STRETCHED))
    first = 12 * (family()._layers.sizes[0][1] + 1)
    np.testing.assert_allclose(long[:first], 2.5 * short[:first], atol=1e-12)
    np.testing.assert_array_equal(long[first:], short[first:])
    assert family(STRETCHED).longest_gradient(1.0) == 2.5 * family().longest_gradient(1.0)


@pytest.mark.parametrize("stretch", ["0", "-1", "101"])
def test_a_stretch_that_cannot_be_meant_is_refused(stretch):
    with pytest.raises(StudyError, match="stretch: must be above 0 and at most 100"):
        parse_protocol(protocol_text((MODEL[0], f'{MODEL[1]}\nstretch = "{stretch}"')))


def test_an_inner_layer_that_is_fixed_has_no_numbers_and_stays_as_it_was_drawn():
    moved, fixed = family(), family(FIXED)
    inputs = moved._layers.sizes[0][1]
    assert fixed.parameters == 3 * (inputs + 1) + (7 + 1)
    first = 12 * (inputs + 1)
    inner = slice(first, first + 7 * (12 + 1))
    assert not matrix(fixed)[inner].any()
    # The control: moved, it does not.
    assert matrix(moved)[inner].any()
    outer = np.r_[0 : 3 * (inputs + 1), moved.parameters - 8 : moved.parameters]
    np.testing.assert_array_equal(matrix(fixed)[:first], matrix(moved)[:first, outer])


@pytest.mark.parametrize("of", [MODEL, STRETCHED, FIXED])
def test_its_gradient_is_the_perceptrons_along_the_directions(of):
    model = family(of)
    inputs = model._layers.sizes[0][1]
    x, y = rows(20, inputs)
    z = np.random.default_rng(2).normal(size=model.parameters)
    layers = Layers((12, 7), inputs, 1)
    directions = matrix(model)
    weights = layers.initial_weights("seed 1") + directions @ z
    padded = np.zeros((256, inputs))
    padded[:20] = x
    np.testing.assert_allclose(model.scores(z, padded), layers.scores(weights, padded), atol=1e-12)
    found = model.gradients(BINARY)(z, x.astype(float), y)
    whole = layers.gradients(BINARY)(weights, x.astype(float), y)
    np.testing.assert_allclose(found, whole @ directions, atol=1e-6)
    # The control: the gradient along other directions is another one.
    assert np.abs(found - whole @ np.roll(directions, 1, axis=0)).max() > 0.01


def test_it_starts_where_the_perceptron_starts():
    model = family()
    assert not model.initial_weights("whatever").any()
    start = model._layers.initial_weights("seed 1")
    np.testing.assert_array_equal(model._weights(np.zeros(model.parameters)), start)


def test_scores_are_scaled_and_shifted_by_its_last_layer():
    model = family()
    inputs = model._layers.sizes[0][1]
    x = np.zeros((256, inputs))
    x[:20] = rows(20, inputs)[0]
    z = np.random.default_rng(3).normal(size=model.parameters)
    changed = model.rescaled(z, 1.5, np.array([0.25]))
    np.testing.assert_allclose(
        model.scores(changed, x), 1.5 * model.scores(z, x) + 0.25, atol=1e-12
    )


def test_only_the_few_numbers_are_sent_in_the_smallest_ring():
    study = protocol(MODEL)
    (release,) = trained(Programme(study)).releases()
    assert release.length == family().parameters
    assert "hidden layers of 12, 7" in model_words(study)
    assert body_bytes(layout_for(9, 5, release.length), release.length) == 6_400


def test_a_rank_above_the_narrowest_layer_is_refused():
    text = protocol_text((MODEL[0], MODEL[1].replace("rank = 3", "rank = 8")))
    with pytest.raises(StudyError, match=r"rank: is more than the 7 units"):
        parse_protocol(text)


def test_a_study_of_it_runs_encrypted():
    plan = sealed_study(MODEL)[1]
    room = Room(plan)
    for hospital in room.hospitals.values():
        hospital._steps = None
    outcome = room.coordinator().run()
    assert outcome.theta.any()
