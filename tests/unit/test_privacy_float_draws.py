import numpy as np
import pytest
from scipy import stats

from securefl.privacy.float_draws import FloatDraws
from securefl.privacy.randomness import SystemRandomness

COUNT = 20_000


@pytest.fixture
def draws():
    return FloatDraws(np.random.default_rng(3).bytes)


def test_uniform_numbers_are_uniform_and_below_one(draws):
    found = draws.random((COUNT // 10, 10))
    assert found.shape == (COUNT // 10, 10)
    assert 0 <= found.min() < found.max() < 1
    assert stats.kstest(found.ravel(), "uniform").pvalue > 1e-4


def test_normal_numbers_have_the_mean_and_deviation_asked_for(draws):
    found = draws.normal(3, 2, COUNT)
    assert stats.kstest((found - 3) / 2, "norm").pvalue > 1e-4
    assert draws.normal(size=(2, 3)).shape == (2, 3)


def test_counts_of_successes_are_binomial(draws):
    found = draws.binomial(4, 0.3, COUNT)
    seen = np.bincount(found, minlength=5)
    assert stats.chisquare(seen, stats.binom.pmf(range(5), 4, 0.3) * COUNT).pvalue > 1e-4


def test_the_largest_words_give_finite_numbers():
    edge = FloatDraws(lambda n: b"\xff" * n)
    assert np.isfinite(edge.normal(0, 1, 3)).all()
    assert (edge.random(3) < 1).all()


def test_two_on_the_systems_source_differ():
    assert not np.array_equal(*(FloatDraws(SystemRandomness()).random(8) for _ in range(2)))
