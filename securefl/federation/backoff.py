"""How often to look at what may never come: what was waited for long is looked at less often.

A look comes at most a fixed part of the time waited too late, so waiting for days costs next to
nothing and delays next to nothing. As soon as something happens, it is looked at often again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


#: Seconds: what is looked at less often than once a second is looked at together, so that one
#: waking serves many.
_GRAIN: Final = 0.5


@dataclass
class Backoff:
    """When the next look at one thing is due.

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
        pause = min(max(self.share * (now - self._moved), self.shortest), self.longest)
        self._due = now + pause if pause < 1.0 else math.ceil((now + pause) / _GRAIN) * _GRAIN

    @property
    def ready(self) -> bool:
        """Whether it is time to look."""
        return self.remaining <= 0

    @property
    def remaining(self) -> float:
        """Seconds until the next look is due; none when it is."""
        return max(0.0, self._due - self.clock())
