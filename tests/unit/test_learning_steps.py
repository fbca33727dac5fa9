from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from learning_room import FixedDraws, protocol, rows, rule

from securefl.errors import DataError, RoundError, StudyError
from securefl.learning.steps import (
    PrivateSteps,
    RandomDraws,
    StepRule,
    block_rows,
    clip_to_grid,
    logistic_gradients,
    within_ball,
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


def test_a_short_gradient_is_only_rounded_toward_zero():
    np.testing.assert_array_equal(clip_to_grid(np.array([[0.5, -0.29, 0.0]]), 1.0, 10), [[5, -2, 0]])


def test_a_long_gradient_is_clipped_to_the_grid():
    np.testing.assert_array_equal(clip_to_grid(np.array([[3.0, 4.0]]), 0.5, 10), [[6, 8]])


def test_clipping_looks_at_each_row_alone():
    gradients = np.random.default_rng(0).normal(0, 5, (50, 9))
    together = clip_to_grid(gradients, 1.0, 48)
    for i in range(50):
        np.testing.assert_array_equal(clip_to_grid(gradients[i : i + 1], 1.0, 48)[0], together[i])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_counts_as_zero_and_does_not_spread(bad):
    np.testing.assert_array_equal(clip_to_grid(np.array([[1.0, bad], [0.65, 0.75]]), 1.0, 10), [[0, 0], [6, 7]])


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e300, 1.7e308])
def test_extreme_gradients_neither_overflow_nor_crash(size):
    units = clip_to_grid(np.array([[size, -size]]), 1.0, 1000)
    assert (units**2).sum() <= 1000**2
    assert units[0, 0] == (707 if size > 1 else 0)


def test_no_rows_clip_to_no_rows():
    assert clip_to_grid(np.zeros((0, 3)), 1.0, 10).shape == (0, 3)


def test_a_row_that_is_too_long_is_shortened_and_the_others_stay():
    np.testing.assert_array_equal(within_ball(np.array([[6, 8], [7, -8], [-12, 0]]), 10), [[6, 8], [6, -7], [-10, 0]])


def test_rows_on_the_sphere_itself_stay_within_it():
    # 3-4-5 triangles and equal entries sit exactly on the sphere, where rounding may fall on the wrong side
    for p in (1, 2, 3, 4, 9, 16, 25, 10_000):
        units = clip_to_grid(np.full((1, p), 1.0) * (1 + 1e-15), 1.0, 1 << 20)
        assert (units * units).sum() <= (1 << 40)


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
