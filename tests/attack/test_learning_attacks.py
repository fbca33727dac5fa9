"""Attacks on the noised step, each with a control in which the same attack succeeds.

Noise is off in most of them: what is tested is that one patient's influence is bounded before the
noise, because the noise is sized for that bound.
"""

import numpy as np
import pytest
from binary_models import logistic_gradients
from small_study import FixedDraws, rows, rule

from securefl.learning.clipping import clip_to_grid
from securefl.learning.steps import PrivateSteps, RandomDraws
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.privacy.randomness import SystemRandomness

GRID = rule().grid


def influence(update, x, y, patient):
    """How far one patient moves the un-noised sum, in clip norms."""
    keep = np.delete(np.arange(len(y)), patient)
    return np.linalg.norm((update(x, y) - update(x[keep], y[keep])).astype(float)) / GRID


def product_step(theta, gradients=logistic_gradients):
    return lambda x, y: PrivateSteps(rule(), gradients, x, y, FixedDraws()).noised_steps(theta)


def poisoned():
    """Rows of which the first was made to have a gradient as large as the ranges allow."""
    x, y = rows(n=96, features=1000)
    x[0], y[0] = 1.0, 1
    theta = np.zeros(1001)
    theta[:1000] = -1.0
    return x, y, theta


def test_one_patient_never_moves_the_sum_by_more_than_the_clip_norm():
    x, y, theta = poisoned()
    assert influence(product_step(theta), x, y, 0) <= 1.0


def test_control_without_clipping_the_same_patient_moves_it_many_times_as_far():
    x, y, theta = poisoned()

    def unclipped(rows_x, rows_y):
        return np.trunc(
            logistic_gradients(theta, rows_x.astype(float), rows_y.astype(float)) * GRID
        ).sum(axis=0)

    assert influence(unclipped, x, y, 0) > 20


def test_an_exploding_gradient_function_cannot_move_the_sum_further():
    x, y = rows(n=20)

    def exploding(theta, block_x, block_y):
        gradients = logistic_gradients(theta, block_x, block_y)
        gradients[block_x[:, 0] > 0] *= 1e300
        gradients[block_x[:, 1] > 0.5] = np.inf
        gradients[block_x[:, 2] > 0.5] = np.nan
        return gradients

    step = product_step(np.ones(5), exploding)
    assert max(influence(step, x, y, i) for i in range(20)) <= 1.0


def test_the_row_count_cannot_be_read_from_the_size_of_a_patients_share():
    # the same patient counts the same in 97 rows as in 96, because nothing divides by the number of
    # rows
    x, y = rows(n=97)
    step = product_step(np.full(5, 0.2))
    alone = step(x[:1], y[:1])
    for n in (96, 97):
        np.testing.assert_array_equal(step(x[:n], y[:n]) - step(x[1:n], y[1:n]), alone)


def test_control_a_normaliser_from_the_data_tells_96_rows_from_97():
    x, y = rows(n=97)

    def normalised_by_length(rows_x, rows_y):
        return clip_to_grid(
            logistic_gradients(np.full(5, 0.2), rows_x.astype(float), rows_y.astype(float)),
            1.0,
            GRID,
        ).sum(axis=0) / len(rows_y)

    alone = normalised_by_length(x[:1], y[:1])
    shares = [
        normalised_by_length(x[:n], y[:n]) - normalised_by_length(x[1:n], y[1:n]) * (n - 1) / n
        for n in (96, 97)
    ]
    np.testing.assert_allclose(shares[0] * 96, alone)
    assert np.abs(shares[0] - shares[1]).max() > 0


def test_control_scaling_by_the_data_moves_the_sum_by_many_clip_norms():
    generator = np.random.default_rng(0)
    x = generator.uniform(-0.01, 0.01, (400, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int8)
    x[0] = 1.0  # one patient far from the others sets the scale for all
    step = product_step(np.full(5, 0.2))

    def standardised(rows_x, rows_y):
        return step(
            ((rows_x - rows_x.mean(axis=0)) / rows_x.std(axis=0)).astype(np.float32), rows_y
        )

    assert influence(standardised, x, y, 0) > 10
    assert influence(step, x, y, 0) <= 1.0


def cosine(update, record):
    return abs(update[:-1] @ record) / (
        np.linalg.norm(update[:-1]) * np.linalg.norm(record) + 1e-30
    )


def test_a_record_cannot_be_read_back_from_an_update_of_one_patient():
    x, y = rows(n=1, features=500)
    draws = RandomDraws(SystemRandomness())

    class Always(RandomDraws):
        def poisson_sample(self, n, rate):
            return np.ones(n, dtype=bool)

    draws = Always(SystemRandomness())
    theta = np.zeros(501)
    found = [
        cosine(
            PrivateSteps(rule(), logistic_gradients, x, y, draws).noised_steps(theta).astype(float),
            x[0],
        )
        for _ in range(20)
    ]
    assert (
        np.mean(found) < 0.15
    )  # chance is about 0.04; a signal of 1 clip norm under noise of 2.14 in 501 dimensions


def test_control_without_noise_the_record_is_the_update():
    x, y = rows(n=1, features=500)
    assert cosine(product_step(np.zeros(501))(x, y).astype(float), x[0]) > 0.9


def membership_auc(draws, trials=600):
    """How well the sum's projection on one patient's own gradient tells whether the patient was in
    the batch.
    """
    x, y = rows(n=40)
    theta = np.full(5, 2.0)
    direction = clip_to_grid(
        logistic_gradients(theta, x[:1].astype(float), y[:1].astype(float)), 0.1, GRID
    )[0].astype(float)
    inside, outside = (
        [
            float(
                PrivateSteps(
                    rule(clip_norm=0.1), logistic_gradients, x[start:], y[start:], draws
                ).noised_steps(theta)
                @ direction
            )
            for _ in range(trials)
        ]
        for start in (0, 1)
    )
    return exact_auc(np.repeat([1, 0], trials), np.array(inside + outside))


class EverybodyDrawn(RandomDraws):
    """Real noise, no sampling: the strongest case for the attacker."""

    def poisson_sample(self, n, rate):
        return np.ones(n, dtype=bool)


def test_membership_in_one_step_is_told_no_better_than_the_noise_allows():
    # two Gaussians one clip norm apart, deviation 2.14: AUC is Phi(1 / (2.14 sqrt 2)) = 0.629,
    # and 600 trials give it within 0.016
    assert membership_auc(EverybodyDrawn(SystemRandomness())) < 0.629 + 5 * 0.016


def test_control_without_noise_membership_is_certain():
    assert membership_auc(FixedDraws(), trials=5) == 1.0


@pytest.mark.parametrize("value", ["NaN", "inf", "1e999", "-inf"])
def test_a_poisoned_value_never_reaches_the_model(value):
    from small_study import SPEC, csv

    from securefl.learning.features import prepare
    from securefl.learning.table import read_table

    prepared = prepare(
        read_table(csv(f"p1,{value},1,F,f,-", f"p2,30,{value},F,f,-", "p3,30,1,F,f,E")),
        SPEC,
        b"s" * 32,
    )
    assert np.isfinite(prepared.X).all()
    update = PrivateSteps(
        rule(), logistic_gradients, prepared.X, prepared.y, FixedDraws()
    ).noised_steps(np.zeros(7))
    assert np.linalg.norm(update) <= len(prepared.y) * GRID
