"""A round is fetched as a checked object; what the coordinator did not sign, or not announce, is not
there yet.
"""

import pytest
from conftest import fixed_identity
from in_process_federation import Room, going_on

from securefl.boards.opening import open_board
from securefl.errors import MessageError
from securefl.federation import paths
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.full_cohort import FullCohort
from securefl.federation.messages import Announcement
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.survivor_cohort import SurvivorCohort

STRANGER = fixed_identity("Stranger", "researcher")


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture
def board(tmp_path):
    return open_board(str(tmp_path))


def post(room, board, given, *names):
    at = paths.RoundPaths(room.plan.digest, 1)
    for name in names or ("key", "model", "announcement"):
        board.post(getattr(at, name), getattr(given, name))


def test_the_round_comes_with_its_key_and_its_model(room, board):
    _, given = room.announce()
    post(room, board, given)
    found = RoundInbox(room.plan).fetch(board, 1)
    assert found.said.round == 1
    assert found.public.sha256 == found.said.public_key_sha256
    site = room.plan.study.cohort[0]
    assert len(found.open_model(room.identities[site])) == 8 * room.plan.parameters


@pytest.mark.parametrize("missing", ["announcement", "key", "model"])
def test_while_one_of_the_three_is_missing_or_anothers_there_is_no_round(room, board, missing):
    _, given = room.announce()
    _, other = room.announce(sign=STRANGER.sign, key_signer=STRANGER.sign)
    inbox = RoundInbox(room.plan)
    post(room, board, given, *({"announcement", "key", "model"} - {missing}))
    assert inbox.fetch(board, 1) is None
    post(room, board, other, missing)
    assert inbox.fetch(board, 1) is None
    post(room, board, given, missing)
    assert inbox.fetch(board, 1) is not None


def test_an_announcement_is_opened_once_however_long_its_key_is_awaited(room, board, monkeypatch):
    opened, honest = [], Announcement.open

    def count(data, **how):
        opened.append(data)
        return honest(data, **how)

    monkeypatch.setattr(Announcement, "open", count)
    _, given = room.announce()
    inbox = RoundInbox(room.plan)
    post(room, board, given, "announcement")
    for _ in range(3):
        assert inbox.fetch(board, 1) is None
    post(room, board, given, "key", "model")
    assert inbox.fetch(board, 1) is not None
    assert opened == [given.announcement]


def test_another_key_or_model_than_the_announced_is_named(room):
    _, given = room.announce()
    _, other = room.announce()
    announced = AnnouncedRound.open(room.plan, given.announcement)
    with pytest.raises(MessageError, match="public key is not the one announced"):
        announced.with_payload(other.key, given.model)
    with pytest.raises(MessageError, match="sealed model is not the one announced"):
        announced.with_payload(given.key, other.model)


def test_on_dropout_alone_decides_between_the_kinds_of_round(room):
    assert isinstance(round_strategy_of(room.plan), FullCohort)
    assert isinstance(round_strategy_of(going_on(room.plan)), SurvivorCohort)
