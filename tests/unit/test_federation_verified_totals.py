"""A hospital's look at what came of the round that it answered: when it waits, and for what."""

import io
import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from followed_study import FollowedStudy, hide
from in_process_federation import RUN_KEYS, sealed_study

from securefl.boards.opening import open_board
from securefl.errors import BrokenRuleError, MessageError, RoundError
from securefl.federation import streamed_sum
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.streamed_sum import StreamedWhole
from securefl.federation.verified_totals import VerifiedTotals

ME, OTHER = "STMW", "SVHC"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def ended(folder):
    """A study whose last total nobody has verified yet."""
    study = FollowedStudy(sealed_study()[1], folder)
    study.run()
    return study


class Taken:
    """In the place of what follows the coordinator: remembers the totals."""

    verified = 0

    def __init__(self):
        self.totals = []

    def take(self, number, total, contributors):
        self.totals.append((number, total.tolist(), contributors))
        self.verified = number


class Look:
    """One hospital that looks at the last round, on a board of its own, by the test's clock."""

    def __init__(self, study, root, name=ME):
        self.plan, self.now = study.room.plan, 1000.0
        self.board = open_board(root.as_uri())
        answered = study.exchange.hospitals[name]
        self.facts = answered.last.facts
        self.at = RoundBoard.of(self.board, self.facts)
        self.participant = SimpleNamespace(
            name=name, following=Taken(), last=answered.last, later=answered.later
        )
        reader = study.room.identities[name].with_sealing_key(RUN_KEYS[name])
        self.kept = []
        self.totals = VerifiedTotals(self.plan, reader, lambda: self.now, self._keep)

    def __call__(self):
        return self.totals.verify(self.board, self.participant)

    def _keep(self, number, total, contributors):
        assert not self.taken  # what is kept is durable before anything follows from it
        self.kept.append((number, total.tolist(), contributors))

    @property
    def taken(self):
        return self.participant.following.totals


@pytest.fixture
def look(ended, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "board")
    return Look(ended, tmp_path / "board")


def exchange(look, study):
    """Another hospital puts a second frame of its own in the place of its first."""
    hospital, second = study.exchange.hospitals[OTHER], io.BytesIO()
    round_strategy_of(look.plan).write_contribution(
        second,
        np.ones(look.facts.length, dtype=np.int64),
        context=look.facts,
        public=hospital.last.public,
        keys=hospital._keys,
        cipher=hospital._cipher,
    )
    second.seek(0)
    look.at.contribution(OTHER).post_file(second)


def test_the_total_of_the_signed_frames_is_taken_once(look, ended):
    assert look.totals.missing == ""
    assert look()
    assert look()
    summed = sum(numbers.produced[-1] for numbers in ended.room.hospitals.values())
    assert look.taken == [(look.plan.last_round, summed.tolist(), 3)]
    assert look.kept == look.taken
    assert look.totals.missing == ""


def test_what_was_verified_is_not_looked_at_again(look):
    look.participant.following.verified = look.facts.round
    hide(look.board, look.at.opening())
    assert look()
    assert look.taken == []


def test_without_an_opening_a_hospital_waits_and_says_for_what(look):
    back = hide(look.board, look.at.opening())
    assert not look()
    assert look.totals.missing == "the coordinator has not shown the opening of the last round"
    back()
    assert look()
    assert look.totals.missing == ""
    assert len(look.taken) == 1


def test_a_frame_that_is_not_there_is_named_and_looked_for_again_after_a_while(look):
    back = hide(look.board, look.at.contribution(OTHER))
    assert not look()
    assert OTHER in look.totals.missing
    back()
    assert not look()  # half a second has not passed
    look.now += 0.49
    assert not look()
    look.now += 0.02
    assert look()
    assert look.totals.missing == ""


def test_what_stays_away_is_looked_for_less_and_less_often(look, monkeypatch):
    hide(look.board, look.at.contribution(OTHER))
    looks = []
    sound = look.totals._open
    monkeypatch.setattr(
        look.totals, "_open", lambda *given: (looks.append(look.now), sound(*given))[1]
    )
    look()
    look.now += 0.5
    look()
    assert looks == [1000.0, 1000.5]
    look.now += 4000.0
    look()
    assert len(looks) == 3
    for seconds in range(30):
        assert len(looks) == 3, seconds
        look.now += 1.0
        look()
    assert len(looks) == 4


def test_after_a_total_the_next_is_looked_for_as_often_as_at_first(look):
    back = hide(look.board, look.at.contribution(OTHER))
    for _ in range(300):
        look()
        look.now += 0.5
    back()
    look.now += 4000.0
    assert look()
    look.participant.following = Taken()
    hide(look.board, look.at.contribution(OTHER))
    look.kept.clear()
    assert not look()
    assert look.totals._retry.remaining == pytest.approx(0.5)


def test_a_key_that_is_not_the_announced_ones_is_no_opening(look, monkeypatch):
    def another(public, secret):
        assert len(secret.values) == public.ring.degree
        raise MessageError("It is another key.")

    monkeypatch.setattr("securefl.federation.verified_totals.check_secret", another)
    with pytest.raises(BrokenRuleError, match="the opening of round 5 is none: It is another key"):
        look()
    assert look.taken == []


def test_an_opening_that_is_not_for_this_hospital_is_the_coordinators_fault(look, ended):
    look.totals = VerifiedTotals(look.plan, ended.room.identities[ME], lambda: look.now)
    with pytest.raises(BrokenRuleError, match="the opening of round 5 is none"):
        look()
    assert look.taken == []


def test_who_is_not_shown_the_last_opening_has_nothing_to_verify(ended, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "board")
    look = Look(ended, tmp_path / "board")
    look.participant.name = "a hospital that was in no sum"
    hide(look.board, look.at.opening())
    assert look()
    assert look.taken == []


@pytest.mark.parametrize("gone", [True, False], ids=["no transcript", "of another round"])
def test_before_anybody_is_accused_the_transcript_must_be_there(look, ended, gone):
    exchange(look, ended)
    if gone:
        hide(look.board, look.at.transcript)
    else:
        before = RoundBoard.numbered(look.board, look.plan.digest, look.facts.round - 1)
        look.at.transcript.post(before.transcript.read())
    assert not look()
    assert look.totals.missing == "the coordinator's transcript of round 5 is not in the store"


def test_a_frame_that_was_exchanged_is_its_hospitals(look, ended):
    exchange(look, ended)
    with pytest.raises(RoundError, match=f"The contribution of {OTHER} to round 5") as found:
        look()
    assert not isinstance(found.value, BrokenRuleError)
    assert found.value.whose.startswith(f"{OTHER}, which signed two")


@pytest.fixture
def unopened(monkeypatch):
    """No sum opens."""

    def refuse(*_given, **_more):
        raise RoundError("The margin is too small.")

    monkeypatch.setattr(streamed_sum, "open_sum", refuse)


@pytest.mark.usefixtures("unopened")
def test_a_sum_of_the_named_frames_that_does_not_open_is_the_coordinators(look):
    with pytest.raises(BrokenRuleError, match=r"does not open the sum of round 5: The margin"):
        look()


@pytest.mark.usefixtures("unopened")
def test_a_sum_that_does_not_open_for_an_exchanged_frame_is_its_hospitals(look, ended):
    exchange(look, ended)
    with pytest.raises(RoundError, match=f"The contribution of {OTHER}"):
        look()


@pytest.mark.usefixtures("unopened")
def test_frames_that_the_survivors_signed_need_no_transcript(look, monkeypatch):
    rounds = look.totals._rounds

    @contextmanager
    def signed(*given):
        with rounds.streamed_sum(*given) as summed:
            yield StreamedWhole(summed.blocks)

    known = SimpleNamespace(
        contributors=rounds.contributors, round_digest=rounds.round_digest, streamed_sum=signed
    )
    monkeypatch.setattr(look.totals, "_rounds", known)
    hide(look.board, look.at.transcript)
    with pytest.raises(BrokenRuleError, match="does not open the sum of round 5"):
        look()
