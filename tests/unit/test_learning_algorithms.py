import numpy as np
import pytest
from binary_models import Server
from small_study import protocol

from securefl.errors import RoundError
from securefl.study.wire import GRID, wire_of

STUDY = protocol()  # normaliser 200, server learning rate 4, momentum 0.8
#: A sum of steps of the wire that stands for a tenth of a clip norm for each of 200 patients.
TENTH = 20 * GRID / wire_of(STUDY).step


def test_two_rounds_follow_the_formula_with_momentum():
    state = Server.start(STUDY, np.array([1.0, 0.0]))
    first = np.array([round(TENTH), -round(TENTH / 2)], dtype=np.int64)
    state = state.apply(first)
    np.testing.assert_allclose(state.theta, [1 - 4 * 0.1, 4 * 0.05], rtol=1e-3)
    state = state.apply(np.zeros(2, dtype=np.int64))
    np.testing.assert_allclose(state.theta, [0.6 - 4 * 0.08, 0.2 + 4 * 0.04], rtol=1e-3)
    assert state.rounds == 2


def test_the_local_learning_rate_scales_the_pseudo_gradient():
    slow = Server.start(
        protocol(('local_learning_rate = "1"', 'local_learning_rate = "0.5"')), np.zeros(1)
    )
    np.testing.assert_allclose(slow.apply(np.array([round(TENTH)])).theta, [-0.2], rtol=1e-3)


def test_a_state_is_a_value():
    state = Server.start(STUDY, np.zeros(1))
    state.apply(np.array([960]))
    assert state.theta[0] == 0
    assert state.rounds == 0


def test_five_sums_count_as_one_sum_so_big_hospitals_weigh_more_without_a_row_count():
    parts = np.array([[900], [40], [20], [0], [0]], dtype=np.int64)
    state = Server.start(STUDY, np.zeros(1))
    np.testing.assert_array_equal(
        state.apply(parts.sum(axis=0)).theta, state.apply(np.array([960])).theta
    )


@pytest.mark.parametrize(
    "total", [np.zeros(3, dtype=np.int64), np.zeros(2), np.zeros((1, 2), dtype=np.int64)]
)
def test_a_sum_that_does_not_fit_the_model_is_refused(total):
    with pytest.raises(RoundError, match="the model needs"):
        Server.start(STUDY, np.zeros(2)).apply(total)


@pytest.mark.parametrize("bits", [6, 8, 16, 24])
def test_a_mean_gradient_is_the_same_whatever_the_width_of_the_wire(bits):
    study = protocol(("bits = 16", f"bits = {bits}"))
    state = Server.start(study, np.zeros(1))
    assert state.unit * wire_of(study).step == pytest.approx(GRID * 200, rel=1e-12)
