import numpy as np
import pytest
from learning_room import protocol

from securefl.errors import RoundError
from securefl.learning.algorithms import ServerState

STUDY = protocol()  # grid 48, normaliser 200, server learning rate 4, momentum 0.8


def test_two_rounds_follow_the_formula_with_momentum():
    state = ServerState.start(STUDY, np.array([1.0, 0.0]))
    first = np.array([960, -480], dtype=np.int64)  # / (48 * 200) = 0.1, -0.05
    state = state.apply(first)
    np.testing.assert_allclose(state.theta, [1 - 4 * 0.1, 4 * 0.05])
    state = state.apply(np.zeros(2, dtype=np.int64))
    np.testing.assert_allclose(state.theta, [0.6 - 4 * 0.08, 0.2 + 4 * 0.04])
    assert state.rounds == 2


def test_the_local_learning_rate_scales_the_pseudo_gradient():
    slow = ServerState.start(protocol(('local_learning_rate = "1"', 'local_learning_rate = "0.5"')), np.zeros(1))
    np.testing.assert_allclose(slow.apply(np.array([960])).theta, [-0.2])


def test_a_state_is_a_value():
    state = ServerState.start(STUDY, np.zeros(1))
    state.apply(np.array([960]))
    assert state.theta[0] == 0
    assert state.rounds == 0


def test_five_sums_count_as_one_sum_so_big_hospitals_weigh_more_without_a_row_count():
    parts = np.array([[900], [40], [20], [0], [0]], dtype=np.int64)
    state = ServerState.start(STUDY, np.zeros(1))
    np.testing.assert_array_equal(state.apply(parts.sum(axis=0)).theta, state.apply(np.array([960])).theta)


@pytest.mark.parametrize("total", [np.zeros(3, dtype=np.int64), np.zeros(2), np.zeros((1, 2), dtype=np.int64)])
def test_a_sum_that_does_not_fit_the_model_is_refused(total):
    with pytest.raises(RoundError, match="the model needs"):
        ServerState.start(STUDY, np.zeros(2)).apply(total)
