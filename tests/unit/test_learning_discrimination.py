"""The estimate of the AUC: no bias over the noise, intervals that cover, and the estimator of
before as the control.
"""

import math

import numpy as np
import pytest
from simulated_evaluations import SETTINGS, Setting, mended_auc, simulate

from securefl.learning.intervals import fieller, unbiased_inverse
from securefl.learning.tasks.binary.discrimination import (
    auc_interval,
    expected_interval,
    histogram_auc,
    unbiased_auc,
)

#: A smaller form of `benchmarks/evaluation/run.py`, which takes 1,000 runs and pairs of opposite
#: noise.
RUNS = 400


@pytest.fixture(scope="module", params=SETTINGS, ids=str)
def simulated(request):
    return simulate(request.param, RUNS, seed=11)


def test_the_estimate_has_no_bias_in_nine_settings(simulated):
    assert abs(simulated.bias) < 0.01 + 3 * simulated.error_of_bias


def test_the_interval_covers_as_often_as_it_says_in_nine_settings(simulated):
    # 400 runs: three standard errors of a share of .95 are .033
    assert 0.917 <= simulated.covered <= 0.995
    assert simulated.covered_exact >= 0.917


def test_a_worthless_model_gets_no_figure_but_by_the_chance_that_the_interval_admits():
    worthless = [simulate(s, RUNS, seed=12) for s in SETTINGS if s.auc == 0.5]
    assert len(worthless) >= 2
    for found in worthless:
        assert found.told <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_the_mended_estimate_of_before_fails_the_same_test():
    worthless = simulate(Setting(0.5, 31, 213, contributors=3), RUNS, seed=13, estimate=mended_auc)
    assert worthless.bias > 0.08
    backwards = simulate(Setting(0.155, 300, 3000), RUNS, seed=14, estimate=mended_auc)
    assert backwards.bias > 0.2


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0, 10.0, 24.9, 25.1, 200.0])
def test_the_inverse_of_a_size_is_mills_ratio(ratio):
    got = unbiased_inverse(ratio * 7.0, 7.0) * 7.0
    x = (np.arange(1_000_000) + 0.5) * 1e-5
    integral = float(
        np.sum(np.exp(-x * x / 2 - ratio * x)) * 1e-5
    )  # exp(r²/2) times the tail beyond r
    assert got == pytest.approx(integral, rel=2e-4)
    assert math.isnan(unbiased_inverse(-1e9, 1.0))


def test_the_inverse_of_a_size_is_unbiased():
    draws = np.random.default_rng(5).normal(4.0, 1.0, 200_000)
    assert np.mean([unbiased_inverse(float(d), 1.0) for d in draws]) == pytest.approx(
        1 / 4, rel=0.01
    )
    assert np.mean(1 / draws[draws > 0.2]) > 1.05 / 4  # what a plain inverse would do


def test_without_noise_to_speak_of_the_estimate_is_the_plain_figure():
    negatives, positives = np.array([800.0, 200, 100, 50]), np.array([10.0, 20, 50, 90])
    assert unbiased_auc(negatives, positives, 1e-6) == pytest.approx(
        histogram_auc(negatives, positives), abs=1e-9
    )


def test_a_constant_shift_of_a_ratio_has_a_wide_and_a_missing_end():
    assert fieller(5.0, 10.0, (25.0, 0.0, 64.0)) == (0.0, 1.0)
    low, high = fieller(80.0, 100.0, (4.0, 0.0, 4.0))
    assert 0.75 < low < 0.8 < high < 0.86
    assert fieller(1.0, 10.0, (0.0, 0.0, 0.0)) == (0.1, 0.1)


def test_an_interval_that_noise_moved_beyond_an_end_does_not_become_a_point():
    low, high = fieller(-5.0, 10.0, (0.01, 0.0, 0.01))
    assert low == 0.0
    assert 0.01 < high < 0.03  # half of its width, from the end on
    low, high = fieller(11.0, 10.0, (0.01, 0.0, 0.01))
    assert 0.96 < low < 0.99
    assert high == 1.0


def test_an_interval_covers_near_the_ends_of_the_scale_and_with_two_small_classes():
    for setting in (
        Setting(0.99, 60, 60, 10, 6),
        Setting(0.99, 60, 60, 2),
        Setting(0.95, 60, 60, 10, 6),
    ):
        assert simulate(setting, RUNS, seed=16).covered >= 0.917


def test_a_ratio_of_nothing_has_no_interval():
    assert fieller(0.0, 0.0, (0.0, 0.0, 0.0)) == (0.0, 1.0)


def test_a_set_without_ends_leaves_the_side_that_it_excludes_nothing_of():
    # the denominator cannot be told from 0, and yet values below .4 are excluded
    low, high = fieller(60.0, 55.0, (150.0, 0.0, 900.0))
    assert 0.3 < low < 0.7
    assert high == 1.0
    mirrored = fieller(-5.0, 55.0, (150.0, -850.0, 900.0))
    assert mirrored[0] == 0.0


def test_an_empty_class_leaves_nothing_to_say():
    assert auc_interval(np.zeros(4), np.ones(4), 70.0) == (0.0, 1.0)
    assert auc_interval(np.ones(4), -np.ones(4), 70.0) == (0.0, 1.0)


def test_the_expected_interval_is_about_the_one_that_comes():
    for setting in (s for s in SETTINGS if s.positives >= 200):
        low, high = expected_interval(*setting.expected_counts(), setting.noise_variance)
        found = simulate(setting, RUNS, seed=15)
        assert high - low == pytest.approx(found.width, rel=0.35, abs=0.01)
