"""Notices: which kinds, by mail and to a web address, a field each; read and signed.

A program to run and files to read are named in the settings' file alone: a browser's form names no
path of this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from securefl.console.view import Act, Draft, Planned, View, whole_number
from securefl.errors import UnreadableError
from securefl.node.owner import notices
from securefl.node.owner.pages import new_notices_page, notice_trials_page
from securefl.report.notices import no_notices_page, notices_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.node.owner.notices import NoticePlan, NoticeSettings

_PLACE: Final = "settings/notices"


class _Field(NamedTuple):
    """A field of the form: section and name in the settings' file, its label, a hint of its form."""

    section: str
    name: str
    label: str
    hint: str

    @property
    def key(self) -> str:
        """Name of the form's field."""
        return f"{self.section}-{self.name}"


_FIELDS: Final = (
    _Field("mail", "host", "mail server", "a name, like smtp.hospital.example; empty for no mail"),
    _Field("mail", "port", "port of the mail server", "587 where it is empty"),
    _Field(
        "mail", "security", "how it is protected", "starttls or tls; starttls where it is empty"
    ),
    _Field("mail", "sender", "mail from", "an address that the server lets you send from"),
    _Field("mail", "recipients", "mail to", "addresses, between commas"),
    _Field("webhook", "url", "web address", "https://...; empty for none"),
)
#: Without its first field a section is no section: the others are then left out.
_LEADING: Final = ("mail-host", "webhook-url")


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    fault = ""
    kept = None
    try:
        kept = notices.kept_settings(site)
    except UnreadableError as error:
        fault = error.what
    told = notices.KINDS if kept is None else kept.kinds
    return {
        "page": notices_page(None if kept is None else kept.rows()),
        "fault": fault,
        "kept": kept is not None,
        "kinds": [(kind, notices.SUBJECTS[kind], kind in told) for kind in notices.KINDS],
        "hours": "" if kept is None else f"{kept.remind_after_hours}",
        "fields": [(field, _value(kept, field)) for field in _FIELDS],
    }


def _value(kept: NoticeSettings | None, field: _Field) -> str:
    """What stands in a field for the settings that hold."""
    section = getattr(kept, field.section, None)
    if section is None:
        return ""
    value = getattr(section, field.name)
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value}"


def _changes(asked: Asked) -> dict[str, Any]:
    """Settings of a form, as their file would have them."""
    form = asked.form
    changes: dict[str, Any] = {
        "kinds": [kind for kind in notices.KINDS if form.get(f"kind-{kind}")]
    }
    hours = form.get("hours", "").strip()
    if hours:
        changes["remind_after_hours"] = whole_number(hours)
    for field in _FIELDS:
        text = form.get(field.key, "").strip()
        if field.key in _LEADING and text:
            changes[field.section] = {}
        if text and field.section in changes:
            changes[field.section][field.name] = _typed(field, text)
    return changes


def _typed(field: _Field, text: str) -> Any:  # noqa: ANN401 - whatever the setting takes
    if field.name == "port":
        return whole_number(text)
    if field.name == "recipients":
        return [name.strip() for name in text.split(",") if name.strip()]
    return text


def _planned(site: Site, asked: Asked) -> NoticePlan:
    return notices.plan_changes(site, _changes(asked))


def _plan(site: Site, asked: Asked) -> Planned:
    plan = _planned(site, asked)
    carried = (
        [f"kind-{kind}" for kind in notices.KINDS] + ["hours"] + [field.key for field in _FIELDS]
    )
    return Planned(
        new_notices_page(plan),
        act=f"{_PLACE}/sign",
        button="Sign these settings",
        busy="Signing",
        fields={name: asked.form.get(name, "") for name in carried},
    )


def _sign(site: Site, asked: Asked) -> str:
    notices.set_notices(site, _planned(site, asked).settings)
    return _PLACE


def _plan_drop(site: Site, _: Asked) -> Planned:
    kept = notices.kept_settings(site)
    return Planned(
        no_notices_page([] if kept is None else kept.rows()),
        act=f"{_PLACE}/drop",
        button="Tell nobody any more",
        busy="Removing",
        nothing=kept is None,
    )


def _drop(site: Site, _: Asked) -> str:
    notices.drop_notices(site)
    return _PLACE


def _try(site: Site, asked: Asked) -> Planned:
    trials = notices.try_notices(site, asked.at)
    return Planned(notice_trials_page(trials))


VIEWS = (View("/settings/notices", "notices.html", _read),)
ACTS = (
    Draft("/settings/notices/plan", _plan, _PLACE),
    Act("/settings/notices/sign", _sign, _PLACE),
    Draft("/settings/notices/plan-drop", _plan_drop, _PLACE),
    Act("/settings/notices/drop", _drop, _PLACE),
    Draft("/settings/notices/try", _try, _PLACE),
)
