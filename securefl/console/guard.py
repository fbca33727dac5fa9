"""Wall before every page of the console: whose request it is, before anything of it is read.

In this order: the name by which the server was called (a page of another site can have its own
name lead to 127.0.0.1, "DNS rebinding"), the session, and for a form its size, its origin and its
secret. What does not pass is answered here, with a page that has no fact of the hospital on it.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse

from securefl.report.html import content_policy, html_page
from securefl.report.page import Notice, Page, Tone, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from securefl.console.session import Session, Sessions

#: First part of the address of a link that opens a session.
OPEN: Final = "open"
#: Most bytes of a form: a reason and a name.
MOST_FORM_BYTES: Final = 64 * 1024
#: Most fields of a form.
_MOST_FIELDS: Final = 50
COOKIE: Final = "securefl-console"
#: Pages load our own sheet, script, pictures and events, and send forms to themselves.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # a form sent under "no-referrer" would name no origin to check
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
#: Where a browser may say that a request comes from: our own page, or a person.
_FROM_US: Final = frozenset({"same-origin", "none"})


class Guard:
    """The wall, as an ASGI application around another one.

    Args:
        inner: gets what passes; ``scope["root_path"]`` is the session's room, and
            ``scope["state"]`` has ``session`` and, for a form, ``form``.
        sessions: who may pass.
        authority: ``127.0.0.1:PORT``, the one name that the server answers to.
    """

    def __init__(self, inner: ASGIApp, sessions: Sessions, authority: str) -> None:
        self._inner = inner
        self._sessions = sessions
        self._authority = authority
        self._origin = f"http://{authority}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Nothing but HTTP is spoken here."""
        if scope["type"] != "http":
            return
        sending = _with_headers(send)
        refusal = self._enter(scope)
        if refusal is None and scope["method"] == "POST":
            refusal = await self._read_form(scope, receive)
        if refusal is not None:
            await refusal(scope, receive, sending)
            return
        await self._inner(scope, receive, sending)

    def _enter(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.getlist("host") != [self._authority]:
            return refused(403, "This console answers to its own address alone.")
        room, _, rest = scope["path"].removeprefix("/").partition("/")
        state = scope.setdefault("state", {})
        if room == OPEN and scope["method"] == "GET":
            state["session"] = None
            return None
        session = self._session(room, headers)
        if session is None:
            return no_session()
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return refused(405, "This console shows pages and takes forms, and nothing else.")
        if headers.get("sec-fetch-site", "none") not in _FROM_US:
            return refused(403, "Another site's page asked for this.")
        state["session"] = session
        scope["root_path"] = f"/{room}"
        # a page that looks by itself is no person
        if rest != "events":
            self._sessions.touch(session)
        return None

    def _session(self, room: str, headers: Headers) -> Session | None:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return None
        if COOKIE not in cookies:
            return None
        return self._sessions.find(room, cookies[COOKIE].value)

    async def _read_form(self, scope: Scope, receive: Receive) -> Response | None:
        """Read a form into the scope; the refusal where it is none of this session's."""
        headers = Headers(scope=scope)
        if headers.get("origin", self._origin) != self._origin:
            return refused(403, "Another site's page sent this form. Nothing was done.")
        kind = headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            return refused(415, "This console takes its own forms and nothing else.")
        body = await _read(receive)
        form = _fields(body)
        if form is None:
            return refused(413, "That is larger than a form of this console can be.")
        session: Session = scope["state"]["session"]
        if not session.may_post(form.get("form", "")):
            return refused(403, "This form was not made in this session. Nothing was done.")
        scope["state"]["form"] = form
        return None


def refused(status: int, words: str, then: str = "") -> Response:
    """A page that stands alone: why nothing is shown, and what to do."""
    notice = Notice(words, blocks(then), Tone.WARN)
    page = Page("", (notice,), window="securefl console")
    policy = content_policy()
    return HTMLResponse(html_page(page), status, {"Content-Security-Policy": policy})


def no_session() -> Response:
    """The page for whoever has no session, or one that is over."""
    return refused(
        401,
        "No session is open in this browser, or it is over.",
        "Open the link that `securefl site console` shows in its terminal. It works once; Enter"
        " there shows a new one.",
    )


async def _read(receive: Receive) -> bytes | None:
    """The body of a request; None where it is too large or was broken off."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_FORM_BYTES:
            return None
        more = message.get("more_body", False)
    return body


def _fields(body: bytes | None) -> Mapping[str, str] | None:
    """Fields of a form; None where it is none."""
    if body is None:
        return None
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:  # not ASCII, or too many fields
        return None
    return dict(pairs)


def _with_headers(send: Send) -> Send:
    """Add what every answer says to a browser."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", _POLICY)
        await send(message)

    return sending
