"""Ways by which a notice reaches people: a command, mail, a web address.

Each sends one notice or raises :class:`NotSentError`; whoever calls tries again later. Secrets are
read from files of their own at the moment of sending (0600), and stand in no log.
"""

from __future__ import annotations

import http.client
import json
import smtplib
import ssl
import subprocess
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from securefl.files import read_file

if TYPE_CHECKING:
    from securefl.node.notices.notice import Notice
    from securefl.node.notices.notice_settings import (
        CommandSettings,
        MailSettings,
        NoticeSettings,
        WebhookSettings,
    )

#: Seconds that one try may take.
TIMEOUT: Final = 20.0
_MOST_SECRET: Final = 4096
#: What a command finds in its environment.
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class NotSentError(Exception):
    """A notice did not get through; the text says why and holds no secret."""


class NoticeChannel(Protocol):
    """A way of sending."""

    @property
    def name(self) -> str:
        """Its word in the settings."""

    def send(self, notice: Notice) -> None:
        """Send one notice.

        Raises:
            NotSentError: it did not get through.
        """


def channels_of(settings: NoticeSettings) -> tuple[NoticeChannel, ...]:
    """The ways that settings name."""
    found: list[NoticeChannel] = []
    if settings.command is not None:
        found.append(CommandChannel(settings.command))
    if settings.mail is not None:
        found.append(MailChannel(settings.mail))
    if settings.webhook is not None:
        found.append(WebhookChannel(settings.webhook))
    return tuple(found)


@dataclass(frozen=True)
class CommandChannel:
    """A program on this machine gets the notice as JSON on its standard input."""

    settings: CommandSettings
    name: str = "command"

    def send(self, notice: Notice) -> None:
        """Run the program once; no shell reads its words."""
        try:
            done = subprocess.run(
                list(self.settings.run),
                input=json.dumps(notice.to_json()).encode(),
                env=_ENVIRONMENT,
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotSentError(f"it did not end within {TIMEOUT:g} seconds") from None
        except OSError as error:
            raise NotSentError(f"it cannot be started: {error.strerror}") from None
        if done.returncode != 0:
            raise NotSentError(f"it ended with exit code {done.returncode}")


@dataclass(frozen=True)
class MailChannel:
    """A mail server, by TLS."""

    settings: MailSettings
    name: str = "mail"

    def send(self, notice: Notice) -> None:
        """Hand one mail to the server."""
        mail = EmailMessage()
        mail["Subject"] = notice.subject
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(self.settings.recipients)
        mail.set_content(f"{notice.text}\n\n{notice.at}\n")
        try:
            with self._connected() as server:
                if self.settings.user:
                    server.login(self.settings.user, _secret(self.settings.password_file))
                server.send_message(mail)
        except smtplib.SMTPAuthenticationError:
            raise NotSentError("the server refused user or password") from None
        except smtplib.SMTPNotSupportedError:
            raise NotSentError("the server offers no STARTTLS, or no login") from None
        except smtplib.SMTPResponseException as error:
            raise NotSentError(f"the server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotSentError(_why(error)) from None

    def _connected(self) -> smtplib.SMTP:
        settings = self.settings
        if settings.security == "tls":
            context = _context(settings.ca_file)
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
        server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
        try:
            if settings.security == "starttls":
                server.starttls(context=_context(settings.ca_file))
        except BaseException:
            server.close()
            raise
        return server


@dataclass(frozen=True)
class WebhookChannel:
    """An address that takes JSON by HTTPS. It is not followed to another one."""

    settings: WebhookSettings
    name: str = "webhook"

    def send(self, notice: Notice) -> None:
        """Post the notice once."""
        url = urlsplit(self.settings.url)
        target = url.path or "/"
        if url.query:
            target = f"{target}?{url.query}"
        try:
            headers = {"Content-Type": "application/json"}
            if self.settings.token_file:
                headers["Authorization"] = f"Bearer {_secret(self.settings.token_file)}"
            with closing(self._connection(url.hostname or "", url.port or 443)) as connection:
                connection.request("POST", target, json.dumps(notice.to_json()), headers)
                status = connection.getresponse().status
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise NotSentError(_why(error)) from None
        if not 200 <= status < 300:
            raise NotSentError(f"the server answered {status}")

    def _connection(self, host: str, port: int) -> http.client.HTTPSConnection:
        context = _context(self.settings.ca_file)
        if not self.settings.proxy:
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        name, _, number = self.settings.proxy.rpartition(":")
        by_proxy = http.client.HTTPSConnection(name, int(number), timeout=TIMEOUT, context=context)
        by_proxy.set_tunnel(host, port)
        return by_proxy


def _context(ca_file: str) -> ssl.SSLContext:
    """Certificates are checked: by the system's list, or by the institution's own."""
    return ssl.create_default_context(cafile=ca_file or None)


def _secret(file: str) -> str:
    """A password or token from its file.

    Raises:
        OSError: it cannot be read, or others can read it.
    """
    path = Path(file)
    if path.stat().st_mode & 0o077:
        raise PermissionError(1, f"{file} can be read by others: chmod 600")
    return read_file(path, _MOST_SECRET).decode().strip()


def _why(error: Exception) -> str:
    """A reason in one line: the system's own words, which hold no secret."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    if isinstance(error, TimeoutError):
        return f"it did not answer within {TIMEOUT:g} seconds"
    return type(error).__name__
