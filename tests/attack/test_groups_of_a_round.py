"""Attacks on rounds by groups: who is in a sum with whom is nobody's choice, and no sum is smaller
than was drawn.

Controls: the same frames in the groups that the lot drew open; a hospital without its lot follows
the coordinator's groups, and then the sum of two is open.
"""

from __future__ import annotations

import io
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from followed_study import FollowedStudy
from in_process_federation import NINE, Room, grouped_study

from securefl.errors import BrokenRuleError, MessageError, RoundError, StudyError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.coordinator import Coordinator
from securefl.federation.full_round import FullRound
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.learning.models import weights_sha256
from securefl.learning.robust_sums import combined
from securefl.secagg.group_contexts import group_contexts
from securefl.secagg.group_draw import Lot
from securefl.secagg.opening import open_sum

PLAN = grouped_study(("rounds = 4", "rounds = 2"), ("steps = 4", "steps = 2"))
VICTIM = NINE[0]


@pytest.fixture
def room():
    return Room(PLAN)


def swapped(groups):
    """The first two groups with their last hospitals exchanged: as large, and not the lot's."""
    first, second, *others = groups
    one, other = first[-1], second[-1]
    changed = [sorted({*first, other} - {one}), sorted({*second, one} - {other})]
    return tuple(sorted([*map(tuple, changed), *others]))


def frames_of(room, given_of, sites):
    """What the hospitals answer to what each of them was sent: site → frame."""
    return {site: room.participant(site).answer(given_of(site)).read() for site in sites}


def opened(room, keys, group, frames):
    """The sum of one group's frames, int64[length]; no check but those of the bytes."""
    with closing(FullRound(room.plan, group)) as arrivals:
        for site in group.cohort:
            arrivals.add_frame(site, io.BytesIO(frames[site]))
        values = np.empty(group.length, dtype=np.int64)
        open_sum(keys, arrivals.sum_blocks(), group, values)
    return values


def test_control_a_group_that_the_lot_drew_opens_to_its_sum_alone(room):
    keys, given = room.announce()
    groups = group_contexts(AnnouncedRound.open(PLAN, given.announcement).checked_context())
    (mine,) = [group for group in groups if VICTIM in group.cohort]
    frames = frames_of(room, lambda _: given, mine.cohort)
    truth = sum(room.hospitals[site].produced[0] for site in mine.cohort)
    assert len(mine.cohort) == 3
    assert np.array_equal(opened(room, keys, mine, frames), truth)


def test_a_coordinator_that_draws_the_groups_itself_gets_no_answer(room):
    groups = swapped(room.lot.groups(3))
    _, given = room.announce(groups=groups)
    for site in NINE:
        with pytest.raises(BrokenRuleError, match="in other groups than the hospitals' lot draws"):
            room.participant(site).answer(given)
    assert all(hospital.produced == [] for hospital in room.hospitals.values())


def test_two_overlapping_groups_open_to_nobody(room):
    """One hospital follows another division (its program was changed): no mask cancels."""
    groups = room.lot.groups(3)
    keys, honest = room.announce()
    _, other = room.announce(groups=swapped(groups), keys=keys)
    told = AnnouncedRound.open(PLAN, honest.announcement).checked_context()
    mine = group_contexts(told)[0]
    liar = mine.cohort[0]
    follower = room.participant(liar)
    follower.lot = None  # it does not look at the lot
    frames = frames_of(room, lambda _: honest, mine.cohort[1:])
    frames[liar] = follower.answer(other).read()
    with pytest.raises(RoundError, match="No contribution of"):
        opened(room, keys, mine, frames)  # bound to another digest: no frame of this group


def test_a_group_that_was_shrunk_opens_to_nobody(room):
    """The victim's frame with one other's, without the third: its masks are still on the sum."""
    keys, given = room.announce()
    told = AnnouncedRound.open(PLAN, given.announcement).checked_context()
    (mine,) = [group for group in group_contexts(told) if VICTIM in group.cohort]
    others = [site for site in mine.cohort if site != VICTIM]
    frames = frames_of(room, lambda _: given, [VICTIM, others[0]])
    with closing(FullRound(PLAN, mine)) as arrivals:
        for site, frame in frames.items():
            arrivals.add_frame(site, io.BytesIO(frame))
        total = arrivals._sum._total.blocks()
        values = np.empty(mine.length, dtype=np.int64)
        with pytest.raises(RoundError, match="no sum of a complete set of contributions"):
            open_sum(keys, total, mine, values, 2)


def test_control_hospitals_that_take_any_groups_open_the_sum_of_two(room, monkeypatch):
    monkeypatch.setattr("securefl.federation.checked_round.check_division", lambda *_: None)
    monkeypatch.setattr(
        "securefl.federation.participant.Participant._check_groups", lambda *_: None
    )
    keys, given = room.announce(groups=(NINE[:2], NINE[2:5], NINE[5:]))
    told = AnnouncedRound.open(PLAN, given.announcement).context
    mine = group_contexts(told)[0]
    frames = frames_of(room, lambda _: given, mine.cohort)
    two = sum(room.hospitals[site].produced[0] for site in mine.cohort)
    assert np.array_equal(opened(room, keys, mine, frames), two)


@pytest.mark.parametrize(
    "wrong",
    [
        (NINE[:2], NINE[2:5], NINE[5:]),
        (NINE[:4], NINE[4:]),
        (NINE,),
        (),
    ],
    ids=["shrunk", "two groups", "one sum", "none"],
)
def test_groups_that_the_study_does_not_make_are_refused_by_everybody(room, wrong):
    _, given = room.announce(groups=wrong)
    with pytest.raises(MessageError, match="is announced in groups of"):
        AnnouncedRound.open(PLAN, given.announcement).checked_context()
    with pytest.raises(BrokenRuleError, match="in other groups than the hospitals' lot draws"):
        room.participant(VICTIM).answer(given)


def test_a_hospital_in_two_groups_is_a_contradiction(room):
    _, given = room.announce()
    told = AnnouncedRound.open(PLAN, given.announcement).checked_context()
    twice = (NINE[:3], NINE[2:5], NINE[5:])
    with pytest.raises(StudyError, match="in two groups"):
        replace(told, groups=twice)


class OwnGroups(Coordinator):
    """Coordinator that puts hospitals together as it likes."""

    def _groups(self, number):
        drawn = super()._groups(number)
        return swapped(drawn) if drawn else drawn


@pytest.fixture
def study(tmp_path):
    return FollowedStudy(PLAN, tmp_path)


class Poisons:
    """Trainer of a hospital that sends the most against everybody that a field holds."""

    def __init__(self):
        self.produced = []

    def __call__(self, number, model, length, largest):
        del number, model
        self.produced.append(np.full(length, -largest))
        return self.produced[-1]


def test_a_whole_study_goes_by_the_groups_median_whatever_one_hospital_sends(study):
    poison = study.room.hospitals[VICTIM] = Poisons()
    study.exchange.hospitals[VICTIM]._trainer = poison
    outcome = study.run()
    first, second, third = (announced(study, number) for number in (1, 2, 3))
    produced = {site: one.produced[0] for site, one in study.room.hospitals.items()}
    sums = [sum(produced[site] for site in group) for group in first.context.groups]
    total = combined(sums, [3, 3, 3], "median")
    stage = PLAN.programme.stages[0]
    state = stage.absorb(stage.start([]), total, len(NINE))
    assert second.said.model_sha256 == weights_sha256(stage.broadcast(state))
    # hospitals send 0 to 49, so nine of them at most 441: control, the sum of all is far below
    assert total.min() >= 0
    assert sum(produced.values()).max() < -1000
    assert third.context.groups == ()  # an evaluation is a sum of all
    assert first.context.groups == second.context.groups == study.room.lot.groups(3)
    # every hospital opened the groups' sums again, and the aggregator's are those of the frames
    assert set(study.exchange.end().values()) == {True}
    recomputed = round_strategy_of(PLAN).recompute(study.board, first.context)
    assert dict(recomputed.parts) == outcome.records[0].contributions
    assert recomputed.sum_sha256 == outcome.records[0].sum_sha256


def guessed(divisions, sent):
    """What a coordinator reckons that each hospital sends, from groups' sums of several rounds, if
    hospitals send much the same in each: float64[hospitals], by least squares.
    """
    rows = [[site in group for site in NINE] for groups in divisions for group in groups]
    member = np.array(rows, dtype=np.float64)
    return np.linalg.lstsq(member, member @ sent, rcond=None)[0]


def test_the_sums_of_many_rounds_are_no_equations_in_one_hospital(room):
    sent = np.random.default_rng(5).normal(0, 1, len(NINE))
    found = guessed([room.lot.groups(3)] * 40, sent)
    for group in room.lot.groups(3):
        places = [NINE.index(site) for site in group]
        assert np.allclose(found[places], sent[places].mean()), "no more than the group's mean"


def test_control_groups_that_change_from_round_to_round_tell_what_each_hospital_sent():
    sent = np.random.default_rng(5).normal(0, 1, len(NINE))
    lots = [
        Lot(PLAN.digest, {site: f"{turn} {site}".encode() for site in NINE}) for turn in range(8)
    ]
    divisions = [lot.groups(3) for lot in lots]
    assert np.allclose(guessed(divisions, sent), sent)


def test_a_shown_total_that_is_not_the_groups_median_ends_the_study(study, monkeypatch):
    monkeypatch.setattr("securefl.federation.coordinator.total_sha256", lambda _values: "0" * 64)
    with pytest.raises(BrokenRuleError, match="is not that of the signed contributions"):
        study.run()


def announced(study, number):
    at = RoundBoard.numbered(study.board, PLAN.digest, number)
    return AnnouncedRound.open(PLAN, at.announcement.read())


def test_a_coordinators_own_groups_end_its_study_before_anybody_trained(tmp_path):
    study = FollowedStudy(PLAN, tmp_path, OwnGroups)
    with pytest.raises(BrokenRuleError):
        study.run()
    assert sum(study.answered().values()) == 0


def test_control_hospitals_that_draw_no_lot_follow_a_coordinators_groups(tmp_path, monkeypatch):
    """What the lot is for: without it the coordinator puts a victim beside whom it likes."""
    monkeypatch.setattr(
        "securefl.federation.participant.Participant._check_groups", lambda *_: None
    )
    study = FollowedStudy(PLAN, tmp_path, OwnGroups)
    study.run()
    assert set(study.answered().values()) == {PLAN.last_round}
