"""Settings of notices: which kinds, and by which ways; signed by this hospital's own key.

A file that somebody else changed sends nothing: another address or another command would be theirs.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from securefl.errors import StudyError
from securefl.node.notices.notice import KINDS
from securefl.node.own_signed import OwnSigned
from securefl.study.fields import Section, tuples

if TYPE_CHECKING:
    from securefl.node.site import Site

MAX_SETTINGS: Final = 64 * 1024
NOTICES_FILE: Final = OwnSigned("notices.signed", "securefl-notices/1", "rules", MAX_SETTINGS)
_BROKEN: Final = "was not signed by this hospital: somebody else changed it, and no notice is sent."
_MEND: Final = "Sign the settings again with `securefl site notices set FILE`."
_Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
_File = Annotated[str, Field(max_length=4096, pattern=r"^(/[^\x00-\x1f\x7f]+)?$")]
_Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
_Port = Annotated[int, Field(ge=1, le=65535)]
_Address = Annotated[str, Field(pattern=r"^[^\s@<>,;\x00-\x1f\x7f]+@[^\s@<>,;\x00-\x1f\x7f]+$")]
_LOCAL: Final = frozenset({"localhost", "127.0.0.1"})


class CommandSettings(Section):
    """A program on this machine, as a list of words: no shell reads it. It gets JSON on its input."""

    run: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _whole_path(self) -> Self:
        if not Path(self.run[0]).is_absolute():
            raise ValueError("the program is named by its whole path, like /usr/local/bin/notify")
        return self


class MailSettings(Section):
    """A mail server."""

    host: _Host
    port: _Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: _Address
    recipients: Annotated[tuple[_Address, ...], Field(min_length=1, max_length=20)]
    user: Annotated[str, Field(max_length=400)] = ""
    password_file: _File = ""
    ca_file: _File = ""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.security == "none" and self.host not in _LOCAL:
            raise ValueError("without TLS only a server on this machine is used")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file go together")
        return self


class WebhookSettings(Section):
    """An address that takes JSON by HTTPS."""

    url: Annotated[str, Field(pattern=r"^https://[^\s\x00-\x1f\x7f/?#@]+(/[^\s\x00-\x1f\x7f#]*)?$")]
    token_file: _File = ""
    ca_file: _File = ""
    proxy: Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$")] = ""


class NoticeSettings(Section):
    """Events that are told, and by which ways.

    Attributes:
        kinds: of notices.
        remind_after_hours: a request that waits so long is told once more.
    """

    schema_: Literal["securefl-notices/1"] = Field(alias="schema")
    kinds: tuple[Literal["request", "waiting", "budget", "failure", "finished", "recall"], ...] = (
        KINDS
    )
    remind_after_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    command: CommandSettings | None = None
    mail: MailSettings | None = None
    webhook: WebhookSettings | None = None

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if not (self.command or self.mail or self.webhook):
            raise ValueError("it names no way: [command], [mail] or [webhook]")
        return self

    def rows(self) -> list[tuple[str, str]]:
        """Each setting as a label and its value; secrets stand in files of their own."""
        rows = [("told", ", ".join(self.kinds) or "nothing")]
        if "waiting" in self.kinds:
            rows.append(("told again after", f"{self.remind_after_hours} hours"))
        if self.command is not None:
            rows.append(("command", " ".join(self.command.run)))
        if self.mail is not None:
            mail = self.mail
            rows.append(("mail server", f"{mail.host}:{mail.port} ({mail.security})"))
            rows.append(("mail from", mail.sender))
            rows.append(("mail to", ", ".join(mail.recipients)))
        if self.webhook is not None:
            rows.append(("web address", self.webhook.url))
        return rows


def read_notice_settings(text: bytes) -> NoticeSettings:
    """Read settings from TOML.

    Raises:
        StudyError: they are none, with the place that is wrong.
    """
    try:
        return made_notice_settings(tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(str(error)) from None


def keep_notice_settings(site: Site, settings: NoticeSettings) -> None:
    """Sign settings and keep them; those before are replaced."""
    rules: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    with site.deciding():
        NOTICES_FILE.keep(site, rules)


def drop_notice_settings(site: Site) -> bool:
    """Take the settings away; False where there were none."""
    with site.deciding():
        return NOTICES_FILE.drop(site)


def kept_notice_settings(site: Site) -> NoticeSettings | None:
    """The settings of this hospital; None where its owner made none.

    Raises:
        UnreadableError: the file is not signed by this hospital's key, is gone, or is an older one.
    """
    return NOTICES_FILE.read(site, made_notice_settings, broken=_BROKEN, next_step=_MEND)


def signed_notice_settings(site: Site) -> NoticeSettings | None:
    """The settings as they lie there, for the thread that sends: it has no ledger.

    What it sends was put out by settings that the ledger names. Raises as
    :func:`kept_notice_settings`.
    """
    return NOTICES_FILE.read_signed(site, made_notice_settings, broken=_BROKEN, next_step=_MEND)


def made_notice_settings(raw: dict[str, Any]) -> NoticeSettings:
    """Settings from their values. Raises as :func:`read_notice_settings`."""
    try:
        return NoticeSettings.model_validate(tuples(raw))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(f"{place}: {first['msg']}") from None


def _refused(why: str) -> StudyError:
    return StudyError(
        f"These are no settings of notices: {why}.",
        whose="this hospital's data owner",
        next_step='docs/data-owner.md, "Notices", has an example.',
    )
