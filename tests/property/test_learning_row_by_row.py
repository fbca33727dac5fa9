"""No float sum in front of a rounding depends on what stands beside its terms: large models,
several rows a patient.
"""

import numpy as np
import pytest
from binary_models import parameter_count, predict_scores
from grid_lines import SHAPES, WEIGHTS, GridLines
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import protocol

from securefl.learning.summing import sum_in_order, sum_of_squares
from securefl.study.training import training_of

MODEL = training_of(protocol()).model
PERCEPTRON = MODEL.model_copy(update={"kind": "mlp", "hidden": (33, 7)})


@pytest.mark.parametrize("shape", SHAPES)
def test_each_patient_adds_the_same_integers_whoever_else_trains(shape):
    room = GridLines(*shape)
    generator = np.random.default_rng(7)
    patients = [room.rows(f"P{i}", generator.choice(["-", "E"]), count=2) for i in range(5)]
    other = [
        [
            ",".join([f"Q{i}", *map(str, generator.integers(0, 128, len(shape[0])) / 4), "E"])
            for _ in range(k)
        ]
        for i, k in enumerate((1, 2, 2))
    ]
    tables = [*patients, *other]
    order = generator.permutation(len(tables))
    for w in WEIGHTS[:2]:
        together = room.total(room.task([line for i in order for line in tables[i]]), w)
        alone = [room.total(room.task(table), w) for table in tables]
        assert sum(bool(a.any()) for a in alone) > 3  # the others are held out
        np.testing.assert_array_equal(together, np.sum(alone, axis=0))


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(1, 40), st.data())
def test_a_rows_sum_is_the_same_wherever_the_row_stands(terms, rows, data):
    values = np.random.default_rng(data.draw(st.integers(0, 999))).normal(
        size=(rows, terms)
    ) * 10.0 ** data.draw(st.integers(-3, 3))
    first, last = sorted((data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, rows - 1))))
    together = sum_of_squares(values)
    np.testing.assert_array_equal(
        together[first : last + 1], sum_of_squares(values[first : last + 1])
    )
    np.testing.assert_array_equal(together[::-1], sum_of_squares(values[::-1]))
    np.testing.assert_array_equal(
        sum_in_order(values.copy())[first], sum_in_order(values[first].copy())
    )
    np.testing.assert_allclose(together, (values**2).sum(axis=1), rtol=1e-12)


@settings(max_examples=20)
@given(st.integers(1, 600), st.data())
def test_a_rows_score_is_the_same_wherever_the_row_stands(rows, data):
    generator = np.random.default_rng(data.draw(st.integers(0, 999)))
    theta, x = (
        generator.normal(size=parameter_count(PERCEPTRON, 5)),
        generator.uniform(-1, 1, (rows, 5)).astype(np.float32),
    )
    together, at = predict_scores(theta, PERCEPTRON, x), data.draw(st.integers(0, rows - 1))
    np.testing.assert_array_equal(together[at:], predict_scores(theta, PERCEPTRON, x[at:]))
    np.testing.assert_array_equal(
        together[at : at + 1], predict_scores(theta, PERCEPTRON, x[at : at + 1])
    )
    np.testing.assert_array_equal(together[::-1], predict_scores(theta, PERCEPTRON, x[::-1]))


def test_an_empty_sum_is_zero():
    np.testing.assert_array_equal(sum_in_order(np.zeros((3, 0))), np.zeros(3))
    assert sum_in_order(np.zeros((0, 4))).shape == (0,)
