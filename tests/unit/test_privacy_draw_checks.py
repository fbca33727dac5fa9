"""Tests of releases: sound ones pass, and each fault is convicted by the test that is for it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from securefl.privacy.draw_checks import Draws, draw_faults, noise_faults
from securefl.privacy.worker_answers import (
    Answers,
    broken_answers,
    judge_answers,
    judge_with_controls,
)

STEPS, RATE, WEIGHT = 4, 0.25, 0.7


def normal(seed=0, shape=(40, 200)):
    return np.random.default_rng(seed).normal(size=shape)


def drawn(batches, seed=1):
    """Releases in which these are how often each patient was drawn, int[releases, patients]."""
    generator = np.random.default_rng(seed)
    values = -WEIGHT * batches + generator.normal(0, math.sqrt(STEPS), batches.shape)
    totals = -WEIGHT * batches.sum(axis=1) + generator.normal(0, math.sqrt(STEPS), len(batches))
    return Draws(values, totals, WEIGHT, RATE, STEPS)


def batches(rate=RATE, seed=2):
    return np.random.default_rng(seed).binomial(STEPS, rate, (40, 200))


@pytest.mark.parametrize("seed", range(30))
def test_sound_releases_pass(seed):
    assert noise_faults(normal(seed)) == {}
    assert noise_faults(normal(seed, (40, 2))) == {}
    assert draw_faults(drawn(batches(seed=seed), seed)) == {}


@pytest.mark.parametrize(
    ("releases", "name"),
    [
        (normal() + 0.1, "mean"),
        (normal() * 1.1, "deviation"),
        (normal() * 0.9, "deviation"),
        (np.sign(normal()), "shape"),
        (np.random.default_rng(5).uniform(-(3**0.5), 3**0.5, (32, 128)), "tails"),
        (np.repeat(normal(shape=(1, 200)), 40, axis=0), "other releases"),
        (np.repeat(normal(shape=(40, 1)), 200, axis=1), "other values of a release"),
        (
            np.concatenate([normal(shape=(39, 200)), normal(shape=(39, 200))[5:6]]),
            "one other release",
        ),
        (
            np.concatenate([normal(shape=(39, 200)), np.roll(normal(shape=(39, 200))[38:], 17)]),
            "other releases, moved on",
        ),
        (
            np.concatenate([normal(shape=(39, 200)), -normal(shape=(39, 200))[5:6]]),
            "one other release",
        ),
        (np.full((40, 200), np.nan), "mean"),
    ],
)
def test_each_fault_of_the_noise_is_convicted(releases, name):
    assert name in noise_faults(releases)


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        (batches(rate=0.3), "rate"),
        (np.full((40, 200), STEPS), "rate"),
        (STEPS * np.random.default_rng(3).binomial(1, RATE, (40, 200)), "steps of a round"),
        (
            np.repeat(STEPS * np.random.default_rng(4).binomial(1, RATE, (1, 200)), 40, axis=0),
            "batches of other releases",
        ),
        (
            np.repeat(np.random.default_rng(5).binomial(STEPS, RATE, (40, 1)), 200, axis=1),
            "other patients",
        ),
    ],
)
def test_each_fault_of_the_choice_of_patients_is_convicted(chosen, name):
    assert name in draw_faults(drawn(chosen))


def test_a_single_release_shows_nothing_about_others():
    assert noise_faults(normal(shape=(1, 200))) == {}


SOUND = Answers(normal(6, (40, 201)), normal(7, (40, 128)), normal(8, (40, 2)), drawn(batches()))


def test_each_broken_worker_is_convicted_and_a_sound_one_is_not():
    found = judge_with_controls(SOUND, np.random.default_rng(9))
    assert (found.faults, found.missed) == ((), ())
    assert found.deviation == pytest.approx(1, abs=0.05)
    broken = broken_answers(SOUND, np.random.default_rng(10))
    assert len(broken) == 10
    assert all(judge_answers(answers).faults for answers in broken.values())


def test_the_kind_of_release_is_named():
    found = judge_answers(replace(SOUND, histogram=SOUND.histogram / 2))
    assert found.faults == tuple(
        f"noise of the evaluation: {name}" for name in ("deviation", "shape", "tails")
    )


def test_too_few_answers_to_convict_are_said_to_be_so():
    values, totals = SOUND.drawn.values[:2, :4], SOUND.drawn.totals[:2]
    few = Answers(
        SOUND.noise[:2, :4],
        SOUND.histogram[:2, :4],
        SOUND.count[:2],
        Draws(values, totals, WEIGHT, RATE, STEPS),
    )
    found = judge_with_controls(few, np.random.default_rng(11))
    assert "the same noise at every count" in found.missed
