"""A data-derived scale in front of the noise: one patient far from the others would change the rows
of all of them.
"""

import numpy as np
from binary_models import logistic_gradients
from small_study import SPEC, FixedDraws, csv, rule

from securefl.learning.features import prepare
from securefl.learning.steps import PrivateSteps
from securefl.learning.table import read_table

GRID = rule().grid
#: 40 ordinary patients, TSH between 1 and 3, and one whose value is at the end of the declared
#: range.
ORDINARY = [f"p{i},{30 + i},{1 + i / 20},F,f,{'E' if i % 3 == 0 else '-'}" for i in range(40)]
EXTREME = "q,119,599,M,t,E"


def encoded(lines):
    return prepare(read_table(csv(*lines)), SPEC, b"s" * 32)


def summed(x, y):
    draws = FixedDraws()
    return PrivateSteps(rule(), logistic_gradients, x, y, draws).noised_steps(
        np.full(x.shape[1] + 1, 0.3)
    )


def standardised(x):
    return ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)).astype(np.float32)


def test_no_other_patients_row_moves_when_an_extreme_one_joins():
    before, after = encoded(ORDINARY), encoded([*ORDINARY, EXTREME])
    stayed = [p in before.patients for p in after.patients]
    np.testing.assert_array_equal(after.X[stayed], before.X)
    moved = summed(after.X, after.y) - summed(before.X, before.y)
    assert np.linalg.norm(moved.astype(float)) <= GRID


def test_control_standardised_by_the_data_the_same_patient_moves_all_others_and_the_sum_by_many_clip_norms():
    before, after = encoded(ORDINARY), encoded([*ORDINARY, EXTREME])
    stayed = np.array([p in before.patients for p in after.patients])
    scaled = standardised(after.X)
    assert (np.abs(scaled[stayed] - standardised(before.X)).max(axis=1) > 0.01).all()
    moved = summed(scaled, after.y) - summed(standardised(before.X), before.y)
    assert np.linalg.norm(moved.astype(float)) > 3 * GRID
