"""A browser's requests to the console, in this process: the application behind its wall, without a
socket.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from securefl.console.application import Console, make_application
from securefl.console.desk import Desk
from securefl.console.session import Sessions
from securefl.errors import SecureFLError

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY = "127.0.0.1:8000"
FORM_TYPE = ("content-type", "application/x-www-form-urlencoded")


@dataclass
class Answer:
    """What the server said."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def text(self):
        return self.body.decode()

    @property
    def words(self):
        """What the page says, without markup."""
        return " ".join(re.sub(r"<[^>]*>", " ", self.text).split())

    @property
    def carried(self):
        """Fields that the page's form carries on, without the session's secret."""
        found = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', self.text))
        del found["form"]
        return {name: unescape(value) for name, value in found.items()}

    def header(self, name):
        return next((v for n, v in self.headers if n == name), None)


async def _exchange(app, scope, pieces):
    answer = Answer()
    waiting = list(pieces)

    async def receive():
        if not waiting:
            return {"type": "http.disconnect"}
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(n.decode(), v.decode()) for n, v in message["headers"]]
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


def exchange(app, method, path, headers=(), body=b"", pieces=None):
    """One request to an application."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(n.encode(), v.encode()) for n, v in headers],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 40000),
    }
    return asyncio.run(_exchange(app, scope, pieces or [body]))


class ConsoleClient:
    """A console of a hospital's folder and one browser that looks at it.

    Attributes:
        now: the sessions' clock, seconds.
        ends: true once the server ends, so that streams do.
        room: first part of the addresses of the open session.
        headers: what the browser sends with each request.
    """

    def __init__(self, folder: Path, language: str = "") -> None:
        self.now = 1000.0
        self.ends = False
        self.faults: list[Exception] = []
        self.sessions = Sessions(lambda: self.now)
        self.reading, self.deciding = Desk(folder, "reading"), Desk(folder, "deciding")
        self.console = Console(
            self.reading, self.deciding, self.sessions, self._fault, lambda: self.ends, language
        )
        self.app = make_application(self.console, AUTHORITY)
        self.room, self.cookie, self.form = "", "", ""

    def _fault(self, error):
        self.faults.append(error)
        return SecureFLError("This is a fault of securefl.")

    @property
    def headers(self):
        return [("host", AUTHORITY), ("cookie", self.cookie)]

    def open(self, link=None, *more):
        """Open a new link; what the server said."""
        secret = link or self.sessions.new_link()
        answer = exchange(self.app, "GET", f"/open/{secret}", [("host", AUTHORITY), *more])
        if answer.status in {200, 303}:
            self.cookie = answer.header("set-cookie").partition(";")[0]
            self.room = re.search(r"Path=/([^/]+)/", answer.header("set-cookie"))[1]
            self.form = re.search(r'name="form" value="([^"]+)"', self.get("inbox").text)[1]
        return answer

    def get(self, place, *more):
        """A page of the session's room."""
        return exchange(self.app, "GET", f"/{self.room}/{place}", [*self.headers, *more])

    def post(self, place, *more, form=None, **fields):
        """A form of the session's room."""
        secret = self.form if form is None else form
        body = urlencode({"form": secret, **fields}).encode()
        headers = [*self.headers, FORM_TYPE, *more]
        return exchange(self.app, "POST", f"/{self.room}/{place}", headers, body)

    def close(self):
        self.reading.close()
        self.deciding.close()
