"""The console shows what the owner's use cases return, and decides through them alone."""

import itertools
import json
import re
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from console_client import ConsoleClient
from consortium import NAMES, Consortium

from securefl.console.views import VIEWS, audit, inbox
from securefl.node.owner import requests
from securefl.node.owner.pages import review_page
from securefl.report.html import html_blocks
from securefl.study.words import Words

ME, OTHER = NAMES[:2]


NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    """Hospitals that the tests share: each test has a study of its own."""
    return Consortium(tmp_path_factory.mktemp("console"))


@pytest.fixture
def client(c):
    made = ConsoleClient(c.root / ME)
    made.open()
    yield made
    made.close()


def study_of(c):
    study = c.new_study(f"study-{next(NUMBERS)}")
    c.hand_over(study, ME)
    return study


def now():
    return datetime.now(UTC)


def short(study):
    return f"{study.sealed.study.study.id}-{study.digest[:12]}"


def bare(text):
    """A page without the blanks between its elements."""
    return re.sub(r"\s*\n\s*", "", text)


def ledger_size(c):
    site = c.site(ME)
    try:
        return site.ledger.size
    finally:
        site.ledger.close()


# --- pages


def test_every_page_of_the_navigation_is_there_and_names_itself(client):
    for view in (v for v in VIEWS if v.words):
        answer = client.get(view.path[1:])
        assert answer.status == 200
        assert f'href="/{client.room}{view.path}" aria-current="page"' in answer.text
        assert answer.text.count("<h1") == 1


def test_a_page_loads_nothing_from_elsewhere(client, c):
    study_of(c)
    for view in (v for v in VIEWS if v.words):
        for address in re.findall(r'(?:src|href|action)="([^"]*)"', client.get(view.path[1:]).text):
            assert address.startswith((f"/{client.room}/", "#")), address
    for name in ("page.css", "console.css", "console.js", "icon.svg"):
        asset = client.get(f"assets/{name}")
        assert asset.status == 200
        loaded = re.findall(r"url\(|@import|https?://[^\s\"']+", asset.text)
        assert set(loaded) <= {"http://www.w3.org/2000/svg"}  # a name, and no address


def test_a_request_has_all_of_the_terminals_page(client, c):
    study = study_of(c)
    answer = client.get(f"requests/{study.digest}")
    site = c.site(ME)
    reviewed = requests.review(site, study.digest, now())
    page = review_page(ME, reviewed, requests.own_view(site, reviewed), commands=False)
    site.ledger.close()
    assert str(html_blocks(page)) in answer.text
    assert "Your table: " in answer.words
    assert "80 rows, 80 can be used" in answer.words
    alone = client.get(f"requests/{study.digest}/print")
    assert bare(html_blocks(page)) in bare(alone.text)
    assert "<form" not in alone.text
    assert "sha256-" in alone.header("content-security-policy")


def test_reading_changes_neither_ledger_nor_store(client, c):
    study = study_of(c)
    before = ledger_size(c), c.objects()
    for view in VIEWS:
        client.get(view.path[1:].format(digest=study.digest))
    assert (ledger_size(c), c.objects()) == before
    assert client.faults == []


# --- decisions


def test_an_approval_needs_the_studys_name_and_is_given_once(client, c):
    study = study_of(c)
    place = f"requests/{study.digest}"
    assert f"<code>{short(study)}</code>" in client.get(place).text
    for typed in ("", "first", short(study)[:-1], short(study).upper()):
        answer = client.post(f"{place}/approve", typed=typed)
        assert answer.status == 409
        assert "What you typed is not" in answer.words
    assert c.status(ME, study) is None
    answer = client.post(f"{place}/approve", typed=f" {short(study)} ")
    assert (answer.status, answer.header("location")) == (303, f"/{client.room}/{place}")
    assert c.status(ME, study) == "approved"
    assert "You approved it." in client.get(place).words


def test_two_tabs_that_decide_at_once_make_one_decision(client, c):
    study = study_of(c)
    place = f"requests/{study.digest}"
    client.get(place), client.get(place)
    assert client.post(f"{place}/approve", typed=short(study)).status == 303
    before = ledger_size(c)
    again = client.post(f"{place}/approve", typed=short(study))
    refused = client.post(f"{place}/refuse", reason="no")
    for answer in (again, refused):
        assert answer.status == 409
        assert "was decided here before" in answer.words
        assert f'href="/{client.room}/{place}"' in answer.text
    assert ledger_size(c) == before


def test_a_decision_of_the_terminal_meanwhile_is_met_in_the_browser(client, c):
    study = study_of(c)
    client.get(f"requests/{study.digest}")
    c.approve(ME, study)
    answer = client.post(f"requests/{study.digest}/refuse", reason="no")
    assert (answer.status, c.status(ME, study)) == (409, "approved")


def test_a_question_is_asked_and_its_answer_is_shown(client, c):
    study = study_of(c)
    place = f"requests/{study.digest}"
    assert client.post(f"{place}/ask", question=" ").status == 409
    assert client.post(f"{place}/ask", question="Is age in <b>years</b>?").status == 303
    page = client.get(place)
    assert "No answer has come yet." in page.words
    assert "&lt;b&gt;years" in page.text
    study.answer(ME, 1, "In years.")
    assert "In years." in client.get(place).words
    assert client.post(f"{place}/refuse", reason="no vote").status == 303
    assert client.post(f"{place}/ask", question="And then?").status == 409


def test_a_refusal_needs_a_reason_that_stays_in_the_ledger(client, c):
    study = study_of(c)
    place = f"requests/{study.digest}"
    assert client.post(f"{place}/refuse", reason="  ").status == 409
    assert client.post(f"{place}/refuse", reason="no vote").status == 303
    page = client.get(place)
    assert "You refused it" in page.words
    assert "<form" not in page.text.partition("<main")[2]
    assert b"no vote" not in b"".join(c.objects().values())


def test_a_study_that_was_approved_can_be_left(client, c):
    study = study_of(c)
    c.approve(ME, study)
    place = f"requests/{study.digest}"
    words = client.get(place).words
    assert "Leave this study" in words
    assert "No round has begun, so nothing is charged" in words
    assert f"The study ends for 2 other hospitals too ({', '.join(NAMES[1:])})." in words
    assert client.post(f"{place}/withdraw", typed="first").status == 409
    assert client.post(f"{place}/withdraw", typed=short(study), reason="enough").status == 303
    assert c.status(ME, study) == "withdrawn"


def test_a_request_with_faults_offers_no_approval(client, c):
    study = study_of(c)
    site = c.site(ME)
    card = site.book.cards()[OTHER]
    site.book.distrust(OTHER)
    page = client.get(f"requests/{study.digest}")
    assert "It cannot be approved as it stands" in page.words
    assert "/approve" not in page.text
    answer = client.post(f"requests/{study.digest}/approve", typed=short(study))
    assert answer.status == 409
    assert c.status(ME, study) is None
    site.book.trust(card)


def test_pause_and_resume_stand_on_every_page(client):
    assert client.post("pause", note="holiday").status == 303
    assert "Paused: nothing starts" in client.get("data").words
    assert client.post("resume").status == 303
    assert "Paused: nothing starts" not in client.get("data").words


def test_rows_are_never_counted_where_decisions_are_made(client, c, monkeypatch):
    """The moment of an approval is seen by others, and counting takes longer for more rows."""
    study = study_of(c)
    threads = []
    count = requests.count_rows

    def counted(*arguments):
        threads.append(threading.current_thread().name)
        return count(*arguments)

    monkeypatch.setattr(requests, "count_rows", counted)
    client.get(f"requests/{study.digest}")
    client.post(f"requests/{study.digest}/approve", typed=short(study))
    assert threads
    assert all(name.startswith("reading") for name in threads)


def test_what_runs_stands_with_its_rounds_and_what_a_pause_would_cost(client, c):
    study = study_of(c)
    c.approve(ME, study)
    name = short(study)
    page = client.get("running")
    assert f'href="/{client.room}/requests/{name}"' in page.text
    assert client.get(f"requests/{name}").status == 200
    assert f"{name} does not start while you pause." in page.words
    site = c.site(ME)
    site.ledger.start(study.digest)
    site.ledger.close()
    page = client.get("running")
    assert f'aria-label="Rounds of {name}"' in page.text
    assert f"{name} fails at its next deadline" in page.words
    assert "of the budget of clinic stays spent" in client.get(f"requests/{name}").words


# --- what goes wrong


def test_a_study_that_is_not_there_is_no_page(client):
    for place in (f"requests/{'0' * 64}", "requests/..", "requests/%00", "nothing"):
        assert client.get(place).status == 404


def test_a_store_that_does_not_answer_is_said_on_the_page(client, c):
    study = study_of(c)
    away = c.store_folder.rename(c.root / "away")
    try:
        assert "the store does not answer" in client.get(f"requests/{study.digest}").words
        assert client.get("inbox").status == 200
    finally:
        away.rename(c.store_folder)


def test_a_broken_request_is_a_page_and_not_a_traceback(client, c):
    study = study_of(c)
    (c.root / ME / "studies" / study.digest / "study.toml").write_bytes(
        study.sealed.text.replace(b"A small study", b"A large study")
    )
    answer = client.get(f"requests/{study.digest}")
    assert answer.status == 500
    assert "is not the study that was kept under this digest" in answer.words
    assert client.faults == []


def test_a_fault_of_ours_is_a_page_and_not_a_traceback(client, monkeypatch):
    monkeypatch.setattr(inbox.requests, "inbox_part", lambda *_: 1 / 0)
    answer = client.get("inbox")
    assert answer.status == 500
    assert "This is a fault of securefl." in answer.words
    assert "Traceback" not in answer.text
    assert [type(e) for e in client.faults] == [ZeroDivisionError]


# --- words of others

HOSTILE = (
    "</blockquote><script>document.title=1</script><img src=x onerror=1>\"'&amp;"
    "\u202eevil\u2066\u200b\u3164\x1b[31m\x9b"
)


def test_markup_and_control_characters_in_every_field_are_only_text(client, c):
    study = study_of(c)
    file = c.root / ME / "studies" / study.digest / "request.json"
    kept = json.loads(file.read_text())
    for name in ("title", "sender", "received", "study_id", "job"):
        c.rewrite_request(ME, study, json.dumps({**kept, name: HOSTILE}))
        for place in ("inbox", f"requests/{study.digest}"):
            text = client.get(place).text
            assert "<script>" not in text.replace('<script src="', "")
            assert "<img" not in text
            assert not re.search("[\u202e\u2066\u200b\u3164\x1b\x9b]", text)
    c.rewrite_request(ME, study, json.dumps(kept))
    for field in ({"typed": HOSTILE}, {"reason": ""}):
        text = client.post(f"requests/{study.digest}/approve", **field).text
        assert "evil" not in text
    assert client.post("pause", note="line\x00one").status in {303, 409}


# --- many


def test_ten_thousand_requests_come_a_screenful_at_a_time(client, c, monkeypatch):
    study_of(c)
    site = c.site(ME)
    kept = requests.kept_requests(site)[0]
    site.ledger.close()
    many = tuple(
        replace(kept, digest=f"{n:064x}", received=f"2026-01-02T{n // 3600:02}:{n // 60 % 60:02}Z")
        for n in range(10_000)
    )
    monkeypatch.setattr(requests, "kept_requests", lambda _: many)
    first = client.get("inbox")
    assert first.text.count('class="name"') == inbox.ROWS
    assert "10,000 requests wait for your decision." in first.words
    assert len(first.body) < 40_000
    assert "1 of 400" in first.words
    last = client.get("inbox?page=400")
    assert last.text.count('class="name"') == inbox.ROWS
    assert f"{0:064x}" in last.text
    for odd in ("0", "-1", "x", "9" * 30, "401", "%FF", "１"):
        assert client.get(f"inbox?page={odd}").status == 200


def test_a_decided_request_stands_after_those_that_wait(client, c):
    first, second = study_of(c), study_of(c)
    site = c.site(ME)
    requests.refuse(site, second.digest, "no")
    site.ledger.close()
    text = client.get("inbox").text
    assert text.index(first.digest) < text.index(second.digest)


def test_an_altered_ledger_is_said_on_a_page_that_stands_alone(tmp_path):
    c = Consortium(tmp_path)
    client = ConsoleClient(c.root / ME)
    client.open()
    client.get("inbox")
    with sqlite3.connect(c.root / ME / "ledger.sqlite") as db:
        (table,) = [n for (n,) in db.execute("select name from sqlite_master where type='table'")]
        db.execute(f"delete from {table} where rowid = (select max(rowid) from {table})")  # noqa: S608
    answer = client.get("inbox")
    assert answer.status == 500
    assert "ledger" in answer.words
    assert "sha256-" in answer.header("content-security-policy")
    client.close()


# --- languages


def test_pages_speak_the_browsers_language_and_quote_others_as_they_wrote(client, c):
    study = study_of(c)
    german = ("accept-language", "de-DE,de;q=0.9,en;q=0.5")
    text = client.get(f"requests/{study.digest}", german)
    assert '<html lang="de">' in text.text
    assert "Alle Prüfungen dieses Krankenhauses sind bestanden." in text.words
    assert "A small study" in text.words
    assert "Genehmigen" in text.words
    assert '<html lang="en">' in client.get(f"requests/{study.digest}").text
    alone = client.get(f"requests/{study.digest}/print", german)
    assert '<html lang="de">' in alone.text
    assert "Wer fragt" in alone.words
    error = client.post("pause", german)
    assert error.status == 303
    assert "Pause: Nichts beginnt" in client.get("running", german).words
    client.post("resume")


def test_pages_speak_in_the_nouns_of_the_studies_that_are_kept(client, c, monkeypatch):
    study = study_of(c)
    page = f"requests/{study.digest}"
    before = client.get(page).words
    assert "this hospital" in before
    banks = Words(participant="bank", subject="customer")
    monkeypatch.setattr("securefl.console.application.nouns_of", lambda _folder: banks)
    after = client.get(page).words
    assert "this bank" in after
    assert "this hospital" not in after
    missing = client.get("requests/0000").words
    assert "hospital" not in missing
    # nouns are English, and German sentences are left as they are
    german = ("accept-language", "de")
    assert "bank" not in client.get(page, german).words


def test_an_audit_is_told_a_sheet_at_a_time(client, c, monkeypatch):
    monkeypatch.setattr(audit, "ROWS", 1)
    older, newer = study_of(c), study_of(c)
    for study in (older, newer):
        client.post(f"requests/{study.digest}/approve", typed=short(study))
    assert short(newer) in client.get("audit").words
    assert short(older) not in client.get("audit").words
    assert short(older) in client.get("audit?page=2").words
    assert 'href="/' + client.room + '/audit?page=2"' in client.get("audit").text
    alone = client.get("audit/print").words
    assert short(older) in alone
    assert short(newer) in alone


def test_every_fixed_sentence_of_the_consoles_own_is_in_german(client, c):
    """Sentences of the templates and of the script; those with figures stand on the pages above."""
    from securefl.console import drawing
    from securefl.report.catalogue import catalogue

    folder = drawing.files("securefl.console") / "templates"
    said = set()
    for file in folder.iterdir():
        said |= set(re.findall(r't\("([^"{~]+)"\)', file.read_text("utf-8")))
    said |= {view.words for view in VIEWS if view.words}
    assert len(said) > 40
    assert {s for s in said if not catalogue("de").knows(s)} == set()


def test_a_console_that_was_told_its_language_asks_no_browser(c):
    made = ConsoleClient(c.root / ME, language="de")
    made.open()
    assert '<html lang="de">' in made.get("inbox", ("accept-language", "en")).text
    made.close()


def test_a_study_file_of_50_megabytes_is_refused_on_its_page(client, c):
    study = study_of(c)
    file = c.root / ME / "studies" / study.digest / "study.toml"
    file.write_bytes(study.sealed.text + b"# more\n" * (50_000_000 // 7))
    answer = client.get(f"requests/{study.digest}")
    assert answer.status == 500
    assert len(answer.body) < 10_000
    assert client.get("inbox").status == 200
    assert client.post(f"requests/{study.digest}/refuse", reason="too large").status == 303
    assert client.faults == []


def test_new_requests_are_looked_for_where_no_agent_runs(client):
    assert "Look for new requests" in client.get("inbox").words
    answer = client.post("inbox/fetch")
    assert (answer.status, answer.header("location")) == (303, f"/{client.room}/inbox?fetched")
    assert "Looked for new requests." in client.get("inbox?fetched").words


def test_the_look_before_an_approval_is_a_button_on_the_request(c, client):
    study = study_of(c)
    kept = c.root / ME / "private" / "looks" / "records.json"
    assert "Look at your table beside this request" in client.get(f"requests/{study.digest}").words
    client.get(f"data/readiness?table=records&request={study.digest}")
    assert not kept.exists(), "a page writes nothing"
    answer = client.post(f"requests/{study.digest}/look")
    assert answer.status == 303
    assert kept.exists()
    place = answer.header("location").removeprefix(f"/{client.room}/")
    assert place == f"data/readiness?table=records&request={study.digest}"
    assert "Readiness of" in client.get(place).words
    assert client.get("data/readiness?table=records&request=none").status in {400, 404}


def test_the_readiness_of_a_table_is_a_page_of_the_console(client):
    page = client.get("data")
    assert f'href="/{client.room}/data/readiness?table=records"' in page.text
    shown = client.get("data/readiness?table=records")
    assert shown.status == 200
    assert "Readiness of" in shown.words
    assert "<svg" in shown.text
    assert client.get("data/readiness").words == shown.words, "the only table is meant"
    missing = client.get("data/readiness?table=%3Cb%3Enone")
    assert missing.status == 404
    assert "<b>none" not in missing.text
