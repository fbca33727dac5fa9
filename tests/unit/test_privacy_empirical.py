import math

import numpy as np
import pytest

from securefl.privacy.empirical import (
    clopper_pearson,
    epsilon_lower_bound,
    fitted_mu,
    max_detectable,
)

DELTA, ALPHA = 1e-5, 0.05


def scores(mu, n=4000, seed=1):
    generator = np.random.default_rng(seed)
    return generator.normal(mu, 1, n), generator.normal(0, 1, n)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (40, 400)])
def test_the_limits_leave_out_exactly_what_they_may(successes, trials):
    low, high = clopper_pearson(successes, trials, 0.025)

    def at_least(p):
        return sum(
            math.comb(trials, k) * p**k * (1 - p) ** (trials - k)
            for k in range(successes, trials + 1)
        )

    def at_most(p):
        return sum(
            math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes + 1)
        )

    assert low == 0.0 if successes == 0 else at_least(low) == pytest.approx(0.025, rel=1e-6)
    assert high == 1.0 if successes == trials else at_most(high) == pytest.approx(0.025, rel=1e-6)


def test_four_thousand_right_guesses_of_each_kind_show_seven():
    # measured before: 6.99 without noise, when the threshold was not chosen on trials of its own
    low, _ = clopper_pearson(4000, 4000, 0.025)
    _, high = clopper_pearson(0, 4000, 0.025)
    assert math.log(low / high) == pytest.approx(6.99, abs=0.005)


def test_perfect_guesses_reach_what_is_detectable_and_no_scores_exceed_it():
    n = 4000
    best = max_detectable(n, delta=DELTA, alpha=ALPHA)
    assert epsilon_lower_bound(np.full(n, 1.0), np.zeros(n), delta=DELTA, alpha=ALPHA) == best
    assert epsilon_lower_bound(np.zeros(n), np.full(n, 1.0), delta=DELTA, alpha=ALPHA) == best
    assert all(
        epsilon_lower_bound(*scores(mu, n), delta=DELTA, alpha=ALPHA) <= best
        for mu in (0, 0.5, 1, 5, 20)
    )


def test_more_noise_shows_less_and_no_difference_shows_nothing():
    bounds = [epsilon_lower_bound(*scores(mu), delta=DELTA, alpha=ALPHA) for mu in (4, 2, 1, 0.5)]
    assert bounds == sorted(bounds, reverse=True)
    assert epsilon_lower_bound(*scores(0), delta=DELTA, alpha=ALPHA) < 0.1


def test_the_bound_is_below_the_true_epsilon_of_randomized_response():
    generator = np.random.default_rng(5)
    for epsilon in (0.5, 1.0, 3.0):
        truth = math.exp(epsilon) / (1 + math.exp(epsilon))
        wrong = 0
        for _ in range(40):
            inside, outside = (
                (generator.uniform(size=2000) < p).astype(float) for p in (truth, 1 - truth)
            )
            bound = epsilon_lower_bound(inside, outside, delta=0.0, alpha=ALPHA)
            wrong += bound > epsilon
            assert bound > epsilon * 0.6
        assert wrong <= 4  # 2 are expected at most


def test_a_difference_only_in_the_spread_is_seen():
    generator = np.random.default_rng(2)
    assert (
        epsilon_lower_bound(
            generator.normal(0, 1, 4000), generator.normal(0, 3, 4000), delta=DELTA, alpha=ALPHA
        )
        > 1.5
    )


def test_too_few_trials_show_nothing():
    assert max_detectable(1, delta=DELTA, alpha=ALPHA) == 0.0
    assert epsilon_lower_bound(np.ones(3), np.zeros(3), delta=DELTA, alpha=ALPHA) == 0.0
    assert max_detectable(0, delta=DELTA, alpha=ALPHA) == 0.0


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (np.zeros(4), np.zeros(5)),
        (np.array([np.nan] * 4), np.zeros(4)),
        (np.zeros((2, 2)), np.zeros((2, 2))),
    ],
)
def test_scores_that_do_not_fit_are_refused(inside, outside):
    with pytest.raises(ValueError, match="finite scores"):
        epsilon_lower_bound(inside, outside, delta=DELTA, alpha=ALPHA)


@pytest.mark.parametrize("mu", [1.0, 0.5, 0.25])
def test_the_fit_finds_mu_within_its_error(mu):
    found, error = fitted_mu(*scores(mu))
    assert abs(found - mu) < 3 * error
    assert 1.96 * error == pytest.approx(0.045, abs=0.003)


def test_without_noise_there_is_nothing_to_fit():
    assert fitted_mu(np.ones(10), np.zeros(10)) is None
    assert fitted_mu(np.ones(1), np.zeros(1)) is None
