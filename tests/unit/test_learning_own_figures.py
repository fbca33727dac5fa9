"""Exact figures on the owner's own screen: right, and nothing else than figures."""

import math
from decimal import Decimal

import numpy as np
import pytest

from securefl.learning.tasks.binary.own_figures import Band, figures_of


def test_counts_bands_and_auc_are_exact():
    scores = np.array([0.05, 0.1, 0.2, 0.6, 0.7])
    y = np.array([0, 0, 1, 0, 1], dtype=np.int8)
    found = figures_of(scores, y, [Decimal("0.1"), Decimal("0.5")])
    assert (found.patients, found.positives) == (5, 2)
    assert found.auc == pytest.approx(5 / 6)
    assert found.mean_score == pytest.approx(0.33)
    assert found.bands[0] == Band(
        0.0, 0.1, 1, 0, 0.05
    )  # a score equal to an edge belongs to the bin above it
    assert [(b.patients, b.positives) for b in found.bands] == [(1, 0), (2, 1), (2, 1)]


def test_an_empty_band_and_one_outcome_alone_have_no_figure():
    found = figures_of(np.array([0.7]), np.array([1], dtype=np.int8), [Decimal("0.5")])
    assert math.isnan(found.auc)
    assert math.isnan(found.bands[0].mean_score)
