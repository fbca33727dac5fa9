"""Statistics use a fixed source; thresholds are such that a right sampler would fail once in 10^9
sources.
"""

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from securefl.errors import StudyError, UsageError
from securefl.privacy import noise
from securefl.privacy.noise import (
    IntegerGaussian,
    gaussian_tail_multiplier,
    poisson_sample,
    stochastic_quotient,
)
from securefl.privacy.randomness import ChaChaStream, SystemRandomness

KEY = bytes(range(32))
FALSE_ALARM = 1e-9


def chi_square(draws, cell_probability, sigma):
    """P-value of the draws against integer cell probabilities, tails pooled."""
    width = math.ceil(3.5 * sigma)
    inner = np.arange(-width, width + 1)
    expected = np.array([cell_probability(k) for k in inner])
    counts = np.array([(draws == k).sum() for k in inner])
    observed = np.append(counts, draws.size - counts.sum())
    return stats.chisquare(observed, draws.size * np.append(expected, 1 - expected.sum())).pvalue


def discrete_cell(sigma):
    total = sum(math.exp(-k * k / (2 * sigma**2)) for k in range(-200, 201))
    return lambda k: math.exp(-k * k / (2 * sigma**2)) / total


@pytest.fixture
def small_blocks(monkeypatch):
    """A sigma that the tests can look at cell by cell is drawn in blocks of integers, as a training
    step's is.
    """
    monkeypatch.setattr(noise, "TABLE_MAX_SIGMA", Decimal(1))
    monkeypatch.setattr(noise, "_BLOCKS", 4)


@pytest.mark.parametrize("sigma", ["2", "3.5", "7.25"])
def test_counts_get_the_discrete_gaussian(sigma):
    sampler = IntegerGaussian(Decimal(sigma), ChaChaStream(KEY))
    assert sampler.block == 1
    draws = sampler.draw(200_001)
    assert draws.dtype == np.int64
    assert draws.shape == (200_001,)
    assert chi_square(draws, discrete_cell(float(sigma)), float(sigma)) > FALSE_ALARM


@pytest.mark.parametrize(("sigma", "block"), [("8", 2), ("17.5", 4), ("40.25", 8)])
def test_steps_get_the_discrete_gaussian_too(small_blocks, sigma, block):
    sampler = IntegerGaussian(Decimal(sigma), ChaChaStream(KEY))
    assert sampler.block == block
    draws = sampler.draw(400_001)
    assert draws.dtype == np.int64
    assert draws.shape == (400_001,)
    assert chi_square(draws, discrete_cell(float(sigma)), float(sigma)) > FALSE_ALARM


def test_the_check_of_the_samplers_notices_what_is_left_out_of_them(small_blocks, monkeypatch):
    sampler = IntegerGaussian(Decimal("17.5"), ChaChaStream(KEY))
    monkeypatch.setattr(np, "exp", np.ones_like)  # every draw of a block is kept
    assert chi_square(sampler.draw(400_001), discrete_cell(17.5), 17.5) < FALSE_ALARM


def test_the_check_of_the_samplers_notices_ten_per_cent_less_noise():
    draws = IntegerGaussian(Decimal("3.15"), ChaChaStream(KEY)).draw(200_000)
    assert chi_square(draws, discrete_cell(3.5), 3.5) < FALSE_ALARM


@pytest.mark.parametrize("sigma", ["5099.52", "5221908.48", "314572.8", "1048576000000"])
def test_mean_deviation_and_independence_at_the_sigma_of_a_study(sigma):
    n = 200_000
    draws = IntegerGaussian(Decimal(sigma), ChaChaStream(KEY)).draw(n).astype(float) / float(sigma)
    z = stats.norm.isf(FALSE_ALARM / 2)
    assert abs(draws.mean()) < z / math.sqrt(n)
    assert abs(draws.std() - 1) < z / math.sqrt(2 * n)
    for lag in (1, n // 2):
        assert abs((draws[:-lag] * draws[lag:]).mean()) < z / math.sqrt(n - lag)
    assert abs(draws).max() <= gaussian_tail_multiplier(n, FALSE_ALARM)
    assert stats.kstest(draws, "norm").pvalue > FALSE_ALARM


@pytest.mark.parametrize("noise_multiplier", ["0.3", "1", "4.98", "1000000"])
def test_a_steps_blocks_are_narrow_and_few_draws_are_made_again(noise_multiplier):
    sigma = Decimal(noise_multiplier) * (1 << 20)
    sampler = IntegerGaussian(sigma, ChaChaStream(KEY))
    assert sigma / 1024 <= sampler.block <= sigma / 512
    _, kept = sampler._tried(100_000)
    assert kept.mean() > 0.998
    # the low bits are those of a uniform integer within a block
    low = sampler.draw(100_000) % 16
    assert stats.chisquare(np.bincount(low, minlength=16)).pvalue > FALSE_ALARM


def test_a_draw_that_is_not_kept_is_made_again(small_blocks):
    class Source:
        """The first attempt: the largest entry, the last integer of its block, a word above the
        ratio; then all zeros.
        """

        first = True

        def __call__(self, size):
            if size == 8 and self.first:
                return b"\xff" * 8
            self.first = False
            return bytes(size)

    assert IntegerGaussian(Decimal(40), Source()).draw(1).tolist() == [0]


def test_zero_has_one_sign(small_blocks):
    parts = iter([bytes(8), bytes(8), bytes(8), b"\x80", bytes(8), bytes(8), bytes(8), b"\x00"])
    assert IntegerGaussian(Decimal(40), lambda _: next(parts)).draw(1).tolist() == [0]
    assert next(parts, None) is None


def test_the_table_is_the_distribution_to_100_bits():
    sigma = Decimal("2.5")
    getcontext().prec = 80
    weights = [(-Decimal(k * k) / (2 * sigma * sigma)).exp() for k in range(60)]
    total = weights[0] + 2 * sum(weights[1:])
    running = Decimal(0)
    for k, threshold in enumerate(noise._cumulative(sigma, mirrored=True)):
        running += weights[k] * (1 if k == 0 else 2)
        assert abs(Decimal(threshold) / Decimal(2**128) - running / total) < Decimal(2) ** -120


def test_a_word_on_a_threshold_is_decided_by_64_more_bits():
    table = noise._cumulative(Decimal(2), mirrored=True)
    upper, lower = divmod(table[0], 1 << 64)
    for extra, magnitude in ((lower - 1, 0), (lower, 1)):
        parts = iter([upper.to_bytes(8, "little"), extra.to_bytes(8, "little"), b"\x00"])
        assert IntegerGaussian(Decimal(2), lambda _, p=parts: next(p)).draw(1).tolist() == [
            magnitude
        ]


def test_signs_are_their_own_bit():
    words = [(2**63).to_bytes(8, "little") * 2, b"\x40"]
    parts = iter(words)
    positive, negative = IntegerGaussian(Decimal(50), lambda _: next(parts)).draw(2).tolist()
    assert positive == -negative > 0


@pytest.mark.parametrize("sigma", ["1.99", "0", "-3", "NaN", "Infinity"])
def test_less_noise_than_two_grid_units_is_refused(sigma):
    with pytest.raises(StudyError, match="grid units"):
        IntegerGaussian(Decimal(sigma), ChaChaStream(KEY))


def test_a_float_sigma_is_refused():
    with pytest.raises(StudyError):
        IntegerGaussian(5.0, ChaChaStream(KEY))


def test_noise_is_fresh_every_time():
    sampler = IntegerGaussian(Decimal(5000), SystemRandomness())
    assert (sampler.draw(100) != sampler.draw(100)).any()
    assert sampler.draw(0).shape == (0,)


@pytest.mark.parametrize("rate", ["1/5", "1/120", "999/1000", "1/2", "1"])
def test_patients_are_drawn_with_exactly_the_rate(rate):
    n = 200_000
    chosen = poisson_sample(n, Fraction(rate), ChaChaStream(KEY))
    assert chosen.dtype == np.bool_
    assert chosen.shape == (n,)
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], n, float(Fraction(rate)))
    assert low <= chosen.sum() <= high


def test_the_check_of_the_rate_notices_a_wrong_one():
    n = 200_000
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], n, 0.2)
    assert not low <= poisson_sample(n, Fraction(21, 100), ChaChaStream(KEY)).sum() <= high


def test_patients_are_drawn_independently_and_empty_batches_happen():
    source = ChaChaStream(KEY)
    batches = np.array([poisson_sample(120, Fraction(1, 120), source) for _ in range(2000)])
    sizes = batches.sum(axis=1)
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], 2000, (1 - 1 / 120) ** 120)
    assert low <= (sizes == 0).sum() <= high
    assert poisson_sample(0, Fraction(1, 5), source).shape == (0,)


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(6, 5), 0.2, Fraction(1, (1 << 63) + 1)])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(UsageError, match="sampling rate"):
        poisson_sample(10, rate, ChaChaStream(KEY))


def test_the_tail_bound_covers_the_whole_study():
    for draws in (1, 1000, 10**9):
        t = gaussian_tail_multiplier(draws)
        assert draws * 2 * stats.norm.sf(t) <= 2.0**-40
    assert gaussian_tail_multiplier(0) == gaussian_tail_multiplier(1)


@pytest.mark.parametrize("value", [0, 1, 3, 7, -1, -3, -8, 10**9])
def test_rounding_by_lot_is_right_on_average_to_the_last_unit(value):
    step, n = 7, 70_000
    rounded = stochastic_quotient(np.full(n, value, dtype=np.int64), step, ChaChaStream(KEY))
    assert set(rounded.tolist()) <= {value // step, -(-value // step)}
    low, high = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], n, (value % step) / step)
    assert low <= (rounded - value // step).sum() <= high


def test_a_step_of_one_changes_nothing():
    values = np.array([-5, 0, 3, 1 << 61])
    assert stochastic_quotient(values, 1, ChaChaStream(KEY)).tolist() == values.tolist()


def test_the_check_of_rounding_notices_a_rounding_to_the_nearest():
    low, _ = stats.binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], 70_000, 3 / 7)
    assert np.rint(np.full(70_000, 3) / 7).sum() < low
