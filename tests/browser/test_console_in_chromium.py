"""The console in Chromium: by keyboard alone, on a phone, in the dark, for a screen reader (axe), and
when something changes meanwhile.
"""

import re
import shutil
import threading
import urllib.error
import urllib.request

import pytest
from consortium import NAMES, Consortium

from securefl.cli.faults import fault
from securefl.console.server import ConsoleServer
from securefl.console.session import IDLE_SECONDS
from securefl.console.view import Draft
from securefl.console.views import ACTS, VIEWS
from securefl.node import pasts
from securefl.node.owner.people import add_person
from securefl.undumpable import is_dumpable

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (Debian: apt install chromium)"
    ),
]
api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

ME, OTHER = NAMES[:2]
NOTICES = {
    "kind-request": "yes",
    "mail-host": "smtp.hospital.example",
    "mail-sender": "securefl@hospital.example",
    "mail-recipients": "steward@hospital.example",
}
#: What a form leads with to each page before a yes. A new one is named here, and looked at.
FORMS = {
    "/data/budgets/plan": {"population": "clinic", "epsilon": "9", "delta": "0.00001"},
    "/data/budgets/plan-revoke": {"population": "clinic"},
    "/data/leaving/plan-patients": {"population": "clinic", "identifiers": "P1"},
    "/data/leaving/plan-table": {"name": "records"},
    "/data/mapping/plan": {"table": "records", "column": "TSH", "times": "0.5"},
    "/data/mapping/plan-drop": {"table": "records"},
    "/partners/plan": {},
    "/partners/plan-excuse": {"partner": OTHER},
    "/partners/plan-remove": {"partner": OTHER},
    "/partners/plan-settle": {"partner": OTHER},
    "/settings/notices/plan": NOTICES,
    "/settings/notices/plan-drop": {},
    "/settings/notices/try": {},
    "/settings/people/plan-remove": {"person": "anna"},
    "/settings/policy/plan": {"approvers": "1"},
    "/settings/policy/plan-drop": {},
}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("browser"))
    made.studies = {name: made.new_study(name) for name in ("first", "second", "third")}
    for study in made.studies.values():
        made.hand_over(study, ME)
    made.approve(ME, made.studies["third"])
    return made


@pytest.fixture(scope="module")
def server(c):
    clock = Clock()
    made = ConsoleServer(c.root / ME, 0, fault, clock=clock)
    made.clock = clock
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stop()
    thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def chromium():
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, server):
    """A tab with an open session, and what its console said."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(server.new_link())
    page.wait_for_selector("h1")
    page.root = page.url.rpartition("/")[0]
    yield page
    context.close()


def place_of(view, c):
    return view.path[1:].format(digest=c.studies["first"].digest)


def status_of(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - of 127.0.0.1
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_nothing_is_served_to_another_machine_or_without_the_link(server):
    host, port = server._socket.getsockname()
    assert host == "127.0.0.1"
    assert not is_dumpable()
    base = f"http://127.0.0.1:{port}"
    for path in ("", "/", "/inbox", "/open/x", "/assets/page.css", "/events", "/favicon.ico"):
        assert status_of(base + path) in {401, 403}
    assert status_of(base, Host="evil.example") == 403


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 640, 320])  # 640: 1280 at 200 %
def test_every_page_fits_and_axe_finds_nothing(tab, c, scheme, width):
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    found = {}
    for view in (v for v in VIEWS if not v.alone):
        place = place_of(view, c)
        assert tab.goto(f"{tab.root}/{place}").status == 200
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{place} is {wide} pixels too wide"
        result = axe.Axe().run(tab)
        if result.violations_count:
            found[place] = result.generate_report()
    assert found == {}
    assert tab.said == []


#: Sends a form as a page of the console would.
SEND = """([path, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  const secret = document.querySelector("input[name=form]").value;
  for (const [name, value] of Object.entries({ ...fields, form: secret })) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


def test_every_page_before_a_yes_fits_a_phone_and_axe_finds_nothing(tab, c):
    """Also where the answer is that it cannot be: that is a page too."""
    drafts = {act.path for act in ACTS if isinstance(act, Draft)}
    assert drafts == set(FORMS)
    site = c.site(ME)
    add_person(site, "anna", "four words of anna", "2026-05-01T08:00:00Z")
    pasts.doubt(site, OTHER, (b"one", b"another"))
    site.ledger.close()
    card = c.root / OTHER / "keys" / "card.json"
    spoken = c.site(OTHER).identity.card.spoken
    typical = {"typical": c.studies["first"].sealed.text.decode()}
    forms = {
        **FORMS,
        "/partners/plan": {"card": card.read_text(), "heard": spoken},
        "/data/budgets/plan": {**FORMS["/data/budgets/plan"], **typical},
    }
    tab.set_viewport_size({"width": 320, "height": 900})
    told, found = {}, {}
    for path, fields in sorted(forms.items()):
        tab.goto(f"{tab.root}/settings/policy")  # a page with a form, whose secret is sent
        with tab.expect_navigation():
            tab.evaluate(SEND, [f"{tab.root}{path}", fields])
        told[path] = "Your yes" in tab.inner_text("main")
        wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide"
        result = axe.Axe().run(tab)
        if result.violations_count:
            found[path] = result.generate_report()
    assert found == {}
    # nothing is told or ruled here, and an approved study may read the table
    assert {path for path, yes in told.items() if not yes} == {
        "/settings/notices/plan-drop",
        "/settings/notices/try",
        "/settings/policy/plan-drop",
        "/data/leaving/plan-table",
        "/data/mapping/plan",
        "/data/mapping/plan-drop",
    }


def test_axe_finds_what_is_wrong(tab):
    """The control: a field without a label and a picture without words."""
    tab.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img>')")
    found = {v["id"] for v in axe.Axe().run(tab).response["violations"]}
    assert {"label", "image-alt"} <= found


def test_the_longer_words_of_german_fit_a_phone_too(tab, c, chromium):
    cookies = tab.context.storage_state()
    context = chromium.new_context(
        locale="de-DE", storage_state=cookies, viewport={"width": 320, "height": 800}
    )
    page = context.new_page()
    for view in (v for v in VIEWS if not v.alone):
        place = place_of(view, c)
        assert page.goto(f"{tab.root}/{place}").status == 200
        assert page.get_attribute("html", "lang") == "de"
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{place} is {wide} pixels too wide"
        assert axe.Axe().run(page).violations_count == 0
    context.close()


def press_until(tab, selector, most=80):
    """Tab from where the focus is until it is on what the selector names."""
    for _ in range(most):
        tab.keyboard.press("Tab")
        if tab.evaluate(
            "selector => document.activeElement.matches(selector)",
            selector,
        ):
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_a_request_is_approved_by_the_keyboard_alone(tab, c):
    study = c.studies["first"]
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    press_until(tab, f'a[href$="{study.digest}"]')
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#decide")
    press_until(tab, "#approve-typed")
    tab.keyboard.type(tab.inner_text("label[for=approve-typed] code"))
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#leave")
    assert c.status(ME, study) == "approved"
    assert "You approved it." in tab.inner_text("main")


def test_a_page_under_way_draws_itself_again(tab, c):
    tab.goto(f"{tab.root}/running")
    site = c.site(ME)
    site.ledger.pause("from the terminal")
    tab.wait_for_selector("text=Paused: nothing starts")
    site.ledger.resume()
    site.ledger.close()
    tab.wait_for_selector("text=Paused: nothing starts", state="detached")


def test_whoever_types_keeps_what_was_typed_and_is_told(tab, c):
    tab.goto(f"{tab.root}/requests/{c.studies['second'].digest}")
    tab.fill("#refuse-reason", "half a sentence")
    site = c.site(ME)
    site.ledger.pause("")
    tab.wait_for_selector("#told >> text=Something changed here")
    assert tab.input_value("#refuse-reason") == "half a sentence"
    site.ledger.resume()
    site.ledger.close()


def test_a_second_tab_decides_and_the_first_is_told_what_was_decided(tab, c):
    place = f"{tab.root}/requests/{c.studies['second'].digest}"
    second = tab.context.new_page()
    for page in (tab, second):
        page.goto(place)
    second.fill("#refuse-reason", "no vote")
    second.click("button:text-is('Refuse')")
    second.wait_for_selector("text=You refused it")
    tab.fill("#approve-typed", tab.inner_text("label[for=approve-typed] code"))
    tab.click("button:text-is('Approve')")
    tab.wait_for_selector("text=was decided here before")
    assert c.status(ME, c.studies["second"]) is None


def test_a_session_that_is_over_says_so_in_the_open_tab(tab, server):
    server.clock.now += IDLE_SECONDS + 1
    tab.wait_for_selector("text=This session is over")
    tab.reload()
    assert "No session is open in this browser" in tab.inner_text("body")


def test_a_request_prints_without_the_console_around_it(tab, c):
    tab.goto(f"{tab.root}/requests/{c.studies['third'].digest}/print")
    text = tab.inner_text("body")
    assert re.match(r"Request third-\w+ to ", text)
    assert tab.query_selector("form, nav") is None
    assert tab.said == []
