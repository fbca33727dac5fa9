"""Polling interval with back-off: what was waited for long is looked at less often.

A look comes at most a fixed part of the time waited too late, so waiting for days costs next to
nothing and delays next to nothing. As soon as something happens, it is looked at often again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from securefl.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Seconds between two tries at a board that is away: the first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
#: Seconds: what is looked at less often than once a second is looked at together, so that one
#: waking serves many.
_GRAIN: Final = 0.5


@dataclass
class Backoff:
    """Times at which to look at one thing, less and less often.

    Args:
        shortest, longest: seconds between two looks, at least and at most.
        share: the part of the time waited that a look may come too late.
        clock: the monotonic clock, in seconds.
    """

    shortest: float = 0.01
    longest: float = 1.0
    share: float = 0.02
    clock: Callable[[], float] = time.monotonic
    _moved: float = field(init=False)
    _due: float = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Something happened: the next look is due now, and the following ones come often."""
        self._moved = self._due = self.clock()

    def failed(self) -> None:
        """Nothing had happened."""
        now = self.clock()
        pause = self.pause(now - self._moved)
        self._due = now + pause if pause < 1.0 else math.ceil((now + pause) / _GRAIN) * _GRAIN

    def pause(self, waited: float) -> float:
        """Seconds from a look in vain to the next one, after ``waited`` seconds."""
        return min(max(self.share * waited, self.shortest), self.longest)

    @property
    def ready(self) -> bool:
        """True when it is time to look."""
        return self.remaining <= 0

    @property
    def remaining(self) -> float:
        """Seconds until the next look is due; none when it is."""
        return max(0.0, self._due - self.clock())


def persist(
    work: Callable[[], T],
    seconds: float,
    told: Callable[[StoreError], None] | None = None,
) -> T:
    """Do ``work``, and while the board is away do it again, less and less often, for ``seconds``.

    Every party rides out a passing error of the board with this: what one of them cannot write for
    some seconds is no reason to end a study for all. ``work`` must be harmless when repeated, as
    reads and whole writes of a board are.

    Args:
        work: what is done; called at least once.
        seconds: how long it may be tried, at most: the deadline of what is being done.
        told: hears of the first failure, when it will be tried again.

    Raises:
        StoreError: the last one, when the time is over.
    """
    end = time.monotonic() + seconds
    backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, share=1.0)
    while True:
        try:
            return work()
        except StoreError as error:
            left = end - time.monotonic()
            if left <= 0:
                raise
            if told is not None:
                told(error)
                told = None
        backoff.failed()
        time.sleep(min(backoff.remaining, left))


def poll(
    look: Callable[[], T | None],
    *,
    seconds: float,
    shortest: float = 0.005,
    longest: float = 0.1,
    told: Callable[[StoreError], None] | None = None,
) -> T | None:
    """The first answer of ``look`` that is not None; None when ``seconds`` have passed.

    It is asked at least once, and once more when the time is over.

    Args:
        look: what is asked.
        seconds: how long, at most.
        shortest: seconds between two looks, at least.
        longest: seconds between two looks, at most.
        told: as of :func:`persist`.

    Raises:
        StoreError: the time is over and the board is away (:func:`persist`).
    """
    end = time.monotonic() + seconds
    backoff = Backoff(shortest, longest, share=0.5)
    while True:
        found = persist(look, end - time.monotonic(), told)
        left = end - time.monotonic()
        if found is not None or left <= 0:
            return found
        backoff.failed()
        time.sleep(min(backoff.remaining, left))
