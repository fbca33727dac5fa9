"""Notices: what the owner is told of without looking, and by which ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UnreadableError, UsageError
from securefl.node.notices import notice_settings
from securefl.node.notices.notice import KINDS, SUBJECTS, Notice
from securefl.node.notices.notice_channels import NotSentError, channels_of
from securefl.node.notices.notice_desk import tell
from securefl.node.notices.notice_settings import MAX_SETTINGS, NoticeSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.node.site import Site

__all__ = ["KINDS", "MAX_SETTINGS", "SUBJECTS", "NoticeSettings"]

#: What stands in the file alone, by its section: programs that are run, and files that are read.
_FILE_ALONE: Final = {
    "mail": ("user", "password_file", "ca_file"),
    "webhook": ("token_file", "ca_file", "proxy"),
}
#: Where a secret goes: it stays in the settings only while this stays.
_ADDRESSES: Final = {"mail": ("host", "port", "security"), "webhook": ("url",)}


@dataclass(frozen=True)
class NoticePlan:
    """Settings before the owner's yes.

    Attributes:
        settings: to be signed.
        before: that hold now; None where there are none, or nobody knows what they said.
        lost: sections of which user, secrets and authority are left out, as their address changes.
    """

    settings: NoticeSettings
    before: NoticeSettings | None
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoticeTrial:
    """A try of one way: its name, and why it failed; empty where the notice got through."""

    channel: str
    fault: str


def kept_settings(site: Site) -> NoticeSettings | None:
    """The settings that hold; None where there are none. Raises :class:`UnreadableError`."""
    return notice_settings.kept_notice_settings(site)


def plan_notices(site: Site, text: bytes) -> NoticePlan:
    """Read settings; nothing is written. Raises :class:`StudyError` where they are none."""
    return NoticePlan(notice_settings.read_notice_settings(text), _before(site))


def plan_changes(site: Site, changes: Mapping[str, Any]) -> NoticePlan:
    """Make settings of single values, as a form has them; nothing is written.

    A form names no program and no file. A command that holds stays; user, password and authority of
    a mail server or a web address stay while it is the same one: a secret is never sent elsewhere.

    Args:
        site: the hospital.
        changes: ``kinds``, ``remind_after_hours``, and the sections ``mail`` and ``webhook`` as
            their file has them; a section that is missing is taken away.

    Raises:
        StudyError: they are no settings, with the place that is wrong.
    """
    before = _before(site)
    held: dict[str, Any] = {}
    if before is not None:
        held = before.model_dump(mode="json", by_alias=True, exclude_none=True)
    made = {"schema": "securefl-notices/1", **changes}
    if "command" in held:
        made["command"] = held["command"]
    # addresses are compared as they are read: an empty port is the usual one
    plain = notice_settings.made_notice_settings(made).model_dump(mode="json", exclude_none=True)
    lost = []
    for section, names in _FILE_ALONE.items():
        kept = {name: held.get(section, {}).get(name) for name in names}
        kept = {name: value for name, value in kept.items() if value}
        if section not in made or not kept:
            continue
        if all(held[section][name] == plain[section][name] for name in _ADDRESSES[section]):
            made[section] = {**made[section], **kept}
        else:
            lost.append(section)
    return NoticePlan(notice_settings.made_notice_settings(made), before, tuple(lost))


def _before(site: Site) -> NoticeSettings | None:
    try:
        return notice_settings.kept_notice_settings(site)
    except UnreadableError:  # it is about to be replaced: nothing of it goes on
        return None


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
