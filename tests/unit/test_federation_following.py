"""What must follow from the totals of a study, worked out by a hospital for itself."""

from __future__ import annotations

import numpy as np
import pytest
from in_process_federation import sealed_study

from securefl.errors import PUBLIC_CODES, BrokenRuleError
from securefl.federation.following import Following
from securefl.federation.shown_opening import readers_of
from securefl.federation.study_progress import StudyProgress
from securefl.learning.models import weights_sha256

PLAN = sealed_study()[1]
LAST = PLAN.last_round


def total(number):
    return np.arange(PLAN.length(number), dtype=np.int64) + number


def through(number):
    """A hospital and a coordinator after ``number`` rounds."""
    following, progress = Following(PLAN), StudyProgress(PLAN)
    for done in range(1, number + 1):
        following.check_start(done, weights_sha256(progress.broadcast()))
        following.take(done, total(done), 3)
        progress.absorb(total(done), 3)
    return following, progress


def test_each_round_of_a_study_follows_and_its_results_come_in_order():
    following, progress = through(LAST)
    assert following.verified == progress.done == LAST
    assert len(progress.results) == len(PLAN.programme.stages)


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_a_round_that_starts_from_the_last_bit_of_another_model_is_refused(number):
    following, progress = through(number - 1)
    theta = progress.broadcast().copy()
    following.check_start(number, weights_sha256(theta))
    theta[-1] = np.nextafter(theta[-1], 1.0)
    with pytest.raises(BrokenRuleError, match=f"round {number} does not start from"):
        following.check_start(number, weights_sha256(theta))


def test_a_round_before_the_total_of_the_last_one_is_refused():
    following, progress = through(1)
    with pytest.raises(BrokenRuleError, match="before the total of the last round"):
        following.check_start(3, weights_sha256(progress.broadcast()))


@pytest.mark.parametrize("number", [1, 3])
def test_a_total_out_of_its_turn_is_refused(number):
    following, _ = through(1)
    with pytest.raises(BrokenRuleError, match=f"a total of round {number} came after round 1"):
        following.take(number, total(1), 3)


def test_others_are_told_a_code_and_nothing_else():
    assert BrokenRuleError.code == "rule-broken"
    assert BrokenRuleError.code in PUBLIC_CODES
    assert BrokenRuleError("x").whose == "the coordinator"


def test_the_last_total_is_for_recipients_alone():
    names = PLAN.study.cohort
    assert readers_of(PLAN, 1, names) == names
    assert readers_of(PLAN, 1, names[1:]) == names[1:]
    only = sealed_study(('recipients = ["participants"]', 'recipients = ["aggregator"]'))[1]
    assert readers_of(only, 1, names) == names
    assert readers_of(only, only.last_round, names) == ()
    assert readers_of(PLAN, LAST, names) == names
