"""A hospital that signs two contributions to a round and exchanges the one in the store after the
opening: the others cannot verify the total, and must not accuse an honest coordinator of it.

Control: a coordinator whose total is wrong is accused, with every frame as it was.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from followed_study import FollowedStudy
from test_coordinator_off_the_rule import FULL, KEYED, Off

from securefl.errors import BrokenRuleError, RoundError, SecureFLError
from securefl.federation.coordinator import Coordinator
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of

BOTH = pytest.mark.parametrize("plan", [FULL, KEYED], ids=["direct", "keyed"])


class Exchanged(Coordinator):
    """Honest; between two rounds one hospital puts another frame of its own in the place of its
    first.
    """

    def _tell(self, finished, context, transcript):
        super()._tell(finished, context, transcript)
        if context.round == 1:
            self.exchange(context)

    def exchange(self, facts):
        site = facts.cohort[0]
        hospital = self._exchange.hospitals[site]
        second = io.BytesIO()
        round_strategy_of(self._plan).write_contribution(
            second,
            np.ones(facts.length, dtype=np.int64),
            context=facts,
            public=hospital.last.public,
            keys=hospital._keys,
            cipher=hospital._cipher,
        )
        second.seek(0)
        RoundBoard.of(self._exchange.board, facts).contribution(site).post_file(second)


class Hidden(Exchanged):
    """The same, and the store hides the coordinator's transcript."""

    def _tell(self, finished, context, transcript):
        self._exchange.leave = lambda number, transcript: None
        super()._tell(finished, context, transcript)


@BOTH
def test_the_frame_that_was_exchanged_is_named_and_nobody_trains_on(plan, tmp_path):
    study = FollowedStudy(plan, tmp_path, Exchanged)
    with pytest.raises(SecureFLError):
        study.run()
    assert set(study.refused) == set(plan.study.cohort)
    first = plan.study.cohort[0]
    for found in study.refused.values():
        assert isinstance(found, RoundError)
        assert not isinstance(found, BrokenRuleError)
        assert found.whose == f"{first}, which signed two, or the coordinator, which names another"
        assert "is another than the coordinator says it added" in found.what
    assert set(study.answered().values()) == {1}


def test_without_the_transcript_nobody_is_accused_yet(tmp_path):
    study = FollowedStudy(FULL, tmp_path, Hidden)
    with pytest.raises(SecureFLError):
        study.run()
    for found in study.refused.values():
        assert "transcript of round 1 is not in the store" in found.what
    assert set(study.answered().values()) == {1}


@BOTH
def test_the_control_a_wrong_total_over_the_frames_that_were_added(plan, tmp_path):
    study = FollowedStudy(plan, tmp_path, Off)
    with pytest.raises(BrokenRuleError):
        study.run()
    for found in study.refused.values():
        assert found.code == "rule-broken"
        assert found.whose == "the coordinator"
