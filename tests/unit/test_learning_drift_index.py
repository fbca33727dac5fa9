"""The population stability index of a column, and what of it chance explains."""

import math

import numpy as np
import pytest

from securefl.learning.drift_index import FAR, MOVED, stability

BANDS = 10


def counts(rng, rows, mean=0.0):
    """Normal values in ten bands of -3 to 3; what lies outside is in the outer ones."""
    values = np.clip(rng.normal(mean, 1, rows), -2.999, 2.999)
    return np.histogram(values, bins=BANDS, range=(-3, 3))[0].tolist()


def test_the_index_is_the_published_formula():
    then, now = [400, 300, 300], [200, 300, 500]
    p, q = np.array(then) / 1000, np.array(now) / 1000
    by_hand = float(((p - q) * np.log(p / q)).sum())
    assert stability("x", then, now).index == pytest.approx(by_hand, rel=0.01)


@pytest.mark.parametrize("rows", [1, 10, 40, 300])
def test_rows_of_the_same_kind_raise_no_alarm_however_few(rows):
    rng = np.random.default_rng(5)
    found = [stability("x", counts(rng, 400), counts(rng, rows)) for _ in range(300)]
    assert sum(one.moved for one in found) <= 3
    if rows <= 40:
        # the index alone, as it is usually read, would have
        assert sum(one.index > MOVED for one in found) > 150


def test_chance_is_as_large_as_the_paper_says():
    rng = np.random.default_rng(6)
    found = [stability("x", counts(rng, 4000), counts(rng, 1000)).index for _ in range(300)]
    freedom = BANDS - 1
    expected = (1 / 4000 + 1 / 1000) * freedom
    assert np.mean(found) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize(("mean", "state"), [(0.4, "moved"), (1.0, "moved far")])
def test_a_shift_is_seen(mean, state):
    rng = np.random.default_rng(7)
    found = [stability("x", counts(rng, 800), counts(rng, 500, mean)) for _ in range(100)]
    assert sum(one.moved for one in found) >= 95
    assert sum(one.state == state for one in found) >= 80


def test_a_band_that_is_empty_in_one_of_the_two_gives_a_number():
    found = stability("x", [500, 0], [0, 500])
    assert math.isfinite(found.index)
    assert found.index > FAR
    assert not stability("x", [0, 0], [3, 4]).moved
