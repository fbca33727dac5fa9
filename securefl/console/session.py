"""Sessions of the console: links that open one, once, and the time after which it is over.

A link's secret is used once and for minutes. It opens a session with three secrets of its own:

- ``room``, the first part of every address. Cookies do not tell one port of 127.0.0.1 from
  another (RFC 6265 section 8.5), so another program on this machine would be sent a cookie of the
  whole host. This one is sent to addresses in its room alone, which nobody else knows.
- ``cookie``, which a script cannot read and no other site's page brings along.
- ``form``, which stands in each form: another site's page cannot write it.

Nothing is kept on a disk: when the console ends, so do its sessions.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds in which a link can be opened.
LINK_SECONDS: Final = 600.0
#: Seconds after the last page or act at which a session is over.
IDLE_SECONDS: Final = 1800.0
#: Seconds after which it is over in any case: a working day.
LONGEST_SECONDS: Final = 8 * 3600.0
#: Bytes of a secret, and of the room's name.
_SECRET_BYTES: Final = 32
_ROOM_BYTES: Final = 16


@dataclass
class Session:
    """One person at one browser.

    Attributes:
        began: on the monotonic clock, seconds.
        seen: the last page or act.
        room: first part of its addresses.
        cookie: secret that the browser keeps.
        form: secret that stands in its forms.
    """

    began: float
    seen: float
    room: str = field(default_factory=lambda: secrets.token_urlsafe(_ROOM_BYTES))
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(_SECRET_BYTES), repr=False)
    form: str = field(default_factory=lambda: secrets.token_urlsafe(_SECRET_BYTES), repr=False)

    def may_post(self, given: str) -> bool:
        """True when a form was made in this session."""
        return _same(given, self.form)


class Sessions:
    """All sessions of a console. One at a time: whoever opens the newest link ends the others.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._link = ""
        self._link_made = 0.0
        self._session: Session | None = None

    def new_link(self) -> str:
        """Secret of a link; the one before opens nothing any more."""
        self._link = secrets.token_urlsafe(_SECRET_BYTES)
        self._link_made = self._clock()
        return self._link

    def open(self, given: str) -> Session | None:
        """Begin a session; None where that is no link, or one that was used or is too old."""
        now = self._clock()
        fresh = now - self._link_made <= LINK_SECONDS
        if not self._link or not fresh or not _same(given, self._link):
            return None
        self._link = ""
        self._session = Session(began=now, seen=now)
        return self._session

    def find(self, room: str, cookie: str) -> Session | None:
        """The session of these two; None where there is none, or it is over."""
        found = self._session
        if found is None:
            return None
        # both are compared in any case: the time tells nothing of either
        known = [_same(room, found.room), _same(cookie, found.cookie)]
        if not all(known):
            return None
        if not self.alive(found):
            self.end(found)
            return None
        return found

    def alive(self, session: Session) -> bool:
        """True while a session goes on."""
        now = self._clock()
        on_time = now - session.began <= LONGEST_SECONDS and now - session.seen <= IDLE_SECONDS
        return session is self._session and on_time

    def touch(self, session: Session) -> None:
        """Note that a person was there."""
        session.seen = self._clock()

    def end(self, session: Session) -> None:
        """End a session; harmless when it is over."""
        if session is self._session:
            self._session = None


def _same(given: str, secret: str) -> bool:
    """Compare in a time that tells nothing of the secret."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())
