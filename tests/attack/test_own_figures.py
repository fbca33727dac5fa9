"""A hospital's list of its own opens by itself: only its own noise hides its patients there."""

import numpy as np
import pytest
from shared_noise import no_rows, shared_study
from split_study import OLD, ONLY_OWN

from securefl.learning.features import Prepared
from securefl.learning.stages.evaluate import Evaluate
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import RandomDraws
from securefl.privacy.empirical import fitted_mu
from securefl.privacy.randomness import SystemRandomness
from securefl.study.noise_shares import noise_shares

# So many that the control stands 7 deviations from its bound: by chance it fails once in 1e12.
TRIALS = 10_000
SHARED_OWN = (ONLY_OWN[0].replace("3.75", "4.5"), ONLY_OWN[1].replace("3.75", "4.5"))


class Careless(Evaluate):
    """An evaluation with shares of the noise in lists that open one by one."""

    @property
    def shares(self):
        return noise_shares(self.study)


@pytest.fixture(scope="module")
def study():
    """Five hospitals that share noise, with lists of their own in the check."""
    assert OLD in ONLY_OWN[1]
    return shared_study(4, 1, SHARED_OWN)


def seen(stage, site, rows):
    """What everybody reads in this hospital's list: the patient's number, in each of many runs."""
    end = stage.local(stage.study, site, rows, RandomDraws(SystemRandomness()))
    (release,) = stage.releases()
    public = np.zeros(stage.public_length)
    place = int(np.flatnonzero(stage.layout.written_by(site))[0]) + 3
    return np.array([end.answer(release, public)[place] for _ in range(TRIALS)], dtype=float)


def one_patient(study):
    """One negative patient; with a model of zeros the score is .5, in the last band."""
    none = no_rows(study)
    x = np.zeros((1, none.train.X.shape[1]), dtype=np.float32)
    return Rows(none.train, Prepared(x, np.zeros(1, dtype=np.int8), ("p",), {}))


def told_apart(stage):
    """How far apart the list is with and without the patient, in deviations of its noise; the error
    of that, and the distance that is charged.
    """
    study = stage.study
    site = study.cohort[2]
    inside = seen(stage, site, one_patient(study))
    outside = seen(stage, site, no_rows(study))
    distance, error = fitted_mu(inside, outside)
    return distance, error, 1 / float(stage.section.noise_multiplier)


def test_whoever_reads_a_list_faces_the_noise_that_is_charged(study):
    stage = Programme(study).stages[-1]
    distance, error, charged = told_apart(stage)
    assert stage.releases()[0].mechanism.shares == 1
    assert distance <= charged + 4 * error


def test_control_with_a_share_of_the_noise_a_patient_is_seen_better_than_charged(study):
    careless = Careless(study, len(study.stages) - 1)
    distance, error, charged = told_apart(careless)
    assert careless.releases()[0].mechanism.shares == 3
    assert distance > charged + 4 * error


def test_a_hospital_writes_nothing_into_the_lists_of_others(study):
    stage = Programme(study).stages[-1]
    site = study.cohort[1]
    end = stage.local(study, site, one_patient(study), RandomDraws(SystemRandomness()))
    answer = end.answer(stage.releases()[0], np.zeros(stage.public_length))
    written = stage.layout.written_by(site)
    assert np.count_nonzero(written) == stage.layout.size
    assert not answer[~written].any()
    assert answer[written].any()
