"""The agent's part in notices: looks at what is new when something changed, and hourly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from securefl.node.notices.notice_events import notice_events
from securefl.node.notices.notice_outbox import NoticeSender, post_notices
from securefl.node.notices.notice_settings import kept_notice_settings
from securefl.node.recalled_models import notices_changed, recalled_models
from securefl.node.requests import kept_requests
from securefl.party.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.node.notices.notice_settings import NoticeSettings
    from securefl.node.site import Site

#: Seconds after which it is looked at anyway: a request grows old without an event.
_ANYWAY: Final = 3600.0


class NoticeDesk:
    """Notices of a running agent.

    Args:
        site: the hospital.
        say: writes a line to the owner's own log.
        clock: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        site: Site,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self.sender = NoticeSender(site, say, clock)
        self._seen: tuple[object, ...] = ()

    def turn(self, site: Site) -> None:
        """Put what is new into the outbox.

        Raises:
            UnreadableError: the settings were changed by somebody else.
        """
        hour = int(self._clock() // _ANYWAY)
        # An object of the state is replaced by each event, so that its identity is enough.
        state = site.ledger.state
        files = (_modified(site, "studies"), _modified(site, "notices.signed"))
        seen = (state, *files, notices_changed(site), hour)
        if self._seen and seen[0] is self._seen[0] and seen[1:] == self._seen[1:]:
            return
        settings = kept_notice_settings(site)
        if settings is not None:
            tell(site, settings)
        self._seen = seen


def tell(site: Site, settings: NoticeSettings, *, silently: bool = False) -> int:
    """Put what was not told yet into the outbox; how many notices."""
    remind = timedelta(hours=settings.remind_after_hours)
    now = datetime.now(UTC)
    recalled = recalled_models(site)
    events = notice_events(site.ledger.state, kept_requests(site), now, remind, recalled)
    return post_notices(site, events, settings.kinds, utc_now(), silently=silently)


def _modified(site: Site, name: str) -> int:
    try:
        return (site.path / name).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
