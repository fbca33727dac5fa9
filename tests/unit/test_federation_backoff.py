"""The pace of looking: waiting costs little, delays little, and ends at once when something
happens.
"""

import itertools

from securefl.federation.backoff import Backoff


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
