from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from binary_models import BINARY, logistic_gradients
from small_study import FixedDraws, protocol, rows, rule

from securefl.errors import DataError, RoundError, StudyError
from securefl.learning.clipping import clip_to_grid
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule, block_rows
from securefl.learning.strategies.fedavg import FedAvg
from securefl.learning.training import check_targets
from securefl.privacy.randomness import ChaChaStream, SystemRandomness
from securefl.study.wire import GRID, wire_of

#: FedAvg whose hospitals take half a step.
HALF = FedAvg(Decimal("0.5"), Decimal(1), Decimal(0))


def steps(the_rule, x, y, draws, gradients=logistic_gradients):
    check_targets(BINARY, y)
    return PrivateSteps(the_rule, gradients, x, y, draws)


def test_the_rule_comes_from_the_study_alone():
    made = StepRule.from_study(protocol(), Fraction(1, 4))
    wire = wire_of(protocol())
    assert made == StepRule(
        clip_norm=1.0,
        noise_multiplier=Decimal("2.14"),
        wire_step=wire.step,
        wire_largest=32767,
        sample_rate=Fraction(1, 5),
        local_steps=1,
        strategy=FedAvg(Decimal(1), Decimal(4), Decimal("0.8")),
        share=50.0,
    )
    assert made.grid == 1 << 20
    assert made.sigma == Decimal("2.14") * (1 << 20)


def test_the_sum_is_that_of_the_clipped_rows():
    x, y = rows()
    theta = np.full(5, 0.3)
    wide = np.concatenate([x.astype(float), np.ones((200, 1))], axis=1)
    residual = 1 / (1 + np.exp(-wide @ theta)) - y
    norms = np.linalg.norm(wide * residual[:, None], axis=1, keepdims=True)
    want = np.trunc(wide * residual[:, None] / np.maximum(norms, 1.0) * GRID).sum(axis=0)
    got = steps(rule(), x, y, FixedDraws()).noised_steps(theta)
    assert got.dtype == np.int64
    np.testing.assert_allclose(got, want, atol=2)


def test_an_empty_batch_still_adds_noise():
    x, y = rows()
    draws = FixedDraws(drawn=np.zeros(200), noise=np.arange)
    np.testing.assert_array_equal(
        steps(rule(), x, y, draws).noised_steps(np.zeros(5)), np.arange(5)
    )
    assert draws.sigmas == [Decimal("2.14") * GRID]


def test_a_hospital_without_rows_sends_noise_like_the_others():
    draws = FixedDraws(noise=lambda n: np.full(n, 7))
    made = steps(rule(), np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int8), draws)
    np.testing.assert_array_equal(made.noised_steps(np.zeros(5)), np.full(5, 7))


def test_nothing_is_cut_before_the_noise_and_what_travels_is_rounded_and_cut_after_it():
    x, _ = rows()
    draws = FixedDraws(noise=lambda n: np.array([0, 1000 * GRID, -1000 * GRID, 0, 0]))
    made = steps(
        rule(wire_step=1 << 10, wire_largest=100 << 10), x, np.zeros(200, dtype=np.int8), draws
    )
    whole = made.noised_steps(np.zeros(5))
    assert np.abs(whole).max() > 900 * GRID
    np.testing.assert_array_equal(
        made.update(np.zeros(5)), np.clip(whole // (1 << 10), -(100 << 10), 100 << 10)
    )


def test_values_that_were_cut_are_counted_for_the_owners_screen():
    x, _ = rows()
    zeros = np.zeros(200, dtype=np.int8)
    whole = steps(rule(wire_step=1, wire_largest=1 << 40), x, zeros, FixedDraws())
    sums = whole.update(np.zeros(5))
    assert whole.clamped == 0
    largest = int(np.sort(np.abs(sums))[2])  # two of the five are longer
    cut = steps(rule(wire_step=1, wire_largest=largest), x, zeros, FixedDraws())
    assert np.abs(cut.update(np.zeros(5))).max() == largest
    assert cut.clamped == 2
    cut.update(np.zeros(5))
    assert cut.clamped == 2  # of the last update, not of all


@pytest.mark.parametrize("bits", [6, 8, 16])
def test_a_round_of_several_steps_is_rounded_once_and_right_on_average(bits):
    x, y = rows()
    study = protocol(("bits = 16", f"bits = {bits}"), ("local_steps = 1", "local_steps = 3"))
    made = StepRule.from_study(study, Fraction(1, 5))
    fixed, real = FixedDraws(drawn=np.ones(200)), RandomDraws(ChaChaStream(bytes(32)))
    fixed.quotient = real.quotient
    noiseless = steps(made, x, y, fixed)
    exact = noiseless.noised_steps(np.zeros(5)) / made.wire_step
    draws = np.array([noiseless.update(np.zeros(5)) for _ in range(400)])
    assert np.abs(draws - exact).max() < 1
    assert np.abs(draws.mean(axis=0) - exact).max() < 6 * 0.5 / 400**0.5


def test_whatever_the_width_of_the_wire_the_release_is_the_same_but_for_rounding():
    x, y = rows()
    wide, narrow = (
        StepRule.from_study(protocol(("bits = 16", f"bits = {bits}")), Fraction(1, 5))
        for bits in (24, 8)
    )
    fine, coarse = (
        steps(r, x, y, RandomDraws(ChaChaStream(bytes(32)))).update(np.zeros(5)) * r.wire_step
        for r in (wide, narrow)
    )
    assert 0 < np.abs(fine - coarse).max() <= narrow.wire_step + wide.wire_step


def test_local_steps_move_the_local_model_and_send_the_sum_of_the_steps():
    x, y = rows()
    one = rule(strategy=HALF)
    theta = np.zeros(5)
    first = steps(one, x, y, FixedDraws()).noised_steps(theta)
    second = steps(one, x, y, FixedDraws()).noised_steps(theta - 0.5 * first / (GRID * 40.0))
    draws = FixedDraws()
    both = steps(rule(local_steps=2, strategy=HALF), x, y, draws).noised_steps(theta)
    np.testing.assert_array_equal(both, first + second)
    assert len(draws.sigmas) == 2
    assert not theta.any()


def test_rows_are_handled_in_blocks_without_changing_the_sum():
    x, y = rows(n=500)
    gradients = logistic_gradients(np.full(5, 0.1), x.astype(float), y.astype(float))
    np.testing.assert_array_equal(
        steps(rule(), x, y, FixedDraws()).noised_steps(np.full(5, 0.1)),
        clip_to_grid(gradients, 1.0, GRID).sum(axis=0),
    )


def test_no_call_of_the_gradient_function_has_more_rows_than_the_models_size_allows(monkeypatch):
    monkeypatch.setattr("securefl.learning.steps._MOST_ROWS", 64)
    x, y = rows(n=150)
    shapes = []

    def spy(theta, block_x, block_y):
        shapes.append((block_x.shape, block_y.shape))
        return logistic_gradients(theta, block_x, block_y)

    steps(rule(), x, y, FixedDraws(), spy).noised_steps(np.zeros(5))
    assert shapes == [((64, 4), (64,)), ((64, 4), (64,)), ((22, 4), (22,))]


def test_blocks_shrink_with_the_model_by_a_public_rule():
    assert block_rows(1386) == 128
    assert [block_rows(p) for p in (1, 28, 1 << 10, 1 << 13, 1 << 20, 1 << 30)] == [
        4096,
        4096,
        256,
        64,
        64,
        64,
    ]


def test_real_draws_are_fresh_for_every_execution():
    x, y = rows()
    made = steps(rule(), x, y, RandomDraws(SystemRandomness()))
    assert (made.noised_steps(np.zeros(5)) != made.noised_steps(np.zeros(5))).any()


def test_real_draws_repeat_only_with_an_injected_stream():
    x, y = rows()
    first, second = (
        steps(rule(), x, y, RandomDraws(ChaChaStream(bytes(32)))).noised_steps(np.zeros(5))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_noise_below_two_grid_units_is_refused():
    x, y = rows()
    with pytest.raises(StudyError, match="below 2"):
        steps(
            rule(grid=1, noise_multiplier=Decimal("1.9")), x, y, RandomDraws(SystemRandomness())
        ).noised_steps(np.zeros(5))


@pytest.mark.parametrize(
    "theta", [np.array([0, np.nan, 0, 0, 0]), np.array([0, 0, np.inf, 0, 0]), np.zeros((5, 1))]
)
def test_a_global_model_that_is_not_finite_never_meets_the_data(theta):
    x, y = rows()
    with pytest.raises(RoundError, match="not a vector of finite numbers"):
        steps(rule(), x, y, FixedDraws()).noised_steps(theta)


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
