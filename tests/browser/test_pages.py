"""Pages in a real browser, the audit above all: nothing is blocked or fetched, nothing runs, and it
prints.

Debian: chromium, poppler-utils.
"""

import re
import shutil
import socket
import subprocess
import threading

import pytest
from every_page import built
from ledger_after_a_year import year

from securefl.report.html import html_page
from securefl.report.notebook import framed

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (Debian: apt install chromium)"
    ),
]
PDFTOTEXT, PDFINFO = shutil.which("pdftotext"), shutil.which("pdfinfo")
paper = pytest.mark.skipif(
    PDFTOTEXT is None or PDFINFO is None,
    reason="pdftotext is not installed (Debian: apt install poppler-utils)",
)


def browse(page, profile, *options):
    """The browser's output and its console's lines."""
    run = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            *options,
            page.as_uri() if hasattr(page, "as_uri") else page,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def hospital(room):
    return year(room / "site")


@pytest.fixture(scope="module")
def page(room, hospital):
    (room / "audit.html").write_text(hospital.page(), "utf-8")
    return room / "audit.html"


def size(picture):
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def test_the_browser_applies_the_page_as_it_is_and_complains_of_nothing(page, room):
    text, complaints = browse(page, room / "profile", "--dump-dom")
    assert complaints == []
    assert "The ledger is intact" in text
    assert text.count("<section") == page.read_text("utf-8").count("<section")


INTRUDERS = {
    "script": "<script>document.title = 'intruded'</script>",
    "handler": '<img src="data:," onerror="document.title = \'intruded\'">',
    "style": "<style>h1 { display: none }</style>",
    "picture": '<img src="http://127.0.0.1:PORT/x.png">',
}


def listener():
    """A server that only counts who connects."""
    server = socket.create_server(("127.0.0.1", 0))
    calls = []

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            calls.append(1)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return server, calls


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control-without-the-policy"])
def test_markup_that_slipped_through_can_neither_run_nor_fetch(guarded, page, room):
    server, calls = listener()
    text = page.read_text("utf-8")
    if not guarded:
        text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
    inside = "".join(INTRUDERS.values()).replace("PORT", str(server.getsockname()[1]))
    hurt = room / f"hurt-{guarded}.html"
    hurt.write_text(text.replace("<main>", "<main>" + inside), "utf-8")
    dom, complaints = browse(
        hurt, room / f"profile-{guarded}", "--virtual-time-budget=2000", "--dump-dom"
    )
    server.close()
    assert ("<title>intruded" in dom) is not guarded
    assert bool(calls) is not guarded
    assert any("Content Security Policy" in c for c in complaints) is guarded


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_drawn_at_any_width_and_its_colours_are_there(width, page, room):
    picture = room / f"{width}.png"
    browse(page, room / "profile", f"--window-size={width},1000", f"--screenshot={picture}")
    assert size(picture) == (width, 1000)
    assert picture.stat().st_size > 20_000  # an empty page of this size is below 6 kB


def printed(page, room, name):
    browse(page, room / "profile", "--no-pdf-header-footer", f"--print-to-pdf={room / name}")
    text = subprocess.run(
        [PDFTOTEXT, "-layout", room / name, "-"], capture_output=True, text=True, check=True
    ).stdout
    facts = subprocess.run(
        [PDFINFO, room / name], capture_output=True, text=True, check=True
    ).stdout
    return [" ".join(sheet.split()) for sheet in text.split("\f")[:-1]], facts


@paper
def test_on_paper_each_population_begins_a_sheet_of_a4(page, room):
    sheets, facts = printed(page, room, "audit.pdf")
    assert "(A4)" in facts
    assert sheets[0].startswith("Privacy audit of St Vincent's, inpatients")
    assert "The ledger is intact" in sheets[0]
    for population in ("referrals", "maternity"):
        (first,) = [s for s in sheets if s.startswith(f"Patients of {population}")]
        assert "of the budget used" in first
    assert sheets[-1].endswith(f"page {len(sheets)} of {len(sheets)}")
    whole = " ".join(sheets)
    assert "charged, never sent" in whole
    assert "Every release of study" not in whole
    assert "securefl audit --html FILE --detail" in whole


@paper
def test_on_paper_no_heading_is_left_alone_at_the_end_of_a_sheet(page, room):
    sheets, _ = printed(page, room, "headings.pdf")
    headings = (
        "Studies",
        "Who approved what, and when",
        "What left the hospital",
        "What was refused",
        "For specialists",
        "Spending over time",
    )
    for sheet in sheets:
        body = re.sub(r" ?Privacy audit page \d+ of \d+$", "", sheet)
        assert not body.endswith(headings)


@paper
def test_with_detail_paper_has_every_release(hospital, room):
    (room / "detail.html").write_text(hospital.page(detail=True), "utf-8")
    whole = " ".join(printed(room / "detail.html", room, "detail.pdf")[0])
    assert "Every release of study 1 (41)" in whole
    assert len(re.findall(r"\d+ model update ", whole)) >= 40 + 12 + 7 + 5


@paper
def test_an_altered_ledger_is_told_on_every_populations_sheet(room):
    h = year(room / "altered")
    h.alter(30)
    (room / "altered.html").write_text(h.page(), "utf-8")
    sheets, _ = printed(room / "altered.html", room, "altered.pdf")
    assert "Event 30 of the ledger: its text is not what was signed." in sheets[0]
    assert any(
        s.startswith("Patients of referrals Incomplete: the ledger does not hold.") for s in sheets
    )


@pytest.mark.parametrize("name", ["request-with-faults", "status", "plan", "outcome", "error"])
def test_no_other_page_breaks_its_own_policy(name, room):
    (room / f"{name}.html").write_text(html_page(built(name)), "utf-8")
    text, complaints = browse(room / f"{name}.html", room / "profile", "--dump-dom")
    assert complaints == []
    assert "</main>" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_in_a_notebook_is_light_or_dark_as_the_notebook_is(scheme, room):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    notebook = f"<!doctype html><body style='color-scheme: {scheme}'>{framed(built('outcome'))}"
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # "null": nothing is emulated, so that only the notebook says what is seen
        window = browser.new_page(color_scheme="null")
        window.set_content(notebook)
        background = window.frames[1].evaluate("getComputedStyle(document.body).backgroundColor")
        browser.close()
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (brightness < 128) is (scheme == "dark")
