"""A hospital that was away verifies what went on without it, a round after the other."""

import shutil
from types import SimpleNamespace

import pytest
from followed_study import FollowedStudy, hide
from in_process_federation import RUN_KEYS, SITES, going_on, sealed_study

from securefl.boards.opening import open_board
from securefl.errors import BrokenRuleError, RoundError
from securefl.federation.coordinator import Coordinator
from securefl.federation.following import Following
from securefl.federation.round_board import RoundBoard
from securefl.federation.verified_totals import VerifiedTotals

FIVE = going_on(
    sealed_study(
        ("rounds = 4", "rounds = 2"),
        ("steps = 4", "steps = 2"),
        ("min_contributors = 5", "min_contributors = 4"),
        names=tuple(sorted(SITES)),
    )[1]
)
#: The rounds before the one in which the hospital takes part again.
LAST = FIVE.last_round - 1
AWAY, OTHER = FIVE.study.cohort[1], FIVE.study.cohort[0]


class LeavingAway(Coordinator):
    """From the second round on, one hospital is away and is not asked."""

    def _announce(self, number, theta, keys):
        if number == 2:
            self._exchange.away.add(AWAY)
            self._cohort = tuple(site for site in self._cohort if site != AWAY)
        return super()._announce(number, theta, keys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def gone_on(folder):
    study = FollowedStudy(FIVE, folder, LeavingAway, checked=False)
    study.run()
    return study


class Return:
    """The hospital is back, on a board of its own, by the test's clock."""

    def __init__(self, study, root):
        self.now, self.kept = 1000.0, []
        self.board = open_board(root.as_uri())
        self.participant = SimpleNamespace(following=Following(FIVE), done=LAST, name=AWAY)
        reader = study.room.identities[AWAY].with_sealing_key(RUN_KEYS[AWAY])
        self.totals = VerifiedTotals(FIVE, reader, lambda: self.now, self._keep)

    def _keep(self, number, total, contributors):
        self.kept.append((number, total.tolist(), contributors))

    def __call__(self):
        return self.totals.catch_up(self.board, self.participant)

    @property
    def verified(self):
        return self.participant.following.verified

    def at(self, number):
        return RoundBoard.numbered(self.board, FIVE.digest, number)


@pytest.fixture
def back(gone_on, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "board")
    return Return(gone_on, tmp_path / "board")


def sums(study, number):
    """The round's total and how many it is of, by what the hospitals gave."""
    given = [
        one.produced[number - 1]
        for one in study.room.hospitals.values()
        if len(one.produced) >= number
    ]
    return number, sum(given).tolist(), len(given)


def test_each_missed_round_is_verified_once_and_in_order(back, gone_on):
    answers = []
    for _ in range(LAST):
        assert back.totals.missing == ""
        answers.append(back())
    assert answers == [False] * (LAST - 1) + [True]
    assert back.kept == [sums(gone_on, n) for n in range(1, LAST + 1)]
    assert [k[2] for k in back.kept] == [5] + [4] * (LAST - 1)
    assert back()  # nothing is left
    assert len(back.kept) == LAST


def test_only_as_far_as_the_hospital_has_to(back):
    back.participant.done = 1
    assert back()
    assert back()
    assert back.verified == 1
    back.participant.following = None
    assert back()


@pytest.mark.parametrize(
    ("slot", "words"),
    [
        (lambda at: at.announcement, "the announcement of round 2 is not in the store"),
        (lambda at: at.key, "the announcement of round 2 is not in the store"),
        (lambda at: at.opening(), "the coordinator has not shown the opening of round 2"),
        (lambda at: at.contribution(OTHER), OTHER),
    ],
    ids=["announcement", "key", "opening", "contribution"],
)
def test_what_is_not_there_is_named_and_looked_for_again_after_a_while(back, slot, words):
    back()
    again = hide(back.board, slot(back.at(2)))
    assert not back()
    assert words in back.totals.missing
    again()
    back.now += 0.49
    assert not back()
    assert back.verified == 1
    back.now += 0.02
    assert back() == (LAST == 2)
    assert back.verified == 2
    assert back.totals.missing == ""


def test_what_stays_away_is_looked_for_less_often_until_it_is_there(back, monkeypatch):
    looks, real = [], back.totals._take_missed
    monkeypatch.setattr(
        back.totals, "_take_missed", lambda *given: (looks.append(back.now), real(*given))[1]
    )
    again = hide(back.board, back.at(1).opening())
    for _ in range(300):
        back()
        back.now += 0.5
    first, last = looks[:20], looks[-20:]
    assert last[-1] - last[0] > 1.5 * (first[-1] - first[0])
    again()
    back.now += 4000.0
    back()
    assert back.verified == 1
    hide(back.board, back.at(2).opening())
    back()
    back.now += 0.5
    looks.clear()
    back()
    assert looks == [back.now]  # as often as at first


def test_a_round_that_starts_from_something_else_is_the_coordinators_fault(back):
    back.participant.following._expected = (1, "0" * 64)
    with pytest.raises(BrokenRuleError, match="round 1 does not start from"):
        back()
    assert back.kept == []


def test_another_total_than_the_one_of_the_signed_frames_is_refused(back, monkeypatch):
    monkeypatch.setattr("securefl.federation.verified_totals.total_sha256", lambda _: "0" * 64)
    with pytest.raises(BrokenRuleError, match="the total of round 1 that it names"):
        back()
    assert (back.kept, back.verified) == ([], 0)


def test_an_opening_for_others_is_no_opening(back, gone_on):
    reader = gone_on.room.identities[AWAY]
    back.totals = VerifiedTotals(FIVE, reader, lambda: back.now, back._keep)
    with pytest.raises(BrokenRuleError, match="the opening of round 1 is none"):
        back()
    assert back.kept == []


def test_an_announcement_in_anothers_place_is_no_announcement(back):
    back()
    back.at(2).announcement.post(back.at(1).announcement.read())
    assert not back()
    assert "round 2" in back.totals.missing
    assert back.verified == 1


def test_a_sum_that_does_not_open_is_waited_for(back, monkeypatch):
    def refuse(*_):
        raise RoundError("no sum of these")

    monkeypatch.setattr(back.totals._rounds, "missed_sum", refuse)
    assert not back()
    assert back.totals.missing == "no sum of these"


def test_what_was_waited_for_long_is_looked_at_at_once_when_something_came(back):
    again = hide(back.board, back.at(1).opening())
    for _ in range(300):
        back()
        back.now += 0.5
    back()
    assert back.totals._retry.remaining > 0.5
    again()
    back.totals.look_soon()
    back()
    assert back.verified == 1
