"""A hospital that exchanges its frame while the coordinator is down, between the intent to open and
the opening: a sum may have been opened already, and another one is not.

Control: without the durable intent the resumed coordinator opens the other sum under the same key.
The two differ by the difference of that hospital's two frames alone.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from in_process_federation import going_on, grouped_study
from killed_run import FULL, KilledStudy, Killer

from securefl.errors import MessageError, RoundError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.learning.robust_sums import combined
from securefl.researcher.durable_run import DurableRun

GROUPED = grouped_study(("rounds = 4", "rounds = 1"), ("steps = 4", "steps = 1"))


def killed_with_intent(plan, folder, monkeypatch):
    """A study whose coordinator was killed when it was about to open the first sum."""
    study, killer = KilledStudy(plan, folder), Killer()
    probe = KilledStudy(plan, folder / "probe")
    probe.killed_at(monkeypatch, killer)
    asked = killer.acts.index("conclude" if "conclude" in killer.acts else "collect")
    assert killer.acts[asked + 1] == "replace_file"
    assert study.killed_at(monkeypatch, Killer(asked + 1, after=True))
    assert (study.lab / "run" / "00001" / "intent").exists()
    assert not (study.lab / "run" / "00001" / "record").exists()
    return study


def exchange_frame(study, plan):
    """The first hospital puts another frame of ones in the place of its own; its first numbers."""
    site = plan.study.cohort[0]
    hospital = study.exchange.hospitals[site]
    at = RoundBoard.numbered(study.board, plan.digest, 1)
    context = AnnouncedRound.open(plan, at.announcement.read()).checked_context()
    second = io.BytesIO()
    round_strategy_of(plan).write_contribution(
        second,
        np.ones(context.length, dtype=np.int64),
        context=context,
        public=hospital.last.public,
        keys=hospital._keys,
        cipher=hospital._cipher,
    )
    second.seek(0)
    at.contribution(site).post_file(second)
    return study.room.hospitals[site].produced[0]


def truth(study):
    produced = {site: hospital.produced[0] for site, hospital in study.room.hospitals.items()}
    if not study.room.plan.draws_groups:
        return sum(produced.values())
    groups = study.room.lot.groups(3)
    sums = [sum(produced[site] for site in group) for group in groups]
    return combined(sums, [len(group) for group in groups], "median")


@pytest.mark.parametrize("plan", [FULL, GROUPED], ids=["full", "by groups"])
def test_a_sum_that_may_have_been_opened_is_opened_to_the_same_integers(
    plan, tmp_path, monkeypatch
):
    study = killed_with_intent(plan, tmp_path, monkeypatch)
    study.restarted().run()
    first = next(iter(DurableRun(study.lab)._totals.all()))[1]
    assert np.array_equal(first, truth(study))


@pytest.mark.parametrize("plan", [FULL, GROUPED], ids=["full", "by groups"])
def test_a_frame_exchanged_in_between_is_refused_and_its_hospital_named(
    plan, tmp_path, monkeypatch
):
    study = killed_with_intent(plan, tmp_path, monkeypatch)
    exchange_frame(study, plan)
    with pytest.raises(RoundError, match="may have been opened before") as caught:
        study.restarted().run()
    assert plan.study.cohort[0] in caught.value.whose
    assert not list(DurableRun(study.lab)._totals.all())


def test_a_survivors_frame_exchanged_in_between_is_not_the_one_that_was_signed(
    tmp_path, monkeypatch
):
    plan = going_on(FULL)
    study = killed_with_intent(plan, tmp_path, monkeypatch)
    exchange_frame(study, plan)
    gather = study.exchange.gather
    monkeypatch.setattr(study.exchange, "gather", lambda arrivals, _: gather(arrivals, 0.3))
    with pytest.raises(MessageError, match="is not the one in the survivor set"):
        study.restarted().run()
    assert not list(DurableRun(study.lab)._totals.all())


def test_control_without_the_intent_two_sums_open_whose_difference_is_one_hospitals(
    tmp_path, monkeypatch
):
    study = killed_with_intent(FULL, tmp_path, monkeypatch)
    first = truth(study)  # as the killed process may have opened it
    own = exchange_frame(study, FULL)
    (study.lab / "run" / "00001" / "intent").unlink()
    study.restarted().run()  # nobody sees it: frames, total and transcript agree
    second = next(iter(DurableRun(study.lab)._totals.all()))[1]
    assert np.array_equal(first - second, own - 1)
