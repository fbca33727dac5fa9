"""Contributions are checked as they come; what fails is not there yet, and is named in the end."""

import numpy as np
import pytest
from federation_room import NAMES, Room, in_memory

from securefl.federation import paths
from securefl.federation.aggregator import announced_facts
from securefl.federation.arrivals import Arrivals
from securefl.store import Store


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture(scope="module")
def answers(room):
    """The announcement of round 1, and every hospital's frame."""
    _, given = room.announce()
    frames = {}
    for site in NAMES:
        me = room.participant(site, trainer=lambda *_: np.ones(room.plan.parameters, dtype=np.int64), keeper=in_memory)
        frames[site] = me.answer(given).read()
    return given.announcement, frames


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


@pytest.fixture
def arrivals(room, store, answers):
    return Arrivals(store, room.plan, announced_facts(room.plan, answers[0]))


def put(store, room, site, frame):
    store.put(paths.RoundPaths(room.plan.digest, 1, 1).contribution(site), frame)


def test_each_is_taken_in_once_and_one_at_a_time(room, store, answers, arrivals):
    assert not arrivals.look()
    for count, (site, frame) in enumerate(answers[1].items(), 1):
        put(store, room, site, frame)
        assert arrivals.look()
        assert not arrivals.look()
        assert len(arrivals.checked) == count
        assert bool(arrivals.missing) == (count < len(NAMES))
    assert arrivals.frames == answers[1]


def test_a_stranger_is_nobody_to_wait_for(room, store, arrivals):
    put(store, room, "Stranger", b"not asked for")
    assert not arrivals.look()
    assert arrivals.frames == {}


WRONG = {
    "empty": lambda frames: b"",
    "garbage": lambda frames: b"garbage",
    "too long": lambda frames: bytes(10_000_000),
    "truncated": lambda frames: frames[NAMES[0]][:-1],
    "altered": lambda frames: frames[NAMES[0]][:-1] + bytes([frames[NAMES[0]][-1] ^ 1]),
    "another's": lambda frames: frames[NAMES[1]],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_the_hospitals_contribution_is_not_there_yet(room, store, answers, arrivals, wrong):
    """Whoever can write into the store can put anything under a hospital's name; only that hospital's own frame counts."""
    first, *others = NAMES
    for site in others:
        put(store, room, site, answers[1][site])
    put(store, room, first, WRONG[wrong](answers[1]))
    while arrivals.look():
        pass
    assert arrivals.missing == (first,)
    assert arrivals.missing_words().startswith(f"{first} (")
    put(store, room, first, answers[1][first])
    assert arrivals.look()
    assert not arrivals.missing


def test_the_sum_is_the_same_whenever_the_frames_were_checked(room, store, answers, arrivals):
    for site, frame in answers[1].items():
        put(store, room, site, frame)
    arrivals.look()
    early = room.aggregator.add(answers[0], answers[1], dict(arrivals.checked))  # one of them read before, the others now
    while arrivals.look():
        pass
    assert early == room.aggregator.add(*answers)
    assert room.aggregator.add(answers[0], arrivals.frames, arrivals.checked) == room.aggregator.add(*answers)


def test_one_that_is_exchanged_after_its_check_changes_nothing_here(room, store, answers, arrivals):
    for site, frame in answers[1].items():
        put(store, room, site, frame)
    while arrivals.look():
        pass
    put(store, room, NAMES[0], b"another")
    assert arrivals.frames == answers[1]
