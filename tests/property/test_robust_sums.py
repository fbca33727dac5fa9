"""Robust means of group sums: honest groups decide, whatever a minority sends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securefl.errors import RoundError
from securefl.learning.robust_sums import combined, trimmed_away

LARGEST = 1 << 23


@st.composite
def groups(draw):
    """Sums of groups, their sizes, and which of them are poisoned: fewer than half."""
    count = draw(st.integers(3, 9))
    sizes = draw(st.lists(st.integers(3, 7), min_size=count, max_size=count))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    totals = [generator.integers(-2000, 2000, 20) * size for size in sizes]
    poisoned = draw(st.integers(0, (count - 1) // 2))
    for place in range(poisoned):
        totals[place] = generator.choice([-LARGEST, LARGEST], 20) * sizes[place]
    return totals, sizes, poisoned


def mean_of(totals, sizes, keep):
    return np.array([totals[place] / sizes[place] for place in keep])


@settings(max_examples=60)
@given(groups())
def test_the_median_lies_between_sound_groups(given_groups):
    totals, sizes, poisoned = given_groups
    found = combined(totals, sizes, "median") / sum(sizes)
    sound = mean_of(totals, sizes, range(poisoned, len(sizes)))
    slack = 1 / sum(sizes)
    assert (found >= sound.min(axis=0) - slack).all()
    assert (found <= sound.max(axis=0) + slack).all()


@settings(max_examples=60)
@given(groups())
def test_the_trimmed_mean_withstands_as_many_groups_as_it_leaves_out(given_groups):
    totals, sizes, poisoned = given_groups
    if poisoned > trimmed_away(len(sizes), "trimmed"):
        return
    found = combined(totals, sizes, "trimmed") / sum(sizes)
    sound = mean_of(totals, sizes, range(poisoned, len(sizes)))
    slack = 1 / sum(sizes)
    assert (found >= sound.min(axis=0) - slack).all()
    assert (found <= sound.max(axis=0) + slack).all()


def test_control_the_mean_follows_a_single_group():
    totals = [np.array([LARGEST]), np.array([10]), np.array([20])]
    assert combined(totals, [3, 3, 3], "mean")[0] > LARGEST // 2
    assert combined(totals, [3, 3, 3], "median")[0] == 60


@settings(max_examples=30)
@given(groups(), st.randoms())
def test_order_does_not_matter_and_equal_groups_are_kept_exactly(given_groups, random):
    totals, sizes, _ = given_groups
    order = list(range(len(sizes)))
    random.shuffle(order)
    for rule in ("mean", "median", "trimmed"):
        turned = combined([totals[n] for n in order], [sizes[n] for n in order], rule)
        np.testing.assert_array_equal(turned, combined(totals, sizes, rule))
        same = [np.arange(-5, 5) * size for size in sizes]
        np.testing.assert_array_equal(combined(same, sizes, rule), np.arange(-5, 5) * sum(sizes))


@pytest.mark.parametrize(
    ("totals", "sizes", "rule"),
    [
        ([], [], "median"),
        ([np.zeros(2, dtype=np.int64)] * 2, [3, 3], "median"),
        ([np.zeros(2, dtype=np.int64)] * 3, [3, 3], "median"),
        ([np.zeros(2, dtype=np.int64)] * 2 + [np.zeros(3, dtype=np.int64)], [3, 3, 3], "median"),
        ([np.full(2, 1 << 60)] * 3, [3, 3, 3], "median"),
    ],
)
def test_sums_that_do_not_fit_are_refused(totals, sizes, rule):
    with pytest.raises(RoundError):
        combined(totals, sizes, rule)


@pytest.mark.parametrize(
    ("groups", "rule", "factor"),
    [(3, "mean", 1.0), (3, "median", 1.35), (5, "median", 1.43), (5, "trimmed", 1.13)],
)
def test_robust_means_hold_so_much_more_noise_than_one_sum(groups, rule, factor):
    noise = np.rint(np.random.default_rng(1).normal(0, 1000, (groups, 100_000))).astype(np.int64)
    found = combined(list(noise), [3] * groups, rule)
    assert found.var() / (groups * 1000**2) == pytest.approx(factor, abs=0.02)
