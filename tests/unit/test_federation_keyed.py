"""Whole studies whose numbers travel under keys that add up: exact in both kinds of round, with and
without a loss.
"""

from functools import reduce

import numpy as np
import pytest
from binary_models import Server
from in_process_federation import Room, histogram_of, sealed_study
from test_federation_losses import LAST, LOST, PLAN, Losing, assert_exact

from securefl.federation import round_plan
from securefl.secagg.number_layout import NumberLayout


@pytest.fixture(params=[1, 2, 3], ids=["1 prime", "2 primes", "3 primes"], autouse=True)
def _under_keys(request, monkeypatch):
    monkeypatch.setattr(
        round_plan,
        "layout_for",
        lambda bits, contributors, length: NumberLayout(bits, contributors, request.param),
    )


def test_a_study_of_everybody_is_the_exact_sum_of_what_the_hospitals_made():
    room = Room(sealed_study()[1])
    outcome = room.coordinator().run()
    sums = [
        reduce(np.add, parts)
        for parts in zip(*(h.produced for h in room.hospitals.values()), strict=True)
    ]
    state = reduce(lambda s, v: s.apply(v), sums[:-1], Server.start(room.plan.study, room.theta))
    assert np.array_equal(outcome.theta, state.theta)
    assert np.array_equal(histogram_of(outcome), sums[-1])


@pytest.mark.parametrize(
    ("stage", "counts"), [("contribution", False), ("signature", True), ("answer", True)]
)
def test_a_study_that_loses_a_hospital_goes_on_with_exact_sums(stage, counts):
    room = Room(PLAN)
    outcome = room.coordinator(Losing(room, (LOST, 2, stage))).run()
    assert len(outcome.records) == LAST
    assert [LOST in r.contributions for r in outcome.records] == [
        r.round < 2 + counts for r in outcome.records
    ]
    assert_exact(room, outcome)
