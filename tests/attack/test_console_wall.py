"""What another site's page, another program of this machine, or a person without the link can do to
an owner's console: nothing. Each attack succeeds against the pages without their wall.
"""

import re
from urllib.parse import urlencode

import pytest
from console_client import AUTHORITY, FORM_TYPE, ConsoleClient, exchange
from consortium import NAMES, Consortium

from securefl.console import guard
from securefl.console.session import IDLE_SECONDS
from securefl.console.views import ACTS, VIEWS

ME = NAMES[0]
EVIL = ("http://evil.example", "http://127.0.0.1:8001", "https://127.0.0.1:8000", "null", "")


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("console"))


@pytest.fixture
def client(c):
    made = ConsoleClient(c.root / ME)
    made.open()
    yield made
    made.close()


@pytest.fixture
def study(c):
    made = c.new_study("asked")
    c.hand_over(made, ME)
    return made


def paused(c):
    site = c.site(ME)
    try:
        return site.ledger.state.paused
    finally:
        site.ledger.close()


def without_wall(client, method, path, form=None, headers=()):
    """The same pages, reached without the wall."""
    inner = client.app._inner

    async def bare(scope, receive, send):
        room, _, _ = path.removeprefix("/").partition("/")
        session = client.sessions.find(client.room, client.cookie.partition("=")[2])
        scope["state"] = {"session": session, "form": form or {}}
        scope["root_path"] = f"/{room}"
        await inner(scope, receive, send)

    return exchange(bare, method, path, headers)


# --- whoever has no session


def test_without_a_session_every_page_and_every_act_is_refused(client):
    room = client.room
    places = [view.path for view in VIEWS] + ["/", "/events", "/assets/page.css", "/assets/x"]
    for place in places:
        for path in (place, f"/{room}{place}", f"/{'x' * len(room)}{place}"):
            assert exchange(client.app, "GET", path, [("host", AUTHORITY)]).status == 401
    for act in (*(act.path for act in ACTS), "/leave"):
        for path in (act, f"/{room}{act}"):
            body = urlencode({"form": client.form}).encode()
            answer = exchange(client.app, "POST", path, [("host", AUTHORITY), FORM_TYPE], body)
            assert answer.status == 401
    for link in ("", "x", room, client.form):
        answer = exchange(client.app, "GET", f"/open/{link}", [("host", AUTHORITY)])
        assert answer.status in {401, 403}


def test_a_refusal_says_nothing_of_the_hospital(client, c):
    for path in ("/", "/open/x", "/nothing"):
        text = exchange(client.app, "GET", path, [("host", AUTHORITY)]).text
        assert ME not in text
        assert str(c.root) not in text
        assert client.room not in text


def test_a_link_is_used_once_by_whoever_comes_first(client):
    link = client.sessions.new_link()
    assert client.open(link).status == 303
    assert client.open(link).status == 403
    assert client.get("inbox").status == 200


def test_a_session_that_is_over_shows_nothing_and_decides_nothing(client, c):
    client.now += IDLE_SECONDS + 1
    assert client.post("pause").status == 401
    assert client.get("inbox").status == 401
    assert not paused(c)


def test_whoever_leaves_has_left(client):
    assert client.post("leave").status == 200
    assert client.get("inbox").status == 401


def test_a_page_that_looks_by_itself_keeps_no_session_alive(client):
    """Server-sent events of a forgotten tab would keep it open for ever."""
    client.now += IDLE_SECONDS - 1
    client.sessions._session.seen = client.now - IDLE_SECONDS + 1
    client.ends = True
    assert "event: over" in client.get("events").text
    client.now += 2
    assert client.get("inbox").status == 401


# --- another site's page in the owner's browser


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "evil.example", "localhost:8000", "127.0.0.1", "127.0.0.1:80", ""]
)
def test_a_name_that_was_made_to_lead_here_is_not_answered(client, host):
    headers = [("host", host), ("cookie", client.cookie)]
    answer = exchange(client.app, "GET", f"/{client.room}/inbox", headers)
    assert answer.status == 403
    assert without_wall(client, "GET", f"/{client.room}/inbox", headers=headers).status == 200


def test_two_names_at_once_or_none_are_not_answered(client):
    cookie = ("cookie", client.cookie)
    two = [("host", AUTHORITY), ("host", "evil.example"), cookie]
    assert exchange(client.app, "GET", f"/{client.room}/inbox", two).status == 403
    assert exchange(client.app, "GET", f"/{client.room}/inbox", [cookie]).status == 403


@pytest.mark.parametrize("origin", EVIL)
def test_a_form_that_another_site_sends_does_nothing(client, c, origin):
    """Even with the form's secret and the browser's cookie."""
    answer = client.post("pause", ("origin", origin))
    assert answer.status == 403
    assert not paused(c)


@pytest.mark.parametrize("form", ["", "x", "the-cookie", "the-room"])
def test_a_form_without_its_secret_does_nothing(client, c, form):
    named = {"the-cookie": client.cookie.partition("=")[2], "the-room": client.room}
    assert client.post("pause", form=named.get(form, form)).status == 403
    assert not paused(c)


def test_control_without_the_wall_another_sites_form_pauses_the_hospital(client, c):
    evil = [("host", AUTHORITY), ("origin", EVIL[0])]
    answer = without_wall(client, "POST", f"/{client.room}/pause", {"note": ""}, evil)
    assert answer.status == 303
    assert paused(c)
    assert client.post("resume", ("origin", f"http://{AUTHORITY}")).status == 303
    assert not paused(c)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_elsewhere_cannot_even_ask_for_a_page(client, site):
    """``same-site`` is what a browser says of another port of 127.0.0.1."""
    assert client.get("inbox", ("sec-fetch-site", site)).status == 403
    assert client.get("inbox", ("sec-fetch-site", "same-origin")).status == 200
    assert client.get("inbox", ("sec-fetch-site", "none")).status == 200


def test_no_page_can_be_framed_cached_or_told_where_its_reader_came_from(client):
    for place in ("inbox", "nothing", "audit/print"):
        answer = client.get(place)
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("referrer-policy") == "same-origin"
        assert answer.header("x-content-type-options") == "nosniff"
        policy = answer.header("content-security-policy")
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
    policy = client.get("inbox").header("content-security-policy")
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy


def test_no_page_has_a_script_or_style_of_its_own(client, study):
    for view in VIEWS:
        text = client.get(view.path[1:].format(digest=study.digest)).text
        assert re.findall(r"<script(?![^>]* src=)", text) == []
        assert re.findall(r"\son\w+=|\sstyle=|javascript:", text) == []


# --- another program of this machine


def test_the_cookie_goes_to_no_other_port(client):
    """Browsers send cookies of 127.0.0.1 to each of its ports: only the path, which is a secret,
    keeps this one from another program's server.
    """
    made = client.open().header("set-cookie")
    assert f"Path=/{client.room}/;" in made
    assert "HttpOnly" in made
    assert "samesite=strict" in made.lower()
    assert len(client.room) >= 20
    # neither of the two opens anything alone
    other = [("host", AUTHORITY), ("cookie", client.cookie)]
    assert exchange(client.app, "GET", "/inbox", other).status == 401
    assert exchange(client.app, "GET", f"/{client.room}/inbox", other[:1]).status == 401


def test_a_link_that_another_page_leads_to_sets_a_strict_cookie_all_the_same(client):
    """A browser would not send a strict cookie along a redirect that began elsewhere."""
    answer = client.open(None, ("sec-fetch-site", "cross-site"))
    assert answer.status == 200
    assert f"url=/{client.room}/inbox" in answer.text


# --- forms that are none


def test_a_form_larger_than_any_of_ours_is_not_read_to_its_end(client, c):
    piece = b"a" * 16_384
    pieces = [f"form={client.form}&note=".encode(), *[piece] * 3200]  # 50 MB
    read = []

    async def counted(scope, receive, send):
        async def receiving():
            message = await receive()
            read.append(len(message["body"]))
            return message

        await client.app(scope, receiving, send)

    headers = [*client.headers, FORM_TYPE]
    answer = exchange(counted, "POST", f"/{client.room}/pause", headers, pieces=pieces)
    assert answer.status == 413
    assert sum(read) <= guard.MOST_FORM_BYTES + len(piece)
    assert not paused(c)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "", "a/b"])
def test_other_kinds_of_forms_are_not_read(client, c, kind):
    body = urlencode({"form": client.form}).encode()
    headers = [*client.headers, ("content-type", kind)]
    assert exchange(client.app, "POST", f"/{client.room}/pause", headers, body).status == 415
    assert not paused(c)


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"&".join(b"a=1" for _ in range(60)), b"", b"form", b"form=%FF"]
)
def test_odd_bodies_are_refused(client, c, body):
    headers = [*client.headers, FORM_TYPE]
    answer = exchange(client.app, "POST", f"/{client.room}/pause", headers, body)
    assert answer.status in {403, 413}
    assert not paused(c)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
def test_no_other_method_is_spoken(client, method):
    assert exchange(client.app, method, f"/{client.room}/pause", client.headers).status == 405
    assert exchange(client.app, method, "/pause", [("host", AUTHORITY)]).status == 401


def test_an_act_is_no_page_and_a_page_no_act(client, c):
    assert client.get("pause").status == 404
    assert client.post("inbox").status == 404
    assert not paused(c)
