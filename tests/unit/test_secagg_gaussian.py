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
    # Outside the precise context: the table brings its own precision.
    table = thresholds.__wrapped__()
    assert table == thresholds()
    with localcontext(prec=60):
        for k, threshold in enumerate(table):
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


def test_the_table_is_cut_at_fourteen_standard_deviations():
    assert Decimal("4.6") == SIGMA
    assert LARGEST == 65 == math.ceil(14 * SIGMA)
    with localcontext(prec=60):
        assert Decimal(2) ** -139 > sum(exact_probabilities()[LARGEST + 1 :])
    # The last threshold below 2^128 decides between 64 and 65.
    assert len(thresholds()) == LARGEST


def test_the_control_a_table_of_64_bits_is_farther_from_it_than_that():
    exact = exact_probabilities()
    edges = [0, *((t >> 64) << 64 for t in thresholds()), 1 << 128]
    with localcontext(prec=60):
        mine = [Decimal(b - a) / 2**128 for a, b in pairwise(edges)]
        distance = sum(abs(a - b) for a, b in zip(mine, exact, strict=False)) / 2
    assert distance > Decimal(2) ** -66


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

    def draw(count):
        assert len(answers[0]) == count
        return answers.pop(0)

    sample = gaussian_samples(1, draw)
    assert sample.tolist() == [k if below else k + 1]
    assert not answers


@pytest.mark.parametrize("k", [0, 1, 7, 40])
@pytest.mark.parametrize(("signs", "sign"), [(b"\x00", 1), (b"\x7f", 1), (b"\x80", -1)])
def test_a_word_between_two_thresholds_is_their_magnitude_with_the_drawn_sign(k, signs, sign):
    word = ((thresholds()[k] >> 64) + 1).to_bytes(8, "little")
    sample = gaussian_samples(1, lambda n: word if n == 8 else signs)
    assert sample.tolist() == [sign * (k + 1)]


def test_no_more_is_drawn_than_a_word_and_a_sign_for_each_sample():
    asked = []

    def draw(count):
        asked.append(count)
        return bytes(count)

    for count in (1, 8, 9, 100):
        asked.clear()
        gaussian_samples(count, draw)
        assert asked == [8 * count, math.ceil(count / 8)]


def test_samples_and_signs_are_independent_of_each_other_and_of_their_neighbours():
    samples = gaussian_samples(200_000, np.random.default_rng(3).bytes).astype(float)
    for one, other in (
        (samples[:-1], samples[1:]),
        (np.abs(samples[:-1]), np.abs(samples[1:])),
        (np.sign(samples), np.abs(samples)),
    ):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / math.sqrt(samples.size)


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
