"""Times at which an agent exchanges requests: soon after a change, and seldom where nothing changes.

The more old requests there are, the longer an exchange takes. It is a small part of the time, where
something has changed and where not. What the owner changes is looked at each second, for it costs
no read of the store; what others wrote is looked at less and less often (an idle hospital
reads at most six objects a minute).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from securefl.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds between two exchanges when there is something to say or to take in.
_IDLE: Final = 1.0
#: The same while a study runs.
_BUSY: Final = 20.0
#: The same as a multiple of how long the last one took.
_APART: Final = 2.0
#: Seconds between two looks at the store by a hospital where nothing has come for long, at most; and
#: as a part of that time.
_LOOK, _LOOK_SHARE = 45.0, 0.05
#: Seconds between two exchanges when nothing has changed for long, at most.
_ANYWAY: Final = 300.0
#: The same as a multiple of how long the last one took, where that is more.
_ANYWAY_APART: Final = 50.0


class ExchangeTimes:
    """When one hospital's requests were exchanged last, and when they are next.

    Args:
        clock: the monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._anyway = Backoff(_IDLE, _ANYWAY, share=1.0, clock=self._now)
        self._looks = Backoff(_IDLE, _LOOK, share=_LOOK_SHARE, clock=self._now)
        self._seen: tuple[object, ...] = ()
        self._known: tuple[object, ...] = ()
        self._looked = -_IDLE
        self._ended = -_ANYWAY
        self._took = 0.0

    def _now(self) -> float:
        return self.clock()

    def at_once(self) -> None:
        """There is something to say: how long ago the last exchange was does not count."""
        self._ended = -_ANYWAY
        self._looks.reset()

    def may_look(self, *, busy: bool) -> bool:
        """True where it is time to look at what has changed; it is then taken for looked at.

        Args:
            busy: a study runs, whose rounds are not delayed.
        """
        now = self.clock()
        pause = _BUSY if busy else _IDLE
        pause = max(pause, _APART * self._took)
        if now - self._ended < pause or now - self._looked < _IDLE:
            return False
        self._looked = now
        return True

    def seen(self, look: Callable[[], tuple[object, ...]]) -> tuple[object, ...]:
        """What others wrote: looked at where it is time to, else as it was.

        Args:
            look: reads the store.

        Raises:
            StoreError: the store is away.
        """
        if not self._looks.ready:
            return self._seen
        found = look()
        if found != self._seen:
            self._seen = found
            self._looks.reset()
        self._looks.failed()
        return found

    def is_news(self, found: tuple[object, ...]) -> bool:
        """True where this is not what the last exchange began with: the next one is due then."""
        if found == self._known:
            return False
        self._anyway.reset()
        self._looks.reset()
        return True

    @property
    def due(self) -> bool:
        """True where an exchange is due, by news or since the last one is long ago."""
        return self._anyway.ready

    @contextmanager
    def exchange(self, found: tuple[object, ...]) -> Iterator[None]:
        """Around an exchange that begins with what was ``found``: what comes meanwhile is news.

        One that fails is tried again at its time, and what was found stays news.
        """
        try:
            yield
            self._known = found
        finally:
            self._ended = self.clock()
            self._took = self._ended - self._looked
            self._anyway.longest = max(_ANYWAY, _ANYWAY_APART * self._took)
            self._anyway.failed()
