"""A coordinator that is killed anywhere and started again goes on with the same bytes: the study
ends as if nothing had happened, and no sum is opened twice.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from in_process_federation import going_on
from killed_run import FULL, KilledError, KilledStudy, Killer

from securefl.errors import MessageError, RoundError, UnreadableError
from securefl.federation import run_memory
from securefl.federation.round_board import RoundBoard
from securefl.federation.run_memory import check_same_parts
from securefl.federation.transcript import Transcript, transcript_sha256
from securefl.researcher.durable_run import DurableRun

SURVIVING = going_on(FULL)
PLANS = {"full": FULL, "survivors": SURVIVING}
#: Cases in each run of the tests; `SECUREFL_FAULT_CASES=all` goes through every one.
CASES = 40
SEED = 13


def every_act(plan, folder, monkeypatch):
    """The names of all that a coordinator does in an undisturbed study, and its outcome."""
    study, killer = KilledStudy(plan, folder), Killer()
    assert not study.killed_at(monkeypatch, killer)
    return killer.acts, study.restarted().run()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        return {
            name: every_act(plan, tmp_path_factory.mktemp(name), patched)
            for name, plan in PLANS.items()
        }


def cases():
    """Places at which a coordinator is killed: plan, number of the act, before or after it.

    How many acts there are is held by a test.
    """
    found = [
        (name, act, after) for name, acts in ACTS.items() for act in range(acts) for after in (0, 1)
    ]
    if os.environ.get("SECUREFL_FAULT_CASES") == "all":
        return found
    return sorted(random.Random(SEED).sample(found, CASES))


ACTS = {"full": 28, "survivors": 32}


def test_the_acts_among_which_kills_are_drawn_are_all_there_are(undisturbed):
    assert {name: len(acts) for name, (acts, _) in undisturbed.items()} == ACTS


def test_an_undisturbed_run_goes_over_its_rounds_again_to_the_same_outcome(undisturbed):
    for name, (acts, outcome) in undisturbed.items():
        assert len(outcome.records) == PLANS[name].last_round
        assert {"write_secret", "erase_file", "broadcast", "show", "leave"} <= set(acts)


@pytest.mark.parametrize(("name", "place", "after"), cases())
def test_killed_anywhere_it_goes_on_to_the_same_model(
    undisturbed, name, place, after, tmp_path, monkeypatch
):
    plan, (_, expected) = PLANS[name], undisturbed[name]
    study = KilledStudy(plan, tmp_path)
    assert study.killed_at(monkeypatch, Killer(place, bool(after)))
    outcome = study.restarted().run()

    assert np.array_equal(outcome.theta, expected.theta)
    assert len(outcome.records) == plan.last_round
    assert set(study.answered().values()) == {plan.last_round}  # nobody trained twice
    assert_one_wording(study)
    assert_whole_chain(study, outcome)
    assert not list(study.lab.rglob("secret"))
    assert not study.refused
    assert all(study.exchange.end().values())


def assert_one_wording(study):
    """What binds the others was posted in one wording, however often it was posted."""
    found = study.posted.wordings("/announcement", "/key", "/model", "/survivors", "/opening")
    assert found
    assert set(found.values()) == {1}


def assert_whole_chain(study, outcome):
    """The transcripts in the store are those of the outcome, each naming the one before."""
    before = b""
    for number, transcript in enumerate(outcome.transcripts, 1):
        at = RoundBoard.numbered(study.board, study.room.plan.digest, number)
        assert at.transcript.read() == transcript
        read = Transcript.open(
            transcript, study=study.room.plan.digest, verify=study.room.plan.coordinator
        )
        assert read.previous == (transcript_sha256(before) if before else "")
        before = transcript


def test_killed_again_and_again_it_still_ends(undisturbed, tmp_path, monkeypatch):
    study = KilledStudy(SURVIVING, tmp_path)
    kills = [study.killed_at(monkeypatch, Killer(place, after=True)) for place in range(1, 9)]
    assert all(kills)
    assert np.array_equal(study.restarted().run().theta, undisturbed["survivors"][1].theta)
    assert_one_wording(study)


def test_the_named_steps_are_written_in_their_order(tmp_path):
    steps = []

    class Told(DurableRun):
        def begin(self, *given):
            steps.append("round")
            super().begin(*given)

        def finish(self, finished):
            super().finish(finished)
            steps.append("total")

        def opening(self, number):
            return ToldOpening(super().opening(number))

    class ToldOpening:
        def __init__(self, opening):
            self.survivors, self._opening = opening.survivors, opening

        def keep_survivors(self, proposal):
            steps.append("survivors")
            self._opening.keep_survivors(proposal)

        def intend(self, parts):
            steps.append("intent")
            self._opening.intend(parts)

    study = KilledStudy(SURVIVING, tmp_path)
    study.coordinator._memory = Told(tmp_path / "lab")
    study.run()
    assert tuple(steps) == run_memory.STEPS * SURVIVING.last_round


def killed_in_round_2(plan, folder, monkeypatch, act, *, after):
    """A study whose coordinator was killed at an act of its second round."""
    study, killer = KilledStudy(plan, folder), Killer()
    probe = KilledStudy(plan, folder / "probe")
    probe.killed_at(monkeypatch, killer)
    place = [n for n, name in enumerate(killer.acts) if name == act][1]
    assert study.killed_at(monkeypatch, Killer(place, after))
    return study


def test_keys_lie_in_a_private_file_and_only_while_their_round_goes_on(tmp_path, monkeypatch):
    study = killed_in_round_2(FULL, tmp_path, monkeypatch, "broadcast", after=True)
    (secret,) = study.lab.rglob("secret")
    assert secret.parent.name == "00002"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert (study.lab / "run").stat().st_mode & 0o777 == 0o700
    DurableRun(study.lab).erase_keys()
    assert not list(study.lab.rglob("secret"))


def test_an_altered_total_ends_the_study(tmp_path, monkeypatch):
    study = killed_in_round_2(FULL, tmp_path, monkeypatch, "broadcast", after=True)
    file = study.lab / "run" / "totals" / "00001"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UnreadableError, match="altered or damaged"):
        study.restarted().run()


def test_a_total_of_another_study_does_not_fit_the_announced_round(tmp_path, monkeypatch):
    study = killed_in_round_2(FULL, tmp_path, monkeypatch, "broadcast", after=True)
    ((_, total, hospitals),) = DurableRun(study.lab)._totals.all()
    DurableRun(study.lab)._totals.keep(1, total + 1, hospitals)
    with pytest.raises(RoundError, match="does not start from what the totals in this folder make"):
        study.restarted().run()


@pytest.mark.parametrize("name", ["key", "model"])
def test_altered_bytes_are_not_posted(tmp_path, monkeypatch, name):
    study = killed_in_round_2(FULL, tmp_path, monkeypatch, "broadcast", after=False)
    (study.lab / "run" / "00002" / name).write_bytes(b"other bytes")
    with pytest.raises(MessageError):
        study.restarted().run()
    at = RoundBoard.numbered(study.board, FULL.digest, 2)
    assert at.announcement.read() is None


def test_another_record_is_no_record(tmp_path, monkeypatch):
    study = killed_in_round_2(FULL, tmp_path, monkeypatch, "broadcast", after=True)
    (study.lab / "run" / "00001" / "record").write_bytes(b"{}")
    with pytest.raises(UnreadableError, match="record was altered or damaged"):
        study.restarted().run()


def test_whose_contribution_is_another_is_named():
    check_same_parts(1, {"A": "1", "B": "2"}, {"B": "2", "A": "1"})
    with pytest.raises(RoundError, match="contribution of B, C is not") as caught:
        check_same_parts(1, {"A": "1", "B": "2"}, {"A": "1", "C": "2"})
    assert caught.value.next_step


def test_a_kill_is_not_caught_by_the_program(tmp_path, monkeypatch):
    study = KilledStudy(FULL, tmp_path)

    def killed(*_):
        raise KilledError

    monkeypatch.setattr(study.exchange, "broadcast", killed)
    with pytest.raises(KilledError):
        study.restarted().run()
