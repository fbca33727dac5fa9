"""A coordinator that wants more of the looks than was approved: a second look at one model, a look at
a model of its own, one left out, one in the place of an update (decision 50).

Each hospital refuses before it answers. Controls: hospitals that do not verify answer a second look
at one model, and the mean of both has less noise than what was approved.
"""

from __future__ import annotations

import numpy as np
import pytest
from followed_study import FollowedStudy
from in_process_federation import NAMES, Room, going_on
from looked_at import KINDS, looked_at

from securefl.errors import BrokenRuleError, MessageError, RoundError, SecureFLError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.coordinator import Coordinator
from securefl.federation.study_progress import StudyProgress
from securefl.learning.looks import Trend

PLAN = looked_at()
EVERY = pytest.mark.parametrize("plan", [PLAN, going_on(PLAN)], ids=["full", "survivors"])
#: Rounds of the first two looks.
FIRST, SECOND = 2, 4


class OwnModel(Coordinator):
    """Has a model of its own looked at."""

    def _announce(self, number, theta, keys):
        if number == FIRST:
            theta = np.full_like(theta, 7.0)
        return super()._announce(number, theta, keys)


class LookingAgain(Coordinator):
    """Has the first look's model looked at again in the place of the second."""

    seen = None

    def _announce(self, number, theta, keys):
        if number == FIRST:
            self.seen = theta
        if number == SECOND:
            theta = self.seen
        return super()._announce(number, theta, keys)


def starts_of(study):
    """Hash of the model that each opened round started from."""
    return [record.model_sha256 for record in study.run().records]


@EVERY
def test_an_honest_study_with_looks_is_verified_to_its_end(plan, tmp_path):
    study = FollowedStudy(plan, tmp_path)
    starts = starts_of(study)
    assert set(study.answered().values()) == {len(KINDS)}
    assert all(study.exchange.end().values())
    assert len(set(starts)) == 5  # a model for each update, and the last one


def refused(plan, folder, liar, *, answered):
    """Every hospital refuses for where the round starts, before its rows go into it."""
    study = FollowedStudy(plan, folder, liar)
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(NAMES)
    for found in study.refused.values():
        assert isinstance(found, BrokenRuleError)
        assert f"round {answered + 1} does not start from" in found.what
    assert set(study.answered().values()) == {answered}


@EVERY
def test_a_second_look_at_one_model(plan, tmp_path):
    refused(plan, tmp_path / "checked", LookingAgain, answered=SECOND - 1)


def test_control_hospitals_that_do_not_verify_answer_a_second_look_at_one_model(tmp_path):
    study = FollowedStudy(PLAN, tmp_path, LookingAgain, checked=False)
    starts = starts_of(study)
    assert starts[FIRST - 1] == starts[SECOND - 1]
    assert set(study.answered().values()) == {len(KINDS)}


@EVERY
def test_a_look_at_a_model_of_its_own(plan, tmp_path):
    refused(plan, tmp_path / "checked", OwnModel, answered=FIRST - 1)
    control = FollowedStudy(plan, tmp_path / "control", OwnModel, checked=False)
    starts = starts_of(control)
    assert starts[FIRST - 1] != starts[FIRST]
    assert set(control.answered().values()) == {len(KINDS)}


def announced_to(room, hospital, number, **changes):
    """The hospital's word on an announced round."""
    _, given = room.announce(number, **changes)
    return hospital.check(AnnouncedRound.open(room.plan, given.announcement))


@pytest.fixture
def after_one():
    """A room, and a hospital of it that has answered the first update."""
    room = Room(PLAN)
    hospital = room.participant(NAMES[0])
    _, given = room.announce(1)
    hospital.answer(given)
    return room, hospital


def test_a_look_that_is_left_out(after_one):
    room, hospital = after_one
    with pytest.raises(RoundError, match=f"expects round {FIRST}"):
        announced_to(room, hospital, FIRST + 1)
    announced_to(room, hospital, FIRST)  # control: the look itself


def test_an_update_in_the_place_of_a_look(after_one):
    """It would be a step more than was charged; likewise a look in the place of an update."""
    room, hospital = after_one
    update, look = PLAN.step(1).release, PLAN.step(FIRST).release
    with pytest.raises((RoundError, MessageError)):
        announced_to(room, hospital, FIRST, kind=update.kind, length=update.length)
    with pytest.raises((RoundError, MessageError)):
        announced_to(room, hospital, FIRST, kind=update.kind)
    announced_to(room, hospital, FIRST, kind=look.kind, length=look.length)  # control


# --- the rule that ends a study

ENDING = looked_at(("patience = 1\n", "patience = 1\nends = true\n"))


class Lenient(StudyProgress):
    """A coordinator's own program, without the rule on looks."""

    def absorb(self, total, contributors):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("securefl.learning.stages.train.require_no_loss", lambda _looks: None)
            super().absorb(total, contributors)


class GoingOn(Coordinator):
    """Trains on although the looks end the study."""

    def run(self, watch=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("securefl.federation.coordinator.StudyProgress", Lenient)
            return super().run(watch)


def worse_at_once(looks, planned, patience, least):
    """Word for a course in which every look is the worst."""
    del looks, planned, patience, least
    return Trend.WORSE


def test_a_coordinator_that_goes_on_where_the_looks_end_the_study(tmp_path, monkeypatch):
    monkeypatch.setattr("securefl.learning.looks.trend_of", worse_at_once)
    monkeypatch.setattr("securefl.learning.looks.best_before", lambda looks: looks[-1])
    with pytest.raises(RoundError, match="as its rule on looks says"):
        FollowedStudy(ENDING, tmp_path / "honest").run()
    study = FollowedStudy(ENDING, tmp_path / "checked", GoingOn)
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(NAMES)
    for found in study.refused.values():
        assert "was over by its own rule" in found.what
    assert set(study.answered().values()) == {FIRST}

    control = FollowedStudy(ENDING, tmp_path / "control", GoingOn, checked=False)
    control.run()
    assert set(control.answered().values()) == {len(KINDS)}
