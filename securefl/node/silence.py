"""Silence of a coordinator, as one hospital counts it: seconds for which it listened in vain.

What counts is the monotonic clock while the agent runs, its owner has not paused it, and the store
can be read: no step of the wall clock makes the count longer or shorter, and a machine that is off
hears nobody and misses nobody. Between a study's windows nobody is missed either. In a study with a
``longest_wait`` (:mod:`securefl.study.longest_wait`) the count is kept on disk about once a minute, so
that a new start of the agent does not begin it anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from securefl.files import read_file, replace_file
from securefl.study.longest_wait import hospital_waits

if TYPE_CHECKING:
    from securefl.node.own_study import OwnStudy
    from securefl.node.round_windows import RoundWindows

_FILE: Final = "silence.json"
#: Seconds between two writes of the count, at most; and as a part of the longest wait.
_KEEP_SECONDS: Final = 60.0
_KEEP_SHARE: Final = 0.01


class Silence:
    """Count of one running study.

    Args:
        own: the study.
        windows: of its rounds; None where they are not asked.
        heard: when the coordinator was heard last, by the monotonic clock.

    Attributes:
        heard: when the coordinator was heard last, or a reply left, as far as this process knows.
    """

    def __init__(
        self,
        own: OwnStudy,
        windows: RoundWindows | None,
        heard: float,
    ) -> None:
        self._own = own
        self._windows = windows
        self._schedule = own.plan.study.schedule
        self.heard = heard
        #: Since when nothing can be heard here; None while something can.
        self._deaf: float | None = None
        #: Seconds that earlier processes of this agent counted, and since when.
        self._before = 0.0
        self._since: datetime | None = None
        self._kept = 0.0
        if self._is_kept:
            self._read()

    @property
    def longest(self) -> float:
        """Seconds after which the study ends here."""
        return hospital_waits(self._schedule)

    @property
    def seconds(self) -> float:
        """How long it has lasted, without the time until the next round may begin."""
        quiet = self._quiet
        return self._before + max(0.0, quiet - self._rest(quiet))

    @property
    def is_over(self) -> bool:
        """True if the coordinator is waited for no longer."""
        if self._before + self._quiet <= self.longest:
            return False
        return self.seconds > self.longest

    @property
    def is_long(self) -> bool:
        """True if it is longer than any round takes: whoever is away is not just slow."""
        usual = 2.0 * self._schedule.round_deadline
        if not self._is_kept or self._before + self._quiet <= usual:
            return False
        return self.seconds > usual

    @property
    def since(self) -> datetime:
        """When it began, by the wall clock."""
        if self._since is not None:
            return self._since
        return self._own.now() - timedelta(seconds=self._quiet)

    @property
    def until(self) -> datetime:
        """When the study ends here if it lasts, by the wall clock."""
        quiet = self._quiet
        rest = max(0.0, self._rest(quiet) - quiet)
        left = self.longest - self.seconds + rest
        closes = self._schedule.closes
        now = self._own.now()
        if left >= (closes - now).total_seconds():
            return closes
        return now + timedelta(seconds=left)

    def hear(self) -> None:
        """End it: the coordinator said something, or a reply of this hospital left."""
        self.heard = self._own.clock()
        self._deaf = None
        self._before = self._kept = 0.0
        self._since = None
        (self._own.folder / _FILE).unlink(missing_ok=True)

    def stop_listening(self) -> None:
        """Count no more: nothing can be heard here, whatever is said."""
        if self._deaf is None:
            self._deaf = self._own.clock()

    def listen(self) -> None:
        """Count on, without the time in which nothing could be heard."""
        if self._deaf is not None:
            self.heard += self._own.clock() - self._deaf
            self._deaf = None

    def keep(self) -> None:
        """Keep the count, where a process that starts again should go on from it."""
        if not self._is_kept:
            return
        step = min(_KEEP_SECONDS, _KEEP_SHARE * self.longest)
        if self._before + self._quiet < self._kept + step:
            return
        seconds = self.seconds
        if seconds < self._kept + step:
            return
        self._kept = seconds
        since = self.since.isoformat(timespec="seconds")
        entry = {"seconds": round(seconds, 3), "since": since}
        replace_file(self._own.folder / _FILE, json.dumps(entry).encode())

    @property
    def _is_kept(self) -> bool:
        return self._schedule.longest_wait is not None

    @property
    def _quiet(self) -> float:
        """Seconds that this process has listened since it heard something."""
        now = self._own.clock() if self._deaf is None else self._deaf
        return max(0.0, now - self.heard)

    def _rest(self, quiet: float) -> float:
        if self._windows is None:
            return 0.0
        return self._windows.rest(quiet)

    def _read(self) -> None:
        """Go on from the count of an earlier process; one that cannot be read begins anew."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            entry = json.loads(read_file(self._own.folder / _FILE))
            since = datetime.fromisoformat(entry["since"])
            self._before = self._kept = min(max(0.0, float(entry["seconds"])), self.longest)
            self._since = since
