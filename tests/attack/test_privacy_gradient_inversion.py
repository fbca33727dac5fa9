"""Gradient inversion of a linear layer: the weights' gradient over the bias's is the record itself
(Phong et al. 2017).
"""

import numpy as np
from binary_models import logistic_gradients
from small_study import FixedDraws, rows, rule

from securefl.learning.steps import PrivateSteps, RandomDraws
from securefl.privacy.randomness import SystemRandomness

FEATURES, CANDIDATES, TRIALS = 500, 50, 60


def inverted(update):
    """The attacker's record from an update of one patient."""
    return update[:-1] / update[-1] if update[-1] else update[:-1]


def identified(releases, records):
    """How often the inverted record is nearest in direction to the one that was trained on, of 50
    candidates.
    """
    unit = records / np.linalg.norm(records, axis=1, keepdims=True)
    return np.mean([np.argmax(unit @ inverted(update)) == target for target, update in releases])


def releases(draws, records, labels):
    theta = np.zeros(FEATURES + 1)
    for i in range(TRIALS):
        target = i % CANDIDATES
        steps = PrivateSteps(
            rule(),
            logistic_gradients,
            records[target : target + 1],
            labels[target : target + 1],
            draws,
        )
        yield target, steps.update(theta).astype(float)


class Always(RandomDraws):
    """Real noise; the patient is in every batch, and alone there: the attacker's best case."""

    def poisson_sample(self, n, rate):
        return np.ones(n, dtype=bool)


def test_a_noised_update_of_one_patient_identifies_nobody():
    records, labels = rows(CANDIDATES, FEATURES)
    found = identified(releases(Always(SystemRandomness()), records, labels), records)
    # Clip 1 against noise 2.14 in each of 501 directions: the right one has a head start of half a
    # standard deviation over 49 others, 5 in 100; the noised bias turns half of them round. 60
    # trials exceed 15 once in 10^6 runs.
    assert found < 15 / TRIALS


def test_control_clipped_but_not_noised_it_identifies_everybody():
    records, labels = rows(CANDIDATES, FEATURES)
    assert identified(releases(FixedDraws(), records, labels), records) == 1.0


def test_control_a_raw_update_is_the_record():
    records, labels = rows(CANDIDATES, FEATURES)
    raw = logistic_gradients(
        np.zeros(FEATURES + 1), records[:1].astype(float), labels[:1].astype(float)
    )[0]
    np.testing.assert_allclose(inverted(raw), records[0], atol=1e-6)
