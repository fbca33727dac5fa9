from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from learning_room import FixedDraws, protocol, rows, rule

from securefl.errors import DataError, RoundError, StudyError
from securefl.learning.clipping import clip_to_grid
from securefl.learning.steps import (
    PrivateSteps,
    RandomDraws,
    StepRule,
    block_rows,
    logistic_gradients,
)
from securefl.privacy.randomness import ChaChaStream, SystemRandomness


def steps(the_rule, x, y, draws, gradients=logistic_gradients):
    return PrivateSteps(the_rule, gradients, x, y, draws)


def test_the_rule_comes_from_the_study_alone():
    made = StepRule.from_study(protocol(), Fraction(1, 4))
    assert made == StepRule(
        clip_norm=1.0, grid=48, noise_multiplier=Decimal("2.14"), bound=20000, sample_rate=Fraction(1, 5), local_steps=1,
        local_learning_rate=1.0, share=50.0,
    )
    assert made.sigma == Decimal("102.72")


def test_the_sum_is_that_of_the_clipped_rows():
    x, y = rows()
    theta = np.full(5, 0.3)
    wide = np.concatenate([x.astype(float), np.ones((200, 1))], axis=1)
    residual = 1 / (1 + np.exp(-wide @ theta)) - y
    norms = np.linalg.norm(wide * residual[:, None], axis=1, keepdims=True)
    want = np.trunc(wide * residual[:, None] / np.maximum(norms, 1.0) * 48).sum(axis=0)
    got = steps(rule(), x, y, FixedDraws()).update(theta)
    assert got.dtype == np.int64
    np.testing.assert_allclose(got, want, atol=2)


def test_an_empty_batch_still_adds_noise():
    x, y = rows()
    draws = FixedDraws(drawn=np.zeros(200), noise=np.arange)
    np.testing.assert_array_equal(steps(rule(), x, y, draws).update(np.zeros(5)), np.arange(5))
    assert draws.sigmas == [Decimal("102.72")]


def test_a_hospital_without_rows_sends_noise_like_the_others():
    draws = FixedDraws(noise=lambda n: np.full(n, 7))
    made = steps(rule(), np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int8), draws)
    np.testing.assert_array_equal(made.update(np.zeros(5)), np.full(5, 7))


def test_the_sum_is_clamped_before_the_noise_and_not_after():
    x, _ = rows()
    draws = FixedDraws(noise=lambda n: np.full(n, 1000))
    update = steps(rule(bound=10), x, np.zeros(200, dtype=np.int8), draws).update(np.zeros(5))
    assert update.max() == 1010
    assert np.abs(update - 1000).max() <= 10


def test_values_that_met_the_bound_are_counted_for_the_owners_screen():
    x, _ = rows()
    zeros = np.zeros(200, dtype=np.int8)
    whole = steps(rule(), x, zeros, FixedDraws())
    sums = whole.update(np.zeros(5))
    assert whole.clamped == 0
    bound = int(np.sort(np.abs(sums))[2])  # two of the five are longer
    cut = steps(rule(bound=bound), x, zeros, FixedDraws())
    cut.update(np.zeros(5))
    assert cut.clamped == 2
    cut.update(np.zeros(5))
    assert cut.clamped == 2  # of the last update, not of all


def test_local_steps_move_the_local_model_and_send_the_sum_of_the_steps():
    x, y = rows()
    one = rule(local_learning_rate=0.5)
    theta = np.zeros(5)
    first = steps(one, x, y, FixedDraws()).update(theta)
    second = steps(one, x, y, FixedDraws()).update(theta - 0.5 * first / (48 * 40.0))
    draws = FixedDraws()
    both = steps(rule(local_steps=2, local_learning_rate=0.5), x, y, draws).update(theta)
    np.testing.assert_array_equal(both, first + second)
    assert len(draws.sigmas) == 2
    assert not theta.any()


def test_rows_are_handled_in_blocks_without_changing_the_sum():
    x, y = rows(n=500)
    gradients = logistic_gradients(np.full(5, 0.1), x.astype(float), y.astype(float))
    np.testing.assert_array_equal(
        steps(rule(bound=1 << 40), x, y, FixedDraws()).update(np.full(5, 0.1)), clip_to_grid(gradients, 1.0, 48).sum(axis=0)
    )


def test_no_call_of_the_gradient_function_has_more_rows_than_the_models_size_allows(monkeypatch):
    monkeypatch.setattr("securefl.learning.steps._MOST_ROWS", 64)
    x, y = rows(n=150)
    shapes = []

    def spy(theta, block_x, block_y):
        shapes.append((block_x.shape, block_y.shape))
        return logistic_gradients(theta, block_x, block_y)

    steps(rule(), x, y, FixedDraws(), spy).update(np.zeros(5))
    assert shapes == [((64, 4), (64,)), ((64, 4), (64,)), ((22, 4), (22,))]


def test_blocks_shrink_with_the_model_by_a_public_rule():
    assert [block_rows(p) for p in (1, 28, 1 << 10, 1 << 13, 1 << 20, 1 << 30)] == [4096, 4096, 1024, 128, 64, 64]


def test_real_draws_are_fresh_for_every_execution():
    x, y = rows()
    made = steps(rule(), x, y, RandomDraws(SystemRandomness()))
    assert (made.update(np.zeros(5)) != made.update(np.zeros(5))).any()


def test_real_draws_repeat_only_with_an_injected_stream():
    x, y = rows()
    first, second = (steps(rule(), x, y, RandomDraws(ChaChaStream(bytes(32)))).update(np.zeros(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_below_two_grid_units_is_refused():
    x, y = rows()
    with pytest.raises(StudyError, match="below 2"):
        steps(rule(grid=1, noise_multiplier=Decimal("1.9")), x, y, RandomDraws(SystemRandomness())).update(np.zeros(5))


@pytest.mark.parametrize("theta", [np.array([0, np.nan, 0, 0, 0]), np.array([0, 0, np.inf, 0, 0]), np.zeros((5, 1))])
def test_a_global_model_that_is_not_finite_never_meets_the_data(theta):
    x, y = rows()
    with pytest.raises(RoundError, match="not a vector of finite numbers"):
        steps(rule(), x, y, FixedDraws()).update(theta)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.array([[np.nan]]), np.array([0])),
        (np.array([[np.inf]]), np.array([0])),
        (np.array([[1.0]]), np.array([2])),
        (np.array([[1.0]]), np.array([0, 1])),
        (np.array([1.0]), np.array([0])),
    ],
)
def test_rows_that_are_not_finite_numbers_with_a_label_never_reach_a_model(x, y):
    with pytest.raises(DataError):
        steps(rule(), x, y, FixedDraws())
