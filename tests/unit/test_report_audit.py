from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from conftest import fixed_identity
from ledger_after_a_year import year

from securefl.errors import BudgetError
from securefl.privacy.audit import audit, extract
from securefl.privacy.charges import Charge, ChargeTerms
from securefl.privacy.ledger import Ledger
from securefl.privacy.ledger_reading import read_ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order
from securefl.report.audit import audit_overview, extract_page
from securefl.report.terminal import plain_text

SITE = fixed_identity("SVI", "hospital")
CHARGES = (
    Charge("update", SubsampledGaussian(Decimal("4.98"), Fraction(1, 5), 40)),
    Charge("evaluation", Gaussian(Decimal("3.74"), 1)),
)
DELTA = Decimal("1e-5")


def ledger(path, minutes):
    def now():
        minute = next(minutes)
        return f"2026-03-01T{10 + minute // 60}:{minute % 60:02}:00Z"

    return Ledger.create(
        path,
        site="SVI",
        key=SITE.card.signing_public,
        sign=SITE.sign,
        verify=SITE.card.verify,
        now=now,
    )


def approve(book, digest, name):
    book.approve(
        study=digest,
        study_id=name,
        researcher="Researcher",
        statement="b" * 64,
        population="referrals",
        dataset="thyroid",
        charges=CHARGES,
        attempts=1,
        epsilon=Decimal(1),
        delta=DELTA,
        terms=ChargeTerms(clip_norm="1", normaliser="200", noise_source="x", code="none"),
    )


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with ledger(path, iter(range(10_000))) as book:
        choice = choose_order(Decimal(3), DELTA, CHARGES)
        book.grant(
            "referrals",
            epsilon=Decimal(3),
            delta=DELTA,
            choice=choice,
            typical="thyroid",
            charges=CHARGES,
        )
        book.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
        book.register_dataset("empty", population="referrals", snapshot="a" * 64)
        approve(book, "a" * 64, "thyroid")
        book.start("a" * 64)
        for number in [*range(1, 21), *range(22, 41)]:
            book.sent(
                "a" * 64,
                round_number=number,
                purpose="update",
                mechanism=CHARGES[0].mechanism.with_count(1),
                payload=b"%d" % number,
            )
        book.sent(
            "a" * 64,
            round_number=41,
            purpose="evaluation",
            mechanism=CHARGES[1].mechanism.with_count(1),
            payload=b"e",
        )
        approve(book, "b" * 64, "second")
        approve(book, "c" * 64, "third")
        with pytest.raises(BudgetError):
            approve(book, "d" * 64, "fourth")
        book.refuse(
            study="e" * 64,
            study_id="fifth",
            researcher="Other",
            dataset="thyroid",
            note="not [bold]our[/] question",
        )
    return read_ledger(path, SITE.card.verify)


@pytest.fixture(scope="module")
def report(reading):
    return audit(reading)


def flat(report, **options):
    return " ".join(plain_text(audit_overview(report, **options), 100).split())


def test_the_budget_is_told_as_share_and_room(report):
    page = flat(report)
    assert "94 % of the budget used; no room for another study like this." in page
    assert "█" in page


def test_rounds_without_a_gap_are_one_line_and_a_gap_shows(report):
    page = flat(report)
    assert "rounds 1 to 20: 20 model updates, 2026-03-01 10:" in page
    assert "rounds 22 to 40: 19 model updates" in page
    assert "round 41: check of the model" in page


def test_answers_and_what_was_paid_for_and_never_sent_stand_there(tmp_path):
    h = year(tmp_path)
    page = flat(h.report(), fingerprint=h.identity.card.spoken)
    assert "1 answer that took the masks off a sum" in page
    assert "charged, never sent: model updates, 18 of 30" in page
    assert "not sent yet: model updates, 15 of 20" in page
    assert f"The card of SVI: {h.identity.card.spoken}" in page
    assert f", on the card {h.identity.card.spoken}" in page


def test_with_detail_every_release_has_its_line(report):
    page = plain_text(audit_overview(report, detail=True), 100)
    assert sum("model update," in line for line in page.splitlines()) == 39


def test_each_study_stands_with_status_and_share(report):
    lines = plain_text(audit_overview(report), 80).splitlines()
    row = next(
        line
        for line in lines
        if line.strip().startswith("thyroid-aaaaaaaaaaaa") and "running" in line
    )
    assert "32 %" in row
    assert any("second-bbbbbbbbbbbb" in line and "approved" in line for line in lines)


def test_refusals_stand_with_their_figures(report):
    page = flat(report)
    assert "fourth-dddddddddddd" in page
    assert "too little budget: it asked for 32 % of the budget, 6 % was left" in page
    assert "the owner said no; not [bold]our[/] question" in page


def test_approvals_say_who_and_when(report):
    page = flat(report)
    assert "thyroid-aaaaaaaaaaaa Researcher 2026-03-01 10:" in page


def test_the_specialists_figures_are_labelled_and_nothing_is_subtracted(report):
    page = flat(report)
    assert "by PLD" in page
    assert "by RDP" in page
    granted, rdp, pld = (
        3.0,
        report.datasets[0]["spent"]["epsilon_rdp"],
        report.datasets[0]["spent"]["epsilon_pld"],
    )
    for spent in (rdp, pld):
        assert f"{granted - spent:.2g}" not in page
    assert "remaining" not in page


def test_a_verified_ledger_says_so_and_an_altered_one_warns_first(report):
    assert "Verified: " in plain_text(audit_overview(report)).splitlines()[2]
    altered = replace(report, verified=False, fault="Event 7 does not carry the hash of event 6.")
    third = " ".join(plain_text(audit_overview(altered)).splitlines()[2:5])
    assert third.startswith("NOT VERIFIED")
    assert "Event 7" in third


def test_a_pause_is_told(report):
    assert "PAUSED" in flat(replace(report, paused=True))
    assert "PAUSED" not in flat(report)


def test_an_empty_ledger_says_what_comes_next(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with ledger(path, iter(range(10))) as book:
        book.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    page = flat(audit(read_ledger(path, SITE.card.verify)))
    assert "`securefl site budget set` grants one" in page
    assert "No study was approved." in page
    assert "Nothing left the house." in page
    assert "Approvals None." in page


def test_the_page_fits_80_columns(report):
    assert max(map(len, plain_text(audit_overview(report, detail=True), 80).splitlines())) <= 80


def test_the_extract_shows_one_study_and_no_share_of_the_budget(reading):
    words = plain_text(extract_page(extract(reading.events, "a" * 64)))
    flat_words = " ".join(words.split())
    assert "thyroid-aaaaaaaaaaaa: running" in flat_words
    assert (
        "40 model updates, each on 1/5 of the patients at random, noise multiplier 4.98"
        in flat_words
    )
    assert "at most 73 %" in flat_words
    assert "rounds 1 to 20: 20 model updates" in flat_words
    for other in ("second", "third", "budget"):
        assert other not in words


def test_an_extract_without_releases_says_nothing_left(reading):
    assert "nothing" in plain_text(extract_page(extract(reading.events, "b" * 64)))


def test_a_long_study_name_stands_whole_in_every_table(tmp_path):
    path, name = tmp_path / "ledger.sqlite", "underactive-thyroid-six-values-2"
    with ledger(path, iter(range(10_000))) as book:
        choice = choose_order(Decimal(3), DELTA, CHARGES)
        book.grant(
            "referrals",
            epsilon=Decimal(3),
            delta=DELTA,
            choice=choice,
            typical="thyroid",
            charges=CHARGES,
        )
        book.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
        approve(book, "a" * 64, name)
    found = audit(read_ledger(path, SITE.card.verify))
    lines = plain_text(audit_overview(found, detail=True), 80).splitlines()
    assert sum(line.strip().startswith(f"{name}-{'a' * 12}") for line in lines) >= 2
    assert all(len(line) <= 80 for line in lines)
    narrow = " ".join(" ".join(lines).split())
    for words in (
        "status approved; share 32 %; approved 2026-03-01; ended –",
        "asked by Researcher; approved 2026-03-01 10:03 UTC; signed statement bbbbbbbbbbbb",
    ):
        assert words in narrow


def test_short_study_names_stand_in_tables(report):
    lines = [" ".join(line.split()) for line in plain_text(audit_overview(report), 80).splitlines()]
    assert "study status share approved ended" in lines
    assert "study asked by approved signed statement" in lines
    assert any(
        line.startswith(f"thyroid-{'a' * 12} Researcher 2026-") and line.endswith("b" * 12)
        for line in lines
    )
