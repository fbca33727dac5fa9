"""Contributions are checked and added as they come; what fails is not there yet, and is named in
the end.
"""

import hashlib
import io
from contextlib import closing

import numpy as np
import pytest
from boards import FolderBoard
from in_process_federation import NAMES, Room, announced_context, in_memory
from secagg_whole import read_sum

from securefl.errors import MessageError, RoundError, StoreError
from securefl.federation import paths, tempfiles
from securefl.federation.full_round import FullRound


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture(scope="module")
def answers(room):
    """The announcement of round 1, and every hospital's frame."""
    _, given = room.announce()
    frames = {}
    for site in NAMES:
        me = room.participant(
            site, trainer=lambda *_: np.ones(room.plan.parameters, dtype=np.int64), keeper=in_memory
        )
        frames[site] = me.answer(given).read()
    return given.announcement, frames


class Counting(FolderBoard):
    """Counts how often a contribution was opened."""

    opened = 0

    def open(self, path, max_bytes):
        self.opened += "/contributions/" in path
        return super().open(path, max_bytes)


@pytest.fixture
def store(tmp_path):
    return Counting(str(tmp_path))


@pytest.fixture
def arrivals(room, answers):
    with closing(FullRound(room.plan, announced_context(room.plan, answers[0]))) as made:
        yield made


def at(room):
    return paths.RoundPaths(room.plan.digest, 1)


def put(store, room, site, frame):
    store.post(at(room).contribution(site), frame)


def total_of(arrivals):
    return np.concatenate(list(arrivals.sum_blocks()))


def test_each_is_taken_in_once_and_one_at_a_time(room, store, answers, arrivals):
    assert not arrivals.poll_frames(store)
    for count, (site, frame) in enumerate(answers[1].items(), 1):
        put(store, room, site, frame)
        assert arrivals.poll_frames(store)
        assert not arrivals.poll_frames(store)
        assert len(arrivals.parts) == count
        assert bool(arrivals.missing) == (count < len(NAMES))
    assert arrivals.parts == {
        site: hashlib.sha256(frame).hexdigest() for site, frame in answers[1].items()
    }
    assert arrivals.frame_bytes == max(map(len, answers[1].values()))


def test_a_stranger_is_nobody_to_wait_for(room, store, arrivals):
    put(store, room, "Stranger", b"not asked for")
    assert not arrivals.poll_frames(store)
    assert arrivals.parts == {}


WRONG = {
    "empty": lambda frames: b"",
    "garbage": lambda frames: b"garbage",
    "too long": lambda frames: frames[NAMES[0]] + bytes(10_000_000),
    "truncated": lambda frames: frames[NAMES[0]][:-1],
    "altered": lambda frames: frames[NAMES[0]][:-1] + bytes([frames[NAMES[0]][-1] ^ 1]),
    "another's": lambda frames: frames[NAMES[1]],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_the_hospitals_contribution_is_not_there_yet(
    room, store, answers, arrivals, wrong
):
    """Whoever can write into the store can put anything under a hospital's name; only that
    hospital's own frame counts.
    """
    first, *others = NAMES
    for site in others:
        put(store, room, site, answers[1][site])
    put(store, room, first, WRONG[wrong](answers[1]))
    while arrivals.poll_frames(store):
        pass
    assert arrivals.missing == (first,)
    assert arrivals.missing_words().startswith(f"{first} (")
    with pytest.raises(RoundError, match="nothing can be opened") as caught:
        arrivals.sum_blocks()
    assert caught.value.whose == first
    store.opened = 0
    assert not arrivals.poll_frames(store)
    assert store.opened == 0  # it is looked at again when it changed
    put(store, room, first, answers[1][first])
    assert arrivals.poll_frames(store)
    assert arrivals.missing == ()
    assert arrivals.refused == {}


def test_one_that_is_exchanged_after_its_check_changes_nothing_here(room, store, answers, arrivals):
    for site, frame in answers[1].items():
        put(store, room, site, frame)
    while arrivals.poll_frames(store):
        pass
    before = total_of(arrivals)
    put(store, room, NAMES[0], b"another")
    assert not arrivals.poll_frames(store)
    assert np.array_equal(total_of(arrivals), before)


def test_the_sum_is_the_same_whatever_came_first(room, answers, arrivals):
    for site in NAMES:
        arrivals.add_frame(site, io.BytesIO(answers[1][site]))
    with closing(FullRound(room.plan, arrivals.facts)) as other:
        for site in NAMES[::-1]:
            other.add_frame(site, io.BytesIO(answers[1][site]))
        assert np.array_equal(total_of(other), total_of(arrivals))
        assert room.aggregator.add(other).read() == room.aggregator.add(arrivals).read()


def test_the_aggregators_sum_is_read_when_it_signed_it_and_not_before(
    room, store, answers, arrivals
):
    for site in NAMES:
        arrivals.add_frame(site, io.BytesIO(answers[1][site]))
    assert arrivals.poll_sum(store) is None
    whole = room.aggregator.add(arrivals).read()
    for junk in (b"junk", whole[:-1], whole + b"x"):
        store.post(at(room).sum, junk)
        assert arrivals.poll_sum(store) is None
        with pytest.raises(MessageError) as caught:
            arrivals.check_sum(io.BytesIO(junk))
        assert caught.value.whose == "Aggregator"
    store.post(at(room).sum, whole)
    claimed = arrivals.poll_sum(store)
    assert (claimed.sha256, claimed.parts) == (hashlib.sha256(whole).hexdigest(), arrivals.parts)
    assert np.array_equal(np.concatenate(list(claimed.blocks())), total_of(arrivals))
    assert np.array_equal(
        read_sum(whole, arrivals.facts, "Aggregator", room.operator.card.verify).ciphertext,
        total_of(arrivals),
    )


def test_a_full_disk_is_said_as_such_and_nothing_is_taken(
    room, store, answers, arrivals, monkeypatch
):
    put(store, room, NAMES[0], answers[1][NAMES[0]])

    def full(*_, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(arrivals._sum, "_in_memory", 0)
        during.setattr(tempfiles.tempfile, "TemporaryFile", full)
        with pytest.raises(StoreError, match="No space left on device"):
            arrivals.poll_frames(store)
    assert arrivals.parts == {}
    assert arrivals.poll_frames(store)
