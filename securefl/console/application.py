"""Application of the console: addresses to views and acts, and what a browser gets where they fail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.routing import Route

from securefl.console.drawing import ASSETS, asset, draw
from securefl.console.guard import COOKIE, OPEN, Guard, no_session, refused
from securefl.console.view import Act, Asked
from securefl.console.views import ACTS, VIEWS
from securefl.errors import SecureFLError, StoreError, UsageError
from securefl.node.owner.requests import waiting_requests
from securefl.node.owner.status import state_mark
from securefl.party.nouns import nouns_of
from securefl.report.catalogue import catalogue, preferred
from securefl.report.errors import error_page
from securefl.report.html import content_policy, html_page
from securefl.report.wording import in_words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from securefl.console.desk import Desk
    from securefl.console.session import Session, Sessions
    from securefl.console.view import Draft, View
    from securefl.node.owner.folder import Site
    from securefl.report.catalogue import Catalogue
    from securefl.report.page import Page

#: Seconds between two looks at what may have changed.
_LOOK_SECONDS: Final = 2.0
#: The language that sentences are written in, and the only one that nouns are put into.
_ENGLISH: Final = "en"
#: First page after a link was opened.
_FIRST: Final = "inbox"


@dataclass(frozen=True)
class Console:
    """Everything that the pages stand on.

    Attributes:
        reading: the desk that pages are read at.
        deciding: the desk that acts are done at.
        sessions: who may pass.
        fault: makes an error that is none of ours one that a page can show.
        closing: true when the server ends, so that open streams do.
        language: of the pages; empty for the one that the browser asks for.
        first_shown: set once a page was drawn.
    """

    reading: Desk
    deciding: Desk
    sessions: Sessions
    fault: Callable[[Exception], SecureFLError]
    closing: Callable[[], bool]
    language: str = ""
    first_shown: asyncio.Event = field(default_factory=asyncio.Event)


def make_application(console: Console, authority: str) -> ASGIApp:
    """The application behind its wall.

    Args:
        console: what the pages stand on.
        authority: ``127.0.0.1:PORT``.
    """
    routes = [
        Route(f"/{OPEN}/{{link}}", _opening(console)),
        Route("/assets/{name}", _asset),
        Route("/events", _events(console)),
        Route("/leave", _leaving(console), methods=["POST"]),
        Route("/", _to_first),
        *(Route(view.path, _showing(console, view)) for view in VIEWS),
        *(Route(act.path, _taking(console, act), methods=["POST"]) for act in ACTS),
    ]
    handlers: dict[Any, Any] = {
        404: _nothing_there,
        405: _nothing_there,
    }
    return Guard(Starlette(routes=routes, exception_handlers=handlers), console.sessions, authority)


# --- sessions


def _opening(console: Console) -> Callable[[Request], Any]:
    async def opening(request: Request) -> Response:
        session = console.sessions.open(request.path_params["link"])
        if session is None:
            return refused(
                403,
                "This link was used before, or is too old.",
                "Enter in the terminal of `securefl site console` shows a new one.",
            )
        first = f"/{session.room}/{_FIRST}"
        # a browser sends a strict cookie only to what our own page leads to
        answer: Response = RedirectResponse(first, 303)
        if request.headers.get("sec-fetch-site", "none") != "none":
            answer = HTMLResponse(draw("opened.html", first=first))
        answer.set_cookie(
            COOKIE,
            session.cookie,
            path=f"/{session.room}/",
            httponly=True,
            samesite="strict",
        )
        return answer

    return opening


def _leaving(console: Console) -> Callable[[Request], Any]:
    async def leaving(request: Request) -> Response:
        console.sessions.end(request.state.session)
        return refused(200, "You have left the console.", "This tab can be closed.")

    return leaving


async def _to_first(request: Request) -> Response:
    return RedirectResponse(f"{request.scope['root_path']}/{_FIRST}", 303)


# --- pages


def _showing(console: Console, view: View) -> Callable[[Request], Any]:
    async def showing(request: Request) -> Response:
        asked = _asked(request)
        speech = _speech(console, request)
        frame = _frame(request, speech)

        def read(site: Site) -> str:
            facts = dict(view.read(site, asked))
            if "page" in facts:
                facts["page"] = _in_nouns(site, speech, facts["page"])
            if view.alone:
                return html_page(facts["page"], speech.language)
            around = _around(site, frame)
            if speech.language == _ENGLISH:
                around["t"] = nouns_of(site.path).say
            return draw(view.template, **around, here=view, **facts)

        try:
            text = await console.reading.ask(read)
        except Exception as error:  # noqa: BLE001 - the last wall: nobody is shown a traceback
            return await _failed(console, request, error, back="")
        console.first_shown.set()
        headers = {}
        if view.alone:
            headers["Content-Security-Policy"] = content_policy()
        return HTMLResponse(text, headers=headers)

    return showing


def _in_nouns(site: Site, speech: Catalogue, page: Page) -> Page:
    """A page in the owner's language; in English also in the nouns of the hospital's studies."""
    if speech.language == _ENGLISH:
        return in_words(page, nouns_of(site.path))
    return speech.page(page)


def _taking(console: Console, taker: Act | Draft) -> Callable[[Request], Any]:
    """Answer to a form: of an act, or of the page before one."""
    if isinstance(taker, Act):
        return _acting(console, taker)
    return _drafting(console, taker)


def _drafting(console: Console, draft: Draft) -> Callable[[Request], Any]:
    async def drafting(request: Request) -> Response:
        asked = _asked(request)
        speech = _speech(console, request)
        frame = _frame(request, speech)
        back = draft.back.format(**request.path_params)

        def read(site: Site) -> str:
            planned = draft.plan(site, asked)
            around = _around(site, frame)
            if speech.language == _ENGLISH:
                around["t"] = nouns_of(site.path).say
            shown = _in_nouns(site, speech, planned.page)
            facts = {"page": shown, "planned": planned, "back": back}
            return draw("planned.html", **around, here=None, **facts)

        try:
            text = await console.reading.ask(read)
        except Exception as error:  # noqa: BLE001 - the last wall: nobody is shown a traceback
            return await _failed(console, request, error, back=back)
        return HTMLResponse(text)

    return drafting


def _acting(console: Console, act: Act) -> Callable[[Request], Any]:
    desk = console.deciding
    if act.counts:
        desk = console.reading

    async def acting(request: Request) -> Response:
        asked = _asked(request)
        try:
            then = await desk.ask(lambda site: act.act(site, asked))
        except Exception as error:  # noqa: BLE001 - the last wall: nobody is shown a traceback
            back = act.back.format(**request.path_params)
            return await _failed(console, request, error, back=back)
        return RedirectResponse(f"{request.scope['root_path']}/{then}", 303)

    return acting


def _asked(request: Request) -> Asked:
    return Asked(
        parts=request.path_params,
        query=dict(request.query_params),
        form=getattr(request.state, "form", {}),
        now=datetime.now(UTC),
    )


def _speech(console: Console, request: Request) -> Catalogue:
    """The owner's language: as the console was told, else as the browser asks for."""
    header = request.headers.get("accept-language", "")
    return catalogue(console.language or preferred(header))


def _frame(request: Request, speech: Catalogue) -> dict[str, object]:
    session: Session = request.state.session
    return {
        "root": request.scope["root_path"],
        "form": session.form,
        "views": VIEWS,
        "lang": speech.language,
        "t": speech.say,
    }


def _around(site: Site, frame: dict[str, object]) -> dict[str, object]:
    """Facts of the frame around each page."""
    return {
        **frame,
        "site": site.name,
        "paused": site.ledger.state.paused,
        "waits": len(waiting_requests(site)),
        "mark": state_mark(site),
    }


async def _failed(console: Console, request: Request, error: Exception, *, back: str) -> Response:
    """The page of an error, in the frame where the hospital's folder can be read."""
    found = error
    if not isinstance(found, SecureFLError):
        found = console.fault(error)
    speech = _speech(console, request)
    page = speech.page(error_page(found))
    status = _status(found, acting=bool(back))
    frame = _frame(request, speech)

    def read(site: Site) -> str:
        shown = _in_nouns(site, speech, error_page(found))
        return draw("error.html", **_around(site, frame), here=None, page=shown, back=back)

    try:
        return HTMLResponse(await console.reading.ask(read), status)
    except Exception:  # noqa: BLE001 - the folder is broken: the error's page stands alone
        headers = {"Content-Security-Policy": content_policy()}
        return HTMLResponse(html_page(page, speech.language), status, headers)


def _status(error: SecureFLError, *, acting: bool) -> int:
    """HTTP's word for an error (RFC 9110)."""
    if isinstance(error, StoreError):
        return 503
    if acting:
        return 409
    if isinstance(error, UsageError):
        return 404
    return 500


async def _nothing_there(request: Request, _: Exception) -> Response:
    if request.state.session is None:
        return no_session()
    return refused(404, "There is no such page.", "The navigation of the console leads to all.")


# --- assets and events


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        return PlainTextResponse("", 404)
    return PlainTextResponse(asset(name), media_type=ASSETS[name])


def _events(console: Console) -> Callable[[Request], Any]:
    """Server-sent events: a mark that is another one when pages would say something else."""

    async def events(request: Request) -> Response:
        session: Session = request.state.session

        async def stream() -> AsyncIterator[str]:
            mark = ""
            while console.sessions.alive(session) and not console.closing():
                now = await console.reading.ask(state_mark)
                if now != mark:
                    mark = now
                    yield f"event: mark\ndata: {mark}\n\n"
                else:
                    yield ": nothing new\n\n"
                await asyncio.sleep(_LOOK_SECONDS)
            yield "event: over\ndata: over\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    return events
