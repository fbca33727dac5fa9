"""A stage whose two releases take turns, registered from this file alone.

It counts the patients below and above the middle of the first column, and between two such counts it
counts all of them: rounds 1, 3, 5 are one release and rounds 2 and 4 the other.
"""

from dataclasses import dataclass, field
from functools import reduce
from typing import ClassVar

import numpy as np
import pytest
from conftest import protocol_text
from in_process_federation import Room, sealed_study
from test_toy_stage import BEFORE, HalvesSection
from whole_study import whole_study

from securefl.learning.counts import release_counts, row_counts
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.roles import moves_model
from securefl.learning.stages.stage import Result, Stage
from securefl.privacy.mechanisms import Gaussian
from securefl.study.parse import parse_protocol
from securefl.study.stages import STAGES
from securefl.study.wire import count_bits

HALVES, WHOLE = 0, 1
TURNS = [HALVES, WHOLE, HALVES, WHOLE, HALVES]
KINDS = ["age-halves", "age-whole", "age-halves", "age-whole", "age-halves"]


@dataclass(frozen=True)
class TurnsResult(Result):
    """Sums of both releases, as they came."""

    halves: list[list[int]] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)

    def record(self):
        return {"halves": self.halves, "whole": self.whole}


@dataclass(frozen=True)
class TurnsLocal:
    """A hospital's end of both."""

    counts: np.ndarray
    section: HalvesSection
    draws: object
    clamped: int = 0

    def answer(self, release, public):
        exact = self.counts
        if release.kind == "age-whole":
            exact = self.counts.sum(keepdims=True)
        return release_counts(exact, self.section, self.draws)


class Turns(Stage):
    """The stage."""

    Section = HalvesSection
    short = "turns"
    nouns: ClassVar = {
        "age-halves": ("count of halves", "counts of halves"),
        "age-whole": ("count of all", "counts of all"),
    }

    def releases(self):
        return [self._release("age-halves", 3, 2), self._release("age-whole", 2, 1)]

    def _release(self, kind, rounds, length):
        s = self.section
        return Release(
            kind=kind,
            rounds=rounds,
            mechanism=Gaussian(s.noise_multiplier),
            length=length,
            bound=s.bound,
            bits=count_bits(s),
            aside=False,
            words=Words(kind, "how many there are", "to be counted"),
        )

    def schedule(self):
        return TURNS

    @property
    def epsilon(self):
        return self.section.epsilon

    def figures(self):
        return "turns"

    def start(self, earlier):
        return TurnsResult()

    def local(self, study, site, rows, draws):
        x = rows.train.one_row_each(study.privacy.unit).X
        return TurnsLocal(row_counts((x[:, 0] > 0).astype(int), 2), self.section, draws)

    def absorb(self, state, total, contributors):
        if total.size == 1:
            return TurnsResult(state.halves, [*state.whole, int(total[0])])
        return TurnsResult([*state.halves, total.tolist()], state.whole)

    def result(self, state):
        return state


TABLE = """[[stages]]
kind = "turns"
noise_multiplier = "18.54"
epsilon = "0.42"
bound = 20000

"""
FIRST = (BEFORE, TABLE + BEFORE)


@pytest.fixture(autouse=True)
def registered():
    take_away = STAGES.register("turns", Turns)
    yield
    take_away()


def test_its_releases_take_turns_and_each_keeps_its_own_count():
    plan = sealed_study(FIRST)[1]
    steps = [plan.step(number) for number in range(1, 6)]
    assert [step.release.kind for step in steps] == KINDS
    assert [step.turn for step in steps] == [1, 1, 2, 2, 3]
    assert [step.first for step in steps] == [True, False, False, False, False]
    assert [step.words for step in steps][2:4] == ["round 2 of 3", "round 2 of 2"]
    assert not any(moves_model(step) for step in steps)
    assert plan.kind(6) == "update"
    assert plan.step(6).first
    assert moves_model(plan.step(6))
    charged = [(c.purpose, c.mechanism.count) for c in charges_of(plan.study)]
    assert charged[:2] == [("age-halves", 3), ("age-whole", 2)]


def test_a_whole_study_runs_in_that_order_and_each_sum_is_exact():
    room = Room(sealed_study(FIRST)[1])
    outcome = room.coordinator().run()
    assert [r.kind for r in outcome.records][:5] == KINDS
    sums = [
        reduce(np.add, [h.produced[place] for h in room.hospitals.values()]).tolist()
        for place in range(5)
    ]
    result = outcome.results[0]
    assert result.halves == sums[::2]
    assert [[whole] for whole in result.whole] == sums[1::2]


def test_agents_approve_charge_run_and_audit_it_and_the_researcher_verifies_all(
    tmp_path, monkeypatch
):
    done = whole_study(tmp_path, FIRST, patch=monkeypatch)
    done.check_models()
    (found, *_) = done.study.report()["stages"]
    assert found == {"kind": "turns", **done.result.outcome.results[0].record()}
    for said in done.audits().values():
        assert "rounds 1 to 5: 3 counts of halves" in said
        assert said.count(": count of all, ") == 2


@pytest.mark.parametrize("turns", [TURNS[:-1], [*TURNS, WHOLE], [0, 0, 0, 0, 1]])
def test_a_schedule_that_is_not_what_is_charged_is_refused(monkeypatch, turns):
    """A round too many would leave a hospital uncharged; control: the stage's own order is taken."""
    study = parse_protocol(protocol_text(FIRST))
    assert Programme(study).at(5).release.kind == "age-halves"
    monkeypatch.setattr(Turns, "schedule", lambda _stage: turns)
    with pytest.raises(ValueError, match="the schedule of stage 0 is not the rounds"):
        Programme(study).at(1)
