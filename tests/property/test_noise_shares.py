"""Shares of integer noise against exact distributions: what their sum is, and what it promises."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securefl.privacy.accounting import NANO, pld_epsilon, rdp_cost, rdp_epsilon
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian, alone
from securefl.privacy.noise import IntegerGaussian
from securefl.privacy.randomness import ChaChaStream
from securefl.study.noise_shares import NoiseShares, least_share, most_apart

DELTA = Decimal("1e-5")


def masses(sigma, half):
    """Chances of -half .. half under the discrete Gaussian, float64[2 half + 1]."""
    weights = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def summed(share, hospitals, half):
    """Chances of the sum of so many shares, exact up to float64."""
    one = masses(share, half)
    found = one
    for _ in range(hospitals - 1):
        found = np.convolve(found, one)
    return found


def delta_at(chances, epsilon, shift=1):
    """The delta at which whoever sees the noised count tells ``shift`` patients at this epsilon."""
    one = np.concatenate([chances, np.zeros(shift)])
    other = np.concatenate([np.zeros(shift), chances])
    return np.maximum(one - math.exp(epsilon) * other, 0).sum()


def apart(share, hospitals):
    """Largest logarithm of a ratio between the sum of shares and the noise that is charged."""
    half = 40
    found = summed(share, hospitals, half)
    charged = masses(share * math.sqrt(hospitals), hospitals * half)
    bulk = charged > 1e-9  # beyond it float64's sums are not exact enough to compare
    return np.abs(np.log(found[bulk] / charged[bulk])).max()


@pytest.mark.parametrize(("share", "hospitals"), [(1.0, 2), (1.0, 5), (1.1, 3), (1.3, 9)])
def test_a_sum_of_shares_is_within_the_bound_of_the_noise_that_is_charged(share, hospitals):
    assert apart(share, hospitals) <= most_apart(share, hospitals)


def test_the_bound_is_not_idle():
    assert apart(1.0, 2) > most_apart(1.0, 2) / 5


@pytest.mark.parametrize("step", [2, 3, 5])
def test_remainders_of_the_rounding_tell_nothing_beside_the_sum(step):
    """Two hospitals' noise, in steps: the joint chance of a remainder and of the sum."""
    sigma, half = 1.0 * step, 12 * step
    one = masses(sigma, half)
    values = np.arange(-half, half + 1)
    charged = masses(sigma * math.sqrt(2), 2 * half)
    worst = 0.0
    for remainder in range(step):
        first = np.where(values % step == remainder, one, 0.0)
        joint = np.convolve(first, one)
        bulk = charged > 1e-9
        worst = max(worst, np.abs(np.log(joint[bulk] * step / charged[bulk])).max())
    assert worst <= most_apart(1.0, 2)


def test_control_remainders_of_shares_finer_than_a_step_tell_of_one():
    """With a share of a sixth of a step the remainder alone is far from uniform."""
    step, half = 6, 30
    one = masses(1.0, half)
    values = np.arange(-half, half + 1)
    chances = [one[values % step == remainder].sum() for remainder in range(step)]
    assert max(chances) > 3 * min(chances)


@pytest.mark.parametrize("shares", [2, 3, 4])
def test_the_charged_epsilon_holds_for_the_sum_of_shares(shares):
    noise = Decimal("4.5")
    epsilon = float(pld_epsilon([Gaussian(noise, shares=shares)], DELTA))
    share = float(NoiseShares(shares).each(noise))
    assert share >= least_share(1)
    assert delta_at(summed(share, shares, 70), epsilon) <= float(DELTA)
    # tight: a little less epsilon would not hold
    assert delta_at(summed(share, shares, 70), epsilon - 0.01) > float(DELTA)


@pytest.mark.parametrize("shares", [2, 3, 4])
def test_control_shares_for_more_hospitals_than_are_honest_break_the_epsilon(shares):
    """The noise is divided over one hospital more, which colludes and takes its share off."""
    noise = Decimal("4.5")
    epsilon = float(pld_epsilon([Gaussian(noise, shares=shares)], DELTA))
    share = float(NoiseShares(shares + 1).each(noise))
    assert delta_at(summed(share, shares, 70), epsilon) > 2 * float(DELTA)


@pytest.mark.parametrize("shares", [2, 5])
def test_one_share_alone_promises_what_the_page_says(shares):
    noise = Decimal(6)
    share = float(NoiseShares(shares).each(noise))
    epsilon = float(pld_epsilon([alone(Gaussian(noise, shares=shares))], DELTA))
    assert (
        delta_at(masses(share, 60), epsilon)
        <= float(DELTA)
        < delta_at(masses(share, 60), float(pld_epsilon([Gaussian(noise, shares=shares)], DELTA)))
    )


def test_the_sum_of_drawn_shares_has_the_charged_noise():
    """Real draws of the sampler that a step uses, above the size of its table."""
    noise, shares, size = Decimal(60_000), NoiseShares(3), 40_000
    total = np.zeros(size, dtype=np.int64)
    for hospital in range(3):
        source = ChaChaStream(bytes([hospital + 1]) * 32)
        total += IntegerGaussian(shares.each(noise), source).draw(size)
    # a variance of so many draws errs by a part of sqrt(2 / size) = .7 % in one deviation
    part = total.astype(np.float64).var() / float(noise) ** 2
    assert abs(part - 1) < 5 * math.sqrt(2 / size)
    fourth = (total / float(noise)) ** 4
    assert abs(fourth.mean() - 3) < 5 * math.sqrt(96 / size)


@given(
    st.decimals("0.5", "1000", places=2),
    st.integers(2, 200),
)
def test_shares_are_never_too_small_and_hardly_too_large(noise, count):
    each = NoiseShares(count).each(noise)
    whole = each * each * count
    assert noise * noise <= whole
    assert float(whole) <= float(noise * noise) * (1 + 1e-3)
    assert alone(Gaussian(noise, shares=count)).noise_multiplier <= each


@given(st.integers(2, 100), st.integers(2, 40))
def test_shared_noise_is_charged_more_than_the_same_noise_at_one_hospital(shares, order):
    single = SubsampledGaussian(Decimal(5), Fraction(1, 5), 40)
    shared = SubsampledGaussian(Decimal(5), Fraction(1, 5), 40, shares)
    assert rdp_cost(shared, order) == rdp_cost(single, order) + 1
    assert rdp_epsilon([shared], DELTA) >= rdp_epsilon([single], DELTA)


@pytest.mark.parametrize("numbers", [1, 1000, 10**6, 10**9, 10**15])
def test_what_a_release_lacks_is_below_what_is_charged_for_it(numbers):
    share = least_share(numbers)
    assert 3 * numbers * most_apart(share, 10_000) * NANO <= 1
    assert share <= 3
