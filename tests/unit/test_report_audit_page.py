import base64
import hashlib
import html
import re
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from ledger_after_a_year import EVIL, TERMS, TYPICAL, Hospital, charges, sha, year

from securefl.privacy.ledger import read_checkpoint
from securefl.report import audit_population
from securefl.report.audit_page import PageFacts, audit_page
from securefl.report.characters import shown
from securefl.report.html import html_page

VOID = {"meta", "br", "hr"}


class Read(HTMLParser):
    """Elements with their attributes and the text inside; fails where tags do not match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.words = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.words += data + " "

    def all(self, tag):
        return [a for t, a in self.elements if t == tag]


def flat(text):
    return " ".join(Read(text).words.split()).replace("\u00a0", " ").replace(" ,", ",")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    return year(tmp_path_factory.mktemp("svi"))


@pytest.fixture(scope="module")
def page(hospital):
    return hospital.page()


@pytest.fixture(scope="module")
def words(page):
    return flat(page)


# What an officer finds


def test_the_verdict_comes_first_and_says_what_was_checked(page, words, hospital):
    assert page.index('class="verdict good"') < page.index("<section")
    assert (
        f"✓ The ledger is intact All {hospital.ledger.size} events are there in order, unchanged,"
        " signed with this hospital's key" in words
    )
    assert "No checkpoint of another party was compared" in words
    assert hospital.ledger.head in words


def test_each_population_has_a_part_with_its_budget_in_words(words):
    assert (
        "Patients of referrals 40 % of the budget used; room for 9 more studies like the last one"
        " (goitre-" in words
    )
    assert (
        "Patients of maternity 0 % of the budget used; the owner took back the rest, so nothing"
        " more can be approved until another grant." in words
    )
    assert "UTC: taken back what was left: the ward closes" in words
    assert "epsilon 4 at delta 0.00001, for all studies of all researchers together" in words
    assert "epsilon 3 at delta 0.00001, for studies like thyroid-hypo/1" in words
    assert "from 50 % to at most 98.3 %" in words
    for difference in ("remaining", "epsilon left"):
        assert difference not in words


def test_every_study_stands_with_who_asked_when_and_its_state(words):
    for line in (
        (
            f"1 thyroid-hypo-{sha('thyroid-hypo')[:12]} on thyroid, asked by r.lopez ✓ completed"
            " 2026-01-05"
        ),
        (
            f"2 tsh-reference-{sha('tsh-reference')[:12]} on followup, asked by m.okafor ✕ failed"
            " 2026-01-26"
        ),
        (
            "✕ withdrawn by the owner Note: ethics vote withdrawn It never started: nothing is"
            " charged."
        ),
        "✕ withdrawn by the owner Note: the contract ended 2026-02-",
        "▸ running",
    ):
        assert line in words


def test_every_approval_stands_with_its_full_digest_and_statement(words):
    for study in ("thyroid-hypo", "tsh-reference", "pregnancy", "age-strata", "goitre"):
        assert sha(study) in words
        assert sha(study + " approval") in words


def test_releases_stand_by_runs_with_their_cost_and_what_was_never_sent(words):
    assert "1 to 40 40 model updates 4.98 1/5 40 9.4 % 2026-01-05" in words
    assert "41 1 check of the model 5.1 all 1 5.3 %" in words
    assert "0 1 preparation statistic 12.5 all 1 0.88 %" in words
    assert "– charged, never sent: model updates 6.2 1/5 18 2.7 % –" in words
    assert "– not sent yet: model updates 9 1/5 15" in words
    assert "nothing was sent and nothing is charged" in words


def test_grants_and_revocations_stand_by_date_with_what_was_in_force(words, tmp_path):
    assert re.search(
        r"granted epsilon 2 at delta 0.000001, [^:]*In force: 100 % of today's budget \. [^:]*:\d\d"
        r" UTC: taken back what was left: the ward closes \. In force: what was used, 0 % of"
        r" today's budget",
        words,
    )
    h = Hospital(tmp_path)
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    h.approve("one", TYPICAL)
    h.send("one", TYPICAL)
    h.clock.wait(3)
    h.ledger.revoke("referrals", "enough")
    h.clock.wait(3)
    h.grant("referrals", 2)
    (population,) = h.report().populations
    granted = [round(s.granted, 3) for s in audit_population._in_force(population)]
    used = round(population["filter"]["used"] / population["filter"]["cap"], 3)
    assert granted[0] > 1 > used  # more was granted at first than is in force today
    assert granted[-2:] == [used, 1]
    assert "Since then The budget is what had been used by the next grant" in flat(h.page())


def test_every_single_release_is_in_the_file(hospital, page):
    releases = [r for d in hospital.report().datasets for r in d["releases"]]
    inside = re.findall(r"<details.*?</details>", page, re.DOTALL)
    rows = sum(len(re.findall(r'<th scope="row"', d)) for d in inside)
    assert rows == len(releases) == 41 + 13 + 7 + 5
    for release in releases:
        assert f'datetime="{release["at"]}"' in page


def test_detail_opens_the_single_releases_for_paper(hospital, page):
    assert "<details open>" not in page
    assert hospital.page(detail=True).count("<details open>") == page.count("<details>") == 4


def test_refusals_stand_with_their_figures(words):
    assert (
        f"thyroid-deep-{sha('thyroid-deep')[:12]} on thyroid, asked by k.tanaka too little budget"
        " 1176 % 58 %" in words
    )
    assert "the owner said no" in words
    assert "Data sets without a budget" in words
    assert (
        f"sleep-1-{sha('sleep-1')[:12]} on sleep-lab, asked by acme the owner said no Note: no"
        " budget yet" in words
    )
    assert "Refused: data sets that are not registered here" in words
    assert f"genome-1-{sha('genome-1')[:12]} on genomes" in words


def test_pauses_stand_with_their_reason_and_one_that_lasts_is_told_first(words, tmp_path):
    assert (
        "Pauses When nothing started and nothing left. Times are UTC. From Until Note 2026-02-"
        in words
    )
    assert "ward moves" in words
    assert "‖ Paused" not in words
    paused = Hospital(tmp_path)
    paused.ledger.pause("power works")
    assert "‖ Paused" in flat(paused.page())
    assert "it lasts power works" in flat(paused.page())


def test_keys_and_what_is_known_of_others_stand_there(words, hospital):
    assert [k["key"] in words for k in hospital.report().keys] == [True, True]
    assert f"{hospital.report().keys[-1]['key']} {hospital.identity.card.spoken}" in words
    assert "Signing keys The old key signed each change" in words
    assert (
        f"ROYAL 2026-03-04 01:3{words.split('ROYAL 2026-03-04 01:3')[1][0]} 120 {'ab' * 32}"
        in words
    )
    assert "5 releases and 1 unmasking answer; charged: 6.7 % of the budget" in words


def test_specialists_find_both_accountants_the_order_and_the_terms(words, hospital):
    spent = hospital.report().datasets[0]["spent"]
    assert (
        f"thyroid : epsilon {spent['epsilon_pld']:.4g} by PLD, {spent['epsilon_rdp']:.4g} by RDP"
        in words
    )
    assert "Rényi divergence at order 7" in words
    assert "Studies 1 to 5 one patient added or removed; Poisson sampling; clip norm 1" in words


def test_a_checkpoint_that_was_compared_is_told(hospital):
    card = hospital.identity.card
    held = read_checkpoint(hospital.ledger.checkpoint(), site="SVI", verify=card.verify)
    about = PageFacts(
        "2026-06-30T12:00:00Z", "0.1.0", card.legal_name, card.spoken, checkpoint=held.size
    )
    text = flat(html_page(audit_page(hospital.report(), about)))
    assert (
        f"It contains the past that a checkpoint held elsewhere knows ({held.size} events)" in text
    )
    assert "No checkpoint" not in text


def test_since_leaves_out_what_was_before_but_not_from_budgets(hospital, words):
    late = flat(hospital.page(since="2026-02-20T00:00:00"))
    assert "since 2026-02-20 00:00 UTC." in late
    for gone in ("insurance-risk", "1 thyroid-hypo-", "tsh-reference-"):
        assert gone in words
        assert gone not in late
    assert "40 % of the budget used" in late
    assert "earlier studies took" in late
    assert "thyroid-deep" in late


def test_a_new_hospital_has_a_page_too(tmp_path):
    new = Hospital(tmp_path)
    assert "No budget was granted yet and no data set is registered." in flat(new.page())
    new.ledger.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    assert "No budget was granted for these patients" in flat(new.page())
    new.grant("referrals", 3)
    assert "No study is listed here, and nothing of one left the hospital." in flat(new.page())


def test_a_study_of_this_moment_has_a_picture(tmp_path):
    h = Hospital(tmp_path)
    h.clock.wait = lambda days=0: None
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    h.approve("one", charges("4.98", 40))
    about = PageFacts(h.ledger.state.studies[sha("one")].approval.at, "0.1.0", "", "")
    assert "10:03" in flat(html_page(audit_page(h.report(), about)))


# An altered ledger


def test_an_altered_ledger_names_the_event_in_red_and_shows_what_holds(tmp_path):
    h = year(tmp_path)
    h.alter(30)
    page = h.page()
    words = flat(page)
    assert '<p class="fault">Event 30 of the ledger: its text is not what was signed.</p>' in page
    assert page.index('role="alert"') < page.index("<section")
    assert (
        "What to do: Stop this hospital's agent and keep the file for whoever examines it" in words
    )
    assert "This page shows the 29 events of the file that are unbroken and signed" in words
    assert "Incomplete: the ledger does not hold." in words
    assert "This is what the part of the ledger says that holds." in words
    assert "1 to 22 22 model updates" in words
    assert "intact All" not in words


def test_a_ledger_without_one_good_event_still_makes_a_page(tmp_path):
    h = year(tmp_path)
    h.alter(1)
    words = flat(h.page())
    assert "Event 1 of the ledger" in words
    assert "the 0 events of the file" in words


# Outside text, standing alone, for everybody


def test_outside_text_is_only_ever_text(tmp_path):
    h = Hospital(tmp_path, legal_name='St <b onclick="x()">Vincent</b> & Sons')
    evil = EVIL[:100].replace("\u202e", "")
    h.grant(evil, 3)
    h.ledger.register_dataset(evil, population=evil, snapshot="a" * 64)
    parts = charges("4.98", 40)
    h.ledger.approve(
        study="c" * 64,
        study_id=evil,
        researcher=evil,
        statement="d" * 64,
        population=evil,
        dataset=evil,
        charges=parts,
        attempts=1,
        epsilon=Decimal(1),
        delta=h.ledger.state.budgets[evil].delta,
        terms=TERMS.model_copy(update={"noise_source": EVIL, "code": EVIL}),
    )
    h.ledger.start("c" * 64)
    h.ledger.sent(
        "c" * 64,
        round_number=1,
        purpose="update",
        mechanism=parts[0].mechanism.with_count(1),
        payload=b"",
    )
    h.ledger.withdraw("c" * 64, EVIL)
    h.refuse(evil, dataset=evil, note=EVIL, researcher=evil)
    h.refuse(evil + "2", dataset=evil + "2", note=EVIL, researcher=evil)
    h.ledger.pause(EVIL)
    page = h.page(detail=True)
    read = Read(page)
    for tag in ("script", "img", "iframe", "object", "embed", "form", "input", "base"):
        assert tag not in {t for t, _ in read.elements}
    assert not {
        k
        for _, a in read.elements
        for k in a
        if k.startswith("on") or k in {"style", "src", "srcset"}
    }
    assert "\u202e" not in page
    assert shown(evil) in " ".join(read.words.split())
    assert html.escape(evil) in page
    assert all(a["href"].startswith("#") for a in read.all("a"))


def test_the_page_stands_alone(page):
    read = Read(page)
    assert not [t for t, _ in read.elements if t in {"script", "link", "img", "iframe", "object"}]
    assert "url(" not in page
    assert "@import" not in page
    assert re.findall(r"https?://\S+", page.replace('xmlns="http://www.w3.org/2000/svg"', "")) == []


def test_the_policy_allows_the_one_stylesheet_and_nothing_else(page):
    (policy,) = [
        a["content"]
        for a in Read(page).all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    ]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        policy
        == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_the_page_can_be_heard_as_well_as_seen(page):
    read = Read(page)
    assert read.elements[0] == ("html", {"lang": "en"})
    assert len(read.all("h1")) == len(read.all("main")) == 1
    levels = [int(t[1]) for t, _ in read.elements if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(read.all("caption")) == len(read.all("table"))
    assert {a.get("scope") for a in read.all("th")} == {"col", "row", "rowgroup"}
    pictures = [a for a in read.all("svg") if "aria-hidden" not in a]
    assert (
        len(pictures)
        == page.count("<svg viewBox") - page.count('aria-hidden="true"')
        == page.count('role="img"')
        == 4
    )
    assert len(re.findall(r'role="img"[^>]*><title>[^<]', page)) == 4
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in read.all("a")} <= set(ids)


def test_states_are_told_in_words_beside_their_colour(page):
    assert re.findall(r'class="status [a-z]+">([^<]+)<', page) == [
        "✓ completed",
        "✕ failed",
        "✕ withdrawn by the owner",
        "✕ withdrawn by the owner",
        "▸ running",
    ]


def test_on_paper_each_population_begins_a_sheet(page):
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    assert "@page { size: A4;" in style
    assert re.search(
        r"@media print \{.*section\.population, section\.rest \{ break-before: page; \}",
        style,
        re.DOTALL,
    )
    assert page.count('<section class="population"') == 2
