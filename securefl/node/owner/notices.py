"""Notices: what the owner is told of without looking, and by which ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import UnreadableError, UsageError
from securefl.node.notices import notice_settings
from securefl.node.notices.notice import Notice
from securefl.node.notices.notice_channels import NotSentError, channels_of
from securefl.node.notices.notice_desk import tell
from securefl.node.notices.notice_settings import MAX_SETTINGS, NoticeSettings

if TYPE_CHECKING:
    from securefl.node.site import Site

__all__ = ["MAX_SETTINGS", "NoticeSettings"]


@dataclass(frozen=True)
class NoticeTrial:
    """A try of one way: its name, and why it failed; empty where the notice got through."""

    channel: str
    fault: str


def kept_settings(site: Site) -> NoticeSettings | None:
    """The settings that hold; None where there are none. Raises :class:`UnreadableError`."""
    return notice_settings.kept_notice_settings(site)


def plan_notices(text: bytes) -> NoticeSettings:
    """Read settings; nothing is written. Raises :class:`StudyError` where they are none."""
    return notice_settings.read_notice_settings(text)


def set_notices(site: Site, settings: NoticeSettings) -> None:
    """Sign the settings. What is so already is not told: notices begin with what comes next."""
    try:
        before = notice_settings.kept_notice_settings(site)
    except UnreadableError:  # it is about to be replaced
        before = settings
    if before is None:
        tell(site, settings, silently=True)
    notice_settings.keep_notice_settings(site, settings)


def drop_notices(site: Site) -> bool:
    """Take the settings away; False where there were none."""
    return notice_settings.drop_notice_settings(site)


def try_notices(site: Site, now: str) -> tuple[NoticeTrial, ...]:
    """Send a test by each way, now.

    Raises:
        UsageError: there are no settings.
        UnreadableError: they were changed by somebody else.
    """
    settings = notice_settings.kept_notice_settings(site)
    if settings is None:
        raise UsageError(
            "No notices are set up here.", next_step="`securefl site notices set FILE`"
        )
    notice = Notice("test", site.name, "", now)
    trials = []
    for channel in channels_of(settings):
        fault = ""
        try:
            channel.send(notice)
        except NotSentError as error:
            fault = str(error)
        trials.append(NoticeTrial(channel.name, fault))
    return tuple(trials)
