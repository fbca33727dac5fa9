"""Lengths of opened updates, the noise that ends up in a weight, effects of columns."""

import numpy as np
import pytest
from conftest import make_study
from in_process_federation import sealed_study
from killed_run import KilledStudy

from securefl.federation.kept_totals import KeptTotals
from securefl.learning.effects import linear_effects
from securefl.learning.features import feature_names
from securefl.learning.strategies import strategy_of
from securefl.learning.update_lengths import (
    noise_in_update,
    noise_in_weight,
    trained_weights,
    update_lengths,
)
from securefl.researcher.kept_report import _training, _training_totals
from securefl.study.parse import parse_study
from securefl.study.training import training_of
from securefl.study.wire import sum_unit

STUDY = parse_study(make_study()[0])
SITES = len(STUDY.participants)
SIZE = len(feature_names(STUDY.data)) + 1


def noise_totals(rounds, size, seed=0, part=1.0):
    """Sums of rounds in which nobody taught anything, with ``part`` of the noise."""
    rng = np.random.default_rng(seed)
    sigma = noise_in_update(STUDY, SITES) * sum_unit(STUDY) * part
    return [(np.rint(rng.normal(0, sigma, size)).astype(np.int64), SITES) for _ in range(rounds)]


def test_the_length_of_noise_alone_lies_in_its_band():
    lengths = update_lengths(STUDY, noise_totals(400, SIZE))
    inside = sum(one.low <= one.length <= one.high for one in lengths) / len(lengths)
    assert 0.92 < inside < 0.98


def test_half_the_noise_falls_out_of_the_band_and_a_signal_rises_above_it():
    half = update_lengths(STUDY, noise_totals(50, 200, part=0.5))
    assert sum(one.length < one.low for one in half) > 45
    total, contributors = noise_totals(1, SIZE)[0]
    pulled = total + int(10 * noise_in_update(STUDY, SITES) * sum_unit(STUDY))
    assert update_lengths(STUDY, [(pulled, contributors)])[0].above_noise


def test_the_noise_in_a_weight_is_what_runs_of_noise_alone_leave():
    rounds = training_of(STUDY).rounds
    strategy = strategy_of(training_of(STUDY))
    state = strategy.start(np.zeros(20_000))
    for total, _ in noise_totals(rounds, 20_000):
        state = strategy.absorb(state, total, sum_unit(STUDY))
    assert noise_in_weight(STUDY, SITES) == pytest.approx(state.theta.std(), rel=0.03)


def test_effects_are_told_over_a_columns_range_the_largest_first():
    theta = np.zeros(SIZE)
    names = feature_names(STUDY.data)
    age = names.index("age")
    theta[age] = 1.5
    first = linear_effects(STUDY, theta, 0.1)[0]
    assert first.name.startswith("age: from ")
    assert first.size == 3.0
    assert (first.low, first.high) == pytest.approx((3 - 0.392, 3 + 0.392))


def test_a_report_reads_the_opened_sums_that_the_run_kept(tmp_path):
    kept = KeptTotals(tmp_path / "run" / "totals")
    totals = noise_totals(training_of(STUDY).rounds, SIZE)
    for number, (total, contributors) in enumerate(totals, 1):
        kept.keep(number, total, contributors)
    lengths, effects = _training(STUDY, tmp_path)
    assert len(lengths) == training_of(STUDY).rounds
    assert {effect.size for effect in effects} != {0.0}
    assert trained_weights(STUDY, totals).shape == (SIZE,)
    assert _training(STUDY, tmp_path / "elsewhere") == ([], [])


def test_the_sums_of_a_run_make_its_very_model_again(tmp_path):
    plan = sealed_study(("rounds = 4", "rounds = 2"), ("steps = 4", "steps = 2"))[1]
    run = KilledStudy(plan, tmp_path)
    outcome = run.restarted().run()
    assert len(_training(plan.study, run.lab)[0]) == 2
    totals = _training_totals(plan.study, run.lab)
    assert np.array_equal(trained_weights(plan.study, totals), outcome.theta)
