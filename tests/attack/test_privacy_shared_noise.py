"""Hospitals that work together take their own shares of the noise off a sum: what is left must
still be the noise that was promised.
"""

import math

import numpy as np
import pytest
from shared_noise import noise_of, promised, shared_study

from securefl.learning.steps import RandomDraws
from securefl.privacy.randomness import SystemRandomness

ROUNDS = 600


@pytest.fixture(scope="module")
def sent():
    """Each hospital's noise over many rounds, in a study with one colluder declared."""
    study = shared_study(least=4, colluders=1)
    draws = RandomDraws(SystemRandomness())
    return {site: noise_of(study, site, draws, ROUNDS) for site in study.cohort}


def rest(sent, without):
    """Noise in the sum once those who work together have taken their own off, and its error."""
    left = sum(sent.values()) - sum(sent[site] for site in without)
    return left.var(), 5 * math.sqrt(2 / left.size)


def keeps_its_promise(sent, without):
    variance, error = rest(sent, without)
    return variance >= promised(shared_study()) * (1 - error)


def test_one_of_a_full_sum_takes_its_share_off_and_the_promise_holds(sent):
    for site in sent:
        assert keeps_its_promise(sent, [site])


def test_after_the_loss_that_the_study_allows_one_colluder_faces_exactly_the_promise(sent):
    lost, colluding, *_ = sent
    variance, error = rest(sent, [lost, colluding])
    assert abs(variance / promised(shared_study()) - 1) <= error


def test_control_two_colluders_where_one_was_declared_face_less(sent):
    lost, *colluding = list(sent)[:3]
    variance, error = rest(sent, [lost, *colluding])
    assert not keeps_its_promise(sent, [lost, *colluding])
    assert abs(variance / promised(shared_study()) - 2 / 3) <= error


def test_control_a_hospital_that_adds_no_share_is_as_a_colluder(sent):
    lost, colluding, idle, *_ = sent
    silent = {**sent, idle: np.zeros_like(sent[idle])}
    assert not keeps_its_promise(silent, [lost, colluding])
    # within what the study allows it is one of the colluders
    assert keeps_its_promise(silent, [lost])


def test_a_study_that_declares_two_is_safe_from_two():
    study = shared_study(least=4, colluders=2)
    draws = RandomDraws(SystemRandomness())
    sent = {site: noise_of(study, site, draws, ROUNDS) for site in study.cohort}
    assert keeps_its_promise(sent, list(sent)[:3])
