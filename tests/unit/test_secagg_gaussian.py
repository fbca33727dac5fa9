"""Samples for keys and errors: from the exact table, the same work for each, and really of that
distribution.
"""

import math
from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from securefl.secagg import gaussian
from securefl.secagg.gaussian import LARGEST, SIGMA, gaussian_samples, thresholds


@cache
def exact_probabilities():
    """P(|X| = k) of the whole discrete Gaussian, worked out apart from the product, in 60 digits."""
    with localcontext(prec=60):
        masses = [(-(Decimal(k) ** 2) / (2 * SIGMA**2)).exp() * (2 if k else 1) for k in range(200)]
        total = sum(masses)
        return [m / total for m in masses]


def test_the_table_is_the_exact_distribution_to_its_last_bit_but_one():
    running = Decimal(0)
    with localcontext(prec=60):
        for k, threshold in enumerate(thresholds()):
            running += exact_probabilities()[k]
            assert abs(Decimal(threshold) / 2**128 - running) < Decimal(2) ** -126


def test_what_is_cut_off_and_what_the_table_rounds_lie_below_two_to_the_minus_120():
    exact = exact_probabilities()
    edges = [0, *thresholds(), 1 << 128]
    with localcontext(prec=60):
        mine = [Decimal(b - a) / 2**128 for a, b in pairwise(edges)]
        distance = sum(abs(a - b) for a, b in zip(mine, exact, strict=False)) / 2 + sum(
            exact[len(mine) :]
        )
    assert distance < Decimal(2) ** -120


@pytest.mark.parametrize("seed", [0, 1])
def test_samples_follow_it(seed):
    count = 400_000
    samples = gaussian_samples(count, np.random.default_rng(seed).bytes)
    assert samples.dtype == np.int64
    probabilities = [float(p) for p in exact_probabilities()]
    outer = 18  # fewer than 30 are expected beyond it
    seen = [np.count_nonzero(samples == 0)]
    expected = [probabilities[0] * count]
    for k in range(1, outer):
        for sign in (1, -1):
            seen.append(np.count_nonzero(samples == sign * k))
            expected.append(probabilities[k] * count / 2)
    seen.append(count - sum(seen))
    expected.append(count - sum(expected))
    assert stats.chisquare(seen, expected).pvalue > 1e-4
    assert abs(samples.std() - float(SIGMA)) < 0.03


def test_half_the_variance_is_still_that_of_the_customary_width():
    """What is left of an honest pair when the sums of keys and errors are known (Hint-RLWE)."""
    assert float(SIGMA) / math.sqrt(2) >= 3.2


def test_the_operating_system_is_asked_for_fresh_bytes_each_time():
    assert not np.array_equal(gaussian_samples(64), gaussian_samples(64))


def test_the_control_constant_bytes_give_constant_samples():
    first, second = (gaussian_samples(64, bytes) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(first, np.zeros(64))


def test_nothing_is_larger_than_the_largest():
    samples = gaussian_samples(64, lambda n: b"\xff" * n)
    assert set(samples.tolist()) == {-LARGEST}


@pytest.mark.parametrize("k", [0, 1, 7, 40])
@pytest.mark.parametrize("below", [0, 1])
def test_a_word_that_equals_a_threshold_is_decided_by_its_lower_half(k, below):
    """P(|X| <= k) ends inside that word: with a lower half below the threshold's the sample is k,
    else k + 1.
    """
    threshold = thresholds()[k]
    upper, lower = divmod(threshold, 1 << 64)
    answers = [(upper).to_bytes(8, "little"), b"\x00", (lower - below).to_bytes(8, "little")]
    sample = gaussian_samples(1, lambda n: answers.pop(0)[:n])
    assert sample.tolist() == [k if below else k + 1]
    assert not answers


def test_every_threshold_is_compared_with_for_every_word(monkeypatch):
    """The work does not depend on what is drawn: counted, not timed."""
    compared = []

    class Counted:
        @staticmethod
        def greater(words, upper, out):
            compared.append(words.size)
            return np.greater(words, upper, out=out)

        def __getattr__(self, name):
            return getattr(np, name)

    monkeypatch.setattr(gaussian, "np", Counted())
    for word in (b"\x00", b"\x80", b"\xfe"):
        compared.clear()
        gaussian_samples(100, lambda n, w=word: w * n)
        assert compared == [100] * len(gaussian._upper_thresholds())
