"""A score is called an estimated probability only where the released shares show that it is one."""

from decimal import Decimal

import numpy as np
import pytest
from simulated_evaluations import Setting

from securefl.learning.intervals import share_interval
from securefl.learning.tasks.binary.calibration import (
    CalibrationRow,
    calibration_rows,
    calibration_verdict,
)
from securefl.study.edges import default_edges

EDGES = [float(edge) for edge in default_edges(Decimal("0.1"))]
LARGE = Setting(0.8, 30_000, 270_000)


def rows(setting=LARGE, noise=70.0, odds=1.0):
    """Rows of a calibrated model, or of one whose true odds are ``odds`` times those of its score."""
    negative, positive = setting.expected_counts()
    patients = negative + positive
    share = positive * odds / (positive * odds + negative)
    return calibration_rows(patients * (1 - share), patients * share, noise, EDGES)


def test_a_large_check_of_a_calibrated_model_supports_it():
    found = rows()
    assert calibration_verdict(found) == "supported"
    assert len(found) == 12
    assert all(row.share_low <= row.positive_share <= row.share_high for row in found)


@pytest.mark.parametrize("odds", [0.1, 10.0])
def test_a_score_ten_times_too_low_or_too_high_is_contradicted(odds):
    assert calibration_verdict(rows(odds=odds)) == "contradicted"


def test_a_small_check_cannot_tell_and_reads_bands_together():
    found = rows(Setting(0.8, 100, 900))
    assert calibration_verdict(found) == "cannot-be-told"
    assert len(found) < 12
    assert (found[0].low, found[-1].high) == (0.0, 1.0)


def test_noise_alone_says_nothing():
    found = calibration_rows(np.zeros(12), np.zeros(12), 70.0, EDGES)
    assert [(row.positive_share, row.share_low, row.share_high) for row in found] == [
        (None, 0.0, 1.0)
    ]
    assert calibration_verdict(found) == "cannot-be-told"


def row(low, high, share_low, share_high, bands=1):
    middle = (share_low + share_high) / 2
    return CalibrationRow(
        low, high, 1000.0, share_low, share_high, middle, share_low, share_high, bands
    )


GOOD = [
    row(0, 0.05, 0.01, 0.03),
    row(0.05, 0.1, 0.06, 0.09),
    row(0.1, 0.3, 0.15, 0.2),
    row(0.3, 1, 0.4, 0.5),
]


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (0, row(0, 0.05, 0.01, 0.03, bands=2)),  # a wide outer row
        (1, row(0.05, 0.1, 0.02, 0.09)),  # its interval reaches too low
        (2, row(0.1, 0.3, 0.15, 0.6)),  # too high
        (2, row(0.01, 0.3, 0.15, 0.2)),  # wider than eight times the odds
    ],
)
def test_no_contradiction_is_not_support(place, other):
    assert calibration_verdict(GOOD) == "supported"
    assert calibration_verdict([*GOOD[:place], other, *GOOD[place + 1 :]]) == "cannot-be-told"
    assert calibration_verdict(GOOD[:3]) == "cannot-be-told"


def test_one_share_outside_its_band_contradicts():
    assert calibration_verdict([*GOOD[:3], row(0.3, 1, 0.1, 0.2)]) == "contradicted"


def test_an_interval_of_a_share_covers_it():
    generator = np.random.default_rng(6)
    covered = 0
    for _ in range(1000):
        part, other = (
            generator.poisson(80) + generator.normal(0, 12),
            generator.poisson(320) + generator.normal(0, 12),
        )
        low, high = share_interval(part, part + other, 144.0, 288.0)
        covered += low <= 0.2 <= high
    assert 0.93 <= covered / 1000 <= 0.975
    assert share_interval(5.0, 10.0, 144.0, 288.0) == (0.0, 1.0)
