"""One patient with many rows moves the noised sum of leaves by at most what the noise is drawn for,
whether the patient joins, leaves or changes; and nobody else's integers by anything.
"""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_study import SPEC, FixedDraws, rule

from securefl.learning.families.boosted_trees import BoostedTrees
from securefl.learning.steps import PrivateSteps
from securefl.learning.tasks import task_of

TASK = task_of(SPEC)
SECTION = SimpleNamespace(
    trees=12, depth=3, columns_per_tree=2, base_score=0, initial_seed="public"
)
FAMILY = BoostedTrees(SECTION, 4, 1)
RULE = rule(sample_rate=Fraction(1))
OTHERS = 15


def total(family, theta, x, y, units):
    """The sum of one step before noise, in units of the grid."""
    steps = PrivateSteps(RULE, family.gradients(TASK), x, y, FixedDraws(), units=units)
    return steps.noised_steps(theta).astype(object)


def room(seed, rows):
    """Others with a row each, and one patient with ``rows`` alike, the last."""
    generator = np.random.default_rng(seed)
    theta = generator.normal(0, 0.3, FAMILY.parameters)
    x = generator.uniform(-1, 1, (OTHERS + rows, 4))
    x[OTHERS:] = x[OTHERS]
    y = generator.integers(0, 2, OTHERS + rows).astype(np.float64)
    y[OTHERS:] = y[OTHERS]
    return theta, x, y


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_patient_with_many_rows_moves_the_sum_by_at_most_one_clip_norm(seed, rows):
    theta, x, y = room(seed, rows)
    units = np.array([*range(OTHERS), *[OTHERS] * rows])
    without = total(FAMILY, theta, x[:OTHERS], y[:OTHERS], units[:OTHERS])
    moved = total(FAMILY, theta, x, y, units) - without
    assert (moved**2).sum() <= RULE.grid**2
    assert (moved != 0).any()
    # changed to somebody else: out and in again, two clip norms
    other = x.copy()
    other[OTHERS:] = -x[OTHERS:]
    changed = total(FAMILY, theta, other, 1 - y, units)
    back = total(FAMILY, theta, other[:OTHERS], (1 - y)[:OTHERS], units[:OTHERS])
    assert ((changed - back) ** 2).sum() <= RULE.grid**2


def test_control_rows_that_are_clipped_one_by_one_move_it_much_further():
    theta, x, y = room(1, 40)
    each = np.arange(OTHERS + 40)
    without = total(FAMILY, theta, x[:OTHERS], y[:OTHERS], each[:OTHERS])
    moved = total(FAMILY, theta, x, y, each) - without
    assert (moved**2).sum() > (20 * RULE.grid) ** 2


class SplitAtTheMiddle(BoostedTrees):
    """A control: limits are the medians of the batch, as trees grown on data have them."""

    def _places(self, x):
        forest = self.forest
        middle = np.median(x[x.any(axis=1)], axis=0)
        yes = x[:, forest.feature] > middle[forest.feature]
        leaves = (yes << np.arange(forest.depth)[:, None]).sum(axis=1)
        return leaves * forest.trees + np.arange(forest.trees)


def test_control_limits_taken_from_data_let_one_patient_move_the_others():
    moved = {}
    for family in (FAMILY, SplitAtTheMiddle(SECTION, 4, 1)):
        theta, x, y = room(3, 1)
        units = np.arange(OTHERS + 1)
        alone = total(family, theta, x[OTHERS:], y[OTHERS:], np.arange(1))
        without = total(family, theta, x[:OTHERS], y[:OTHERS], units[:OTHERS])
        rest = total(family, theta, x, y, units) - without - alone
        moved[type(family)] = int((rest**2).sum())
    assert moved[BoostedTrees] == 0
    assert moved[SplitAtTheMiddle] > RULE.grid**2
