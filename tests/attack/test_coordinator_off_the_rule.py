"""A coordinator that leaves the study's rule after the first round (rule 11): every hospital sees it
before it answers, and nothing is trained.

Controls: the same coordinator with hospitals that do not verify, which follow it to the end; and an
honest one with hospitals that do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from conftest import SITES
from followed_study import FollowedStudy
from in_process_federation import NAMES, going_on, sealed_study

from securefl.errors import BrokenRuleError, RoundError, SecureFLError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.coordinator import Coordinator
from securefl.federation.opened_sum import OpenedSum
from securefl.federation.round_board import RoundBoard
from securefl.federation.study_progress import StudyProgress
from securefl.learning.strategies import strategy_of
from securefl.secagg.cipher_ring import cipher_ring
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.total_check import RoundSecret
from securefl.study.training import training_of

SHORT = (("rounds = 4", "rounds = 3"), ("steps = 4", "steps = 3"))
LONG = ('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [2048]')
FULL = sealed_study(*SHORT)[1]
KEYED = sealed_study(LONG, *SHORT)[1]
SURVIVING = going_on(FULL)
SURVIVING_KEYED = going_on(KEYED)
EVERY = pytest.mark.parametrize(
    "plan",
    [FULL, KEYED, SURVIVING, SURVIVING_KEYED],
    ids=["full", "full-keyed", "survivors", "survivors-keyed"],
)


def test_the_plans_are_of_both_packings():
    public = "0" * 64
    for plan, keyed in ((FULL, False), (KEYED, True)):
        facts = plan.facts(1, public, public, instances=dict.fromkeys(NAMES, public))
        assert isinstance(facts.layout, NumberLayout) is keyed


@EVERY
def test_an_honest_study_is_verified_to_its_end(plan, tmp_path):
    study = FollowedStudy(plan, tmp_path)
    study.run()
    assert set(study.answered().values()) == {plan.last_round}
    assert all(study.exchange.end().values())
    for hospital in study.exchange.hospitals.values():
        assert hospital.following.verified == plan.last_round


class Lying(Coordinator):
    """Tells every hospital the same, and not what follows."""

    from_round = 2

    def _announce(self, number, theta, keys):
        if number >= self.from_round:
            theta = self.crafted(number, theta)
        return super()._announce(number, theta, keys)

    def crafted(self, number, theta):
        del number
        return np.full_like(theta, 7.0)


def assert_refused(plan, folder, liar, match, *, answered, error=BrokenRuleError):
    """Every hospital refuses, and nothing of its rows goes into another round; the control goes on."""
    study = FollowedStudy(plan, folder / "checked", liar)
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(NAMES)
    for found in study.refused.values():
        assert isinstance(found, error)
        assert match in found.what
    assert set(study.answered().values()) == {answered}

    control = FollowedStudy(plan, folder / "control", liar, checked=False)
    control.run()
    assert set(control.answered().values()) == {plan.last_round}


@EVERY
def test_crafted_weights_from_the_second_round_on(plan, tmp_path):
    assert_refused(plan, tmp_path, Lying, "does not start from", answered=1)


def test_another_model_for_the_evaluation(tmp_path):
    class AtTheEnd(Lying):
        from_round = FULL.last_round

    assert_refused(FULL, tmp_path, AtTheEnd, "does not start from", answered=FULL.last_round - 1)


ADAM = sealed_study(
    ('strategy = "fedavg"', 'strategy = "fedadam"'),
    ('server_learning_rate = "4"\nserver_momentum = "0.8"\n', ""),
    *SHORT,
)[1]


def same_quotient(memory, tau):
    """Other moments that make the step between the last two models: m and sqrt(v) + tau, doubled."""
    m, v = np.split(memory, 2)
    return np.concatenate([2 * m, (2 * (np.sqrt(v) + tau) - tau) ** 2])


class OwnMoments(StudyProgress):
    """Coordinator's own program: the last step of an adaptive server from moments that it chose.

    Attributes:
        seen: both moments, the last two models, and what the quotient rule said of the forged.
    """

    seen: ClassVar[list] = []

    def absorb(self, total, contributors):
        train = training_of(ADAM.study)
        if self.done == train.rounds - 1:
            made, server = strategy_of(train), self._state.server
            forged = same_quotient(server.memory, float(made.tau))
            m, v = np.split(forged, 2)
            step = float(made.server_learning_rate) * m / (np.sqrt(v) + float(made.tau))
            # the rule that this replaces: the older of the last two models, plus the step, is the
            # younger
            fits = np.array_equal(self.before + step, server.theta)
            self.seen.append((fits, np.abs(forged - server.memory).max()))
            self._state = replace(self._state, server=replace(server, memory=forged))
        elif self.done < train.rounds:
            self.before = self._state.server.theta
        super().absorb(total, contributors)


class Choosing(Coordinator):
    """Makes the model out of moments that it chose."""

    def run(self, watch=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("securefl.federation.coordinator.StudyProgress", OwnMoments)
            return super().run(watch)


def test_a_last_step_from_moments_of_the_coordinators_choice(tmp_path):
    OwnMoments.seen.clear()
    last = ADAM.last_round
    assert_refused(ADAM, tmp_path, Choosing, f"round {last} does not start from", answered=last - 1)
    # control: a check of the quotient alone takes these moments, and they are others
    for fits, away in OwnMoments.seen:
        assert fits
        assert away > 1e-6
    assert len(OwnMoments.seen) == 2


def test_the_training_begun_again(tmp_path):
    class Again(Lying):
        first = None

        def _announce(self, number, theta, keys):
            if number == 1:
                self.first = theta
            return super()._announce(number, theta, keys)

        def crafted(self, number, theta):
            return self.first if number == 2 else theta

    assert_refused(FULL, tmp_path, Again, "round 2 does not start from", answered=1)


class Off(Coordinator):
    """Adds one to a single number of the first total, and goes on from there."""

    named = True

    def _opening(self, facts, secret, opened):
        if facts.round == 1:
            truth = opened.values.copy()
            opened.values[len(truth) // 2] += 1
            if not self.named:
                opened = OpenedSum(
                    truth, opened.contributions, opened.sum_sha256, opened.frame_bytes
                )
        return super()._opening(facts, secret, opened)


class OffUnnamed(Off):
    """The same, but names the true total."""

    named = False


@EVERY
def test_a_total_changed_by_one(plan, tmp_path):
    assert_refused(plan, tmp_path, Off, "is not that of the signed contributions", answered=1)


@EVERY
def test_a_model_made_of_a_total_changed_by_one(plan, tmp_path):
    assert_refused(plan, tmp_path, OffUnnamed, "does not start from", answered=1)


class OtherKey(Coordinator):
    """Shows a key that is none of the round."""

    def key(self, secret):
        ring = cipher_ring(len(secret.values))
        return CkksIntegers().generate(ring).secret()

    def _opening(self, facts, secret, opened):
        return super()._opening(facts, self.key(secret), opened)


class OneOff(OtherKey):
    """Shows the key with one coefficient changed."""

    def key(self, secret):
        values = secret.values.copy()
        values[77] = 1 if values[77] == 0 else 0
        return RoundSecret(values)


@pytest.mark.parametrize("liar", [OtherKey, OneOff])
@pytest.mark.parametrize("plan", [KEYED, SURVIVING], ids=["full-keyed", "survivors"])
def test_another_key_is_shown(plan, liar, tmp_path):
    assert_refused(plan, tmp_path, liar, "is not the one of the announced public key", answered=1)


class Replaying(Coordinator):
    """Shows the first round's opening for the second, and makes the first step twice."""

    first = None

    def _opening(self, facts, secret, opened):
        if facts.round == 1:
            self.first = opened.values.copy()
            self.opening = super()._opening(facts, secret, opened)
        elif facts.round == 2:
            opened.values[:] = self.first
        else:
            return super()._opening(facts, secret, opened)
        return self.opening


@pytest.mark.parametrize("plan", [FULL, SURVIVING_KEYED], ids=["full", "survivors-keyed"])
def test_the_total_of_another_round_replayed(plan, tmp_path):
    match = "has not shown the opening"
    assert_refused(plan, tmp_path, Replaying, match, answered=2, error=SecureFLError)


class Silent(Coordinator):
    """Shows nothing."""

    def _opening(self, facts, secret, opened):
        return b""


def test_no_opening_is_no_answer(tmp_path):
    match = "has not shown the opening"
    assert_refused(FULL, tmp_path, Silent, match, answered=1, error=SecureFLError)


# --- who is asked

FIVE = going_on(
    sealed_study(
        *SHORT,
        ("min_contributors = 5", "min_contributors = 4"),
        names=tuple(sorted(SITES)),
    )[1]
)
DROPPED = FIVE.study.cohort[1]


class Dropping(Coordinator):
    """Leaves a hospital out of the second round that was in the first."""

    def _announce(self, number, theta, keys):
        if number == 2:
            self._cohort = tuple(site for site in self._cohort if site != DROPPED)
        return super()._announce(number, theta, keys)


class LeavingAway(Dropping):
    """The same, and the hospital that is left out does not look: its own end would be a word."""

    def _announce(self, number, theta, keys):
        if number == 2:
            self._exchange.away.add(DROPPED)
        return super()._announce(number, theta, keys)


def test_a_hospital_dropped_unasked(tmp_path):
    study = FollowedStudy(FIVE, tmp_path / "checked", Dropping)
    with pytest.raises(BrokenRuleError):
        study.run()
    assert set(study.refused) == set(FIVE.study.cohort)
    for found in study.refused.values():
        assert f"was announced without {DROPPED}" in found.what
        assert found.code == "rule-broken"
    assert set(study.answered().values()) == {1}

    # Control: hospitals that do not verify go on without it.
    control = FollowedStudy(FIVE, tmp_path / "control", LeavingAway, checked=False)
    control.run()
    assert control.answered() == {
        site: 1 if site == DROPPED else FIVE.last_round for site in FIVE.study.cohort
    }


def test_a_hospital_that_said_that_it_left_is_not_missed(tmp_path):
    study = FollowedStudy(FIVE, tmp_path, Dropping)
    with pytest.raises(BrokenRuleError):
        study.run()
    announced = AnnouncedRound.open(
        FIVE, RoundBoard.numbered(study.board, FIVE.digest, 2).announcement.read()
    )
    for site, hospital in study.exchange.hospitals.items():
        if site != DROPPED:
            assert hospital.check(announced, frozenset({DROPPED})).cohort == announced.said.cohort
            with pytest.raises(BrokenRuleError, match=DROPPED):
                hospital.check(announced, frozenset({site}))


# --- what follows from a count


def counting(minimum):
    """A study that counts first, and ends where fewer were counted."""
    section = (
        '[[stages]]\nkind = "count"\nnoise_multiplier = "18.54"\nepsilon = "0.174"\nbound = 20000'
        f'\nminimum = {minimum}\n\n[[stages]]\nkind = "train"'
    )
    return sealed_study(('[[stages]]\nkind = "train"', section), *SHORT)[1]


class Lenient(StudyProgress):
    """A coordinator's own program, without the rule of the count."""

    def absorb(self, total, contributors):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("securefl.learning.stages.count.require_enough", lambda *_: None)
            super().absorb(total, contributors)


class GoingOn(Coordinator):
    """Trains although too few were counted."""

    def run(self, watch=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("securefl.federation.coordinator.StudyProgress", Lenient)
            return super().run(watch)


def test_a_study_whose_count_was_enough_goes_on(tmp_path):
    plan = counting(0)
    study = FollowedStudy(plan, tmp_path)
    study.run()
    assert set(study.answered().values()) == {plan.last_round}


def test_too_few_counted_and_the_study_goes_on(tmp_path):
    plan = counting(9000)
    with pytest.raises(RoundError, match="at least 9,000"):
        FollowedStudy(plan, tmp_path / "honest").run()
    assert_refused(plan, tmp_path, GoingOn, "was over by its own rule", answered=1)
