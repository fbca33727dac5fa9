"""Hospitals that are drawn by lot amplify nothing: whoever multiplies the two rates promises too much.

The docstring of :mod:`securefl.simulation.participation` has the argument. Here it is worked out in
one dimension, and an attack that knows who took part convicts the multiplied figure.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import norm

from securefl.privacy.accounting import PldAccountant
from securefl.privacy.empirical import epsilon_lower_bound

SIGMA = 1.0
DRAWN = 0.1
RATE = 0.2
DELTA = Decimal("1e-5")


def density(parts):
    """A mixture of normals on a fine grid: ``parts`` are (weight, mean)."""
    x = np.linspace(-12, 44, 100_001)
    return sum(weight * norm.pdf(x, mean, SIGMA) for weight, mean in parts), x[1] - x[0]


def divergence(with_, without, epsilon):
    """The hockey-stick divergence, in the worse of both directions."""
    (p, step), (q, _) = density(with_), density(without)
    one = np.maximum(p - np.exp(epsilon) * q, 0).sum() * step
    other = np.maximum(q - np.exp(epsilon) * p, 0).sum() * step
    return max(one, other)


def worlds(others):
    """A round's sum with and without the patient, whose hospital's other patients add ``others``."""
    without = [(1 - DRAWN, 0.0), (DRAWN, others)]
    with_ = [(1 - DRAWN, 0.0), (DRAWN * (1 - RATE), others), (DRAWN * RATE, others + 1)]
    return with_, without


def one_step(rate, epsilon):
    return divergence([(1 - rate, 0.0), (rate, 1.0)], [(1.0, 0.0)], epsilon)


EPSILONS = (0.1, 0.5, 1.0, 2.0)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_a_secret_lot_is_worth_no_more_than_a_public_one(epsilon):
    public = DRAWN * one_step(RATE, epsilon)
    found = [divergence(*worlds(others), epsilon) for others in (0, 1, 3, 8, 30)]
    assert max(found) <= public * (1 + 1e-6)
    # The others of the hospital come with the patient: their sum shows that it was drawn.
    assert found[-1] == pytest.approx(public, rel=1e-3)


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_rates_multiplied_promise_less_than_is_so(epsilon):
    promised = one_step(DRAWN * RATE, epsilon)
    assert divergence(*worlds(30), epsilon) > 3 * promised
    # control: of a patient who is alone in the hospital the promise holds
    assert divergence(*worlds(0), epsilon) == pytest.approx(promised, rel=1e-6)


ROUNDS = 200
NOISE = Decimal(2)
SHARE = Fraction(1, 10)


def epsilon_of(rate, rounds):
    return float(PldAccountant().training_epsilon(NOISE, rate, rounds, DELTA))


def scores(draws, patient):
    """Log-likelihood ratio of whoever sees each round's sum and who took part."""
    noise = np.random.default_rng(draws.sum() + patient).normal(0, float(NOISE), draws.shape)
    seen = noise + patient * draws
    return np.where(draws, (2 * seen - 1) / (2 * float(NOISE) ** 2), 0).sum(axis=1)


def lots(trials, seed):
    return np.random.default_rng(seed).random((trials, ROUNDS)) < float(SHARE)


def test_an_attack_that_knows_who_took_part_convicts_the_multiplied_figure():
    inside = scores(lots(20_000, 1), 1)
    outside = scores(lots(20_000, 2), 0)
    shown = epsilon_lower_bound(inside, outside, delta=1e-5, alpha=1e-4)
    assert shown > epsilon_of(SHARE, ROUNDS)
    # What is charged, the rounds of the own hospital, holds.
    assert shown <= epsilon_of(Fraction(1), int(lots(20_000, 1).sum(axis=1).max()))


def test_control_the_multiplied_figure_holds_where_nobody_knows_who_took_part():
    def blind(draws, patient, seed):
        noise = np.random.default_rng(seed).normal(0, float(NOISE), draws.shape)
        seen = noise + patient * draws
        ratio = np.exp((2 * seen - 1) / (2 * float(NOISE) ** 2))
        return np.log(1 - float(SHARE) + float(SHARE) * ratio).sum(axis=1)

    inside, outside = blind(lots(20_000, 1), 1, 3), blind(lots(20_000, 2), 0, 4)
    shown = epsilon_lower_bound(inside, outside, delta=1e-5, alpha=1e-4)
    assert shown <= epsilon_of(SHARE, ROUNDS)
    assert shown > 0.5
