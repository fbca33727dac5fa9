"""The pace of looking: waiting costs little, delays little, and ends at once when something
happens.
"""

import itertools

import pytest

from securefl.backoff import Backoff, persist, poll
from securefl.errors import StoreError


class Clock:
    """A clock that a test moves."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


def looks_in(pace, clock, seconds):
    """The times of the looks while nothing happens."""
    end, times = clock.time + seconds, []
    while clock.time < end:
        assert pace.ready
        times.append(clock.time)
        pace.failed()
        clock.time += pace.remaining
    return times


def test_the_first_look_is_due_at_once():
    assert Backoff(clock=Clock()).ready


def test_what_is_waited_for_long_is_looked_at_as_rarely_as_allowed_and_not_more_rarely():
    clock = Clock()
    times = looks_in(Backoff(longest=1.0, clock=clock), clock, 86_400)
    assert len(times) < 86_400 + 500
    assert max(b - a for a, b in itertools.pairwise(times)) <= 1.501


def test_a_look_comes_at_most_a_fixed_part_of_the_time_waited_too_late():
    clock = Clock()
    start = clock.time
    times = looks_in(Backoff(shortest=0.01, longest=60.0, share=0.02, clock=clock), clock, 86_400)
    assert all(b - a <= max(0.01, 0.02 * (a - start)) + 0.5 for a, b in itertools.pairwise(times))
    assert len(times) < 2200


def test_when_something_happens_it_is_looked_at_often_again():
    clock = Clock()
    pace = Backoff(longest=1.0, clock=clock)
    looks_in(pace, clock, 3600)
    pace.failed()
    assert pace.remaining > 0.9
    pace.reset()
    assert pace.ready
    assert len(looks_in(pace, clock, 0.5)) >= 45


def test_many_that_wait_long_are_looked_at_together():
    clock, many = Clock(), []
    for _ in range(100):
        many.append(Backoff(longest=5.0, clock=clock))
        clock.time += 0.0137
    for pace in many:
        looks_in(pace, clock, 1)
    clock.time += 1000.0
    for pace in many:
        pace.failed()
        clock.time += 0.001
    assert len({clock.time + pace.remaining for pace in many}) <= 2


def test_polling_gives_the_first_thing_found_and_stops():
    answers = iter([None, None, 7, 8])
    assert poll(lambda: next(answers), seconds=10, shortest=0, longest=0) == 7


def test_polling_gives_up_at_the_deadline_after_a_last_look():
    looks = []
    assert poll(lambda: looks.append(1), seconds=0.02, shortest=0.005) is None
    assert len(looks) >= 2


def test_polling_without_time_still_looks_once():
    assert poll(lambda: "there", seconds=0) == "there"
    assert poll(lambda: None, seconds=0) is None


# --- a board that is away for a while


class Away:
    """Fails so many times, then says how often it was asked."""

    def __init__(self, times):
        self.times, self.asked = times, 0

    def __call__(self):
        self.asked += 1
        if self.asked <= self.times:
            raise StoreError(f"away {self.asked}")
        return self.asked


def test_a_board_that_comes_back_in_time_is_all_the_same_and_is_said_once():
    told = []
    assert persist(Away(3), 60, told.append) == 4
    assert [error.what for error in told] == ["away 1"]
    assert persist(Away(0), 0, told.append) == 1
    assert len(told) == 1


def test_a_board_that_stays_away_is_the_error_when_the_time_is_over():
    never, told = Away(10**9), []
    with pytest.raises(StoreError, match="away"):
        persist(never, 0.2, told.append)
    assert never.asked >= 2
    once = Away(1)
    with pytest.raises(StoreError, match="away 1"):
        persist(once, 0, told.append)
    assert (once.asked, len(told)) == (1, 1)  # who does not try again says nothing


def test_only_the_board_is_forgiven():
    with pytest.raises(ZeroDivisionError):
        persist(lambda: 1 / 0, 60)


def test_polling_goes_on_while_the_board_is_away():
    assert poll(Away(2), seconds=60) == 3
    with pytest.raises(StoreError):
        poll(Away(10**9), seconds=0.1)
