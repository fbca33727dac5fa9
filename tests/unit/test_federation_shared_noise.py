"""A study whose hospitals share the noise, in one process and encrypted, that loses a hospital."""

from functools import reduce

import numpy as np
import pytest
from conftest import SITES
from in_process_federation import Room, going_on, histogram_of, sealed_study
from shared_noise import SHARED

from securefl.errors import RoundError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.local_exchange import LocalExchange
from securefl.learning.stages.roles import judged_result

NAMES = tuple(sorted(SITES))
FOUR = ("min_contributors = 5", "min_contributors = 4")
PLAN = going_on(sealed_study(FOUR, *SHARED, names=NAMES)[1])
LOST = NAMES[2]


@pytest.fixture(scope="module")
def ran():
    room = Room(PLAN)

    def is_there(site, number, stage):
        return site != LOST or number < 3

    exchange = LocalExchange(room.participants(), room.aggregator, is_there)
    return room, room.coordinator(exchange).run()


def test_every_sum_is_that_of_those_who_are_left_and_never_of_fewer_than_four(ran):
    room, outcome = ran
    counts = [len(record.contributions) for record in outcome.records]
    assert counts == [5, 5, 4, 4, 4]
    last = outcome.records[-1]
    made = [room.hospitals[site].produced[last.round - 1] for site in last.contributions]
    np.testing.assert_array_equal(histogram_of(outcome), reduce(np.add, made))


def test_the_figures_count_four_shares_of_three(ran):
    _, outcome = ran
    assert judged_result(outcome.results).noises == pytest.approx(4 / 3)


def test_a_hospital_refuses_a_round_whose_sum_could_lack_a_share():
    room = Room(PLAN)
    me = room.participant(NAMES[4])
    for cohort in (NAMES[2:], NAMES[3:]):
        _, given = room.announce(1, cohort=cohort)
        with pytest.raises(RoundError, match="not the one that the study describes"):
            me.check(AnnouncedRound.open(PLAN, given.announcement))
