"""Noise replay: a coordinator that sends another model after a crash must not get the same noise a
second time.

Two releases with the same noise have none in their difference. Noise derived from study and round,
a tempting way to make a restart repeatable, would be exactly that.
"""

import hashlib
import os

import numpy as np
import pytest
from binary_models import logistic_gradients
from ledger_site import approve, digest, keys, new_ledger, send
from small_study import rows, rule

from securefl.errors import NotApprovedError, RoundError
from securefl.learning.steps import PrivateSteps, RandomDraws
from securefl.privacy.ledger import Ledger
from securefl.privacy.noise import IntegerGaussian
from securefl.privacy.randomness import ChaChaStream, SystemRandomness

FEATURES = 200
FIRST, SECOND = np.zeros(FEATURES + 1), np.full(FEATURES + 1, 0.05)


class Everybody(RandomDraws):
    def poisson_sample(self, n, rate):
        return np.ones(n, dtype=bool)


def residual(source):
    """What noise is left in the difference of two answers to the same round, in standard deviations
    of one.
    """
    x, y = rows(60, FEATURES)
    settings = rule()
    answers = [
        PrivateSteps(settings, logistic_gradients, x, y, Everybody(source())).noised_steps(theta)
        for theta in (FIRST, SECOND)
    ]

    class Silent(Everybody):
        def gaussian(self, sigma, count):
            return np.zeros(count, dtype=np.int64)

    truth = [
        PrivateSteps(settings, logistic_gradients, x, y, Silent(source())).noised_steps(theta)
        for theta in (FIRST, SECOND)
    ]
    left = (answers[0] - answers[1]) - (truth[0] - truth[1])
    return np.std(left) / float(settings.sigma)


def test_every_execution_has_noise_of_its_own():
    assert residual(SystemRandomness) == pytest.approx(2**0.5, rel=0.25)


def test_control_noise_derived_from_the_round_cancels():
    assert residual(lambda: ChaChaStream(hashlib.sha256(b"study, round 1").digest())) == 0.0


def test_a_forked_child_does_not_repeat_its_parents_noise():
    sampler = IntegerGaussian(rule().sigma, SystemRandomness())
    sampler.draw(64)  # the stream is open before the fork
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:  # pragma: no cover - runs in the child
        os.write(writer, sampler.draw(64).tobytes())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = np.frombuffer(os.read(reader, 8 * 64), dtype=np.int64)
    assert (theirs != sampler.draw(64)).any()


def test_after_a_crash_the_study_does_not_run_again_and_another_answer_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with new_ledger(path) as ledger:
        approve(ledger)
        ledger.start(digest(1))
        send(ledger, payload=b"the first answer")
    with Ledger.open(path, **keys()) as ledger:  # the process that comes after
        with pytest.raises(NotApprovedError, match="used up"):
            ledger.start(digest(1))
        with pytest.raises(RoundError, match="already sent"):
            send(ledger, payload=b"another answer to the same round")
        assert send(ledger, payload=b"the first answer") is False  # the same bytes may go once more
