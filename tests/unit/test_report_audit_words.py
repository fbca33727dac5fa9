import doctest
import json
from importlib import import_module

import pytest
from ledger_after_a_year import TYPICAL, Hospital, charges, checked, sha, year

from securefl.privacy.audit import extract
from securefl.report.audit import audit_overview
from securefl.report.audit_words import (
    cost_of,
    numbered,
    part_words,
    reason_words,
    runs,
    share_words,
)
from securefl.report.terminal import plain_text


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return year(tmp_path_factory.mktemp("svi")).report()


@pytest.mark.parametrize("module", ["audit_words", "markup", "plan_picture", "quality", "rows"])
def test_figures_in_docstrings_hold(module):
    result = doctest.testmod(import_module(f"securefl.report.{module}"))
    assert result.attempted
    assert not result.failed


def test_what_was_sent_and_what_was_not_adds_up_to_the_charge(report):
    for study in numbered(report, "referrals"):
        sent = sum(cost_of(r, study.slots) for r in study.releases)
        unsent = sum(slot.one * slot.unsent for slot in study.slots.values())
        assert sent + unsent == pytest.approx(study.study["cost"], rel=1e-12)


def test_studies_of_all_data_sets_are_numbered_in_the_order_of_approval(report):
    studies = numbered(report, "referrals")
    assert [(s.number, s.study["id"]) for s in studies] == list(
        enumerate(["thyroid-hypo", "tsh-reference", "pregnancy", "age-strata", "goitre"], 1)
    )
    assert [s.dataset for s in studies] == ["thyroid", "followup", "thyroid", "followup", "thyroid"]
    assert numbered(report, "maternity") == []


def test_what_was_sent_before_since_still_counts_as_sent(tmp_path):
    h = year(tmp_path)
    late = numbered(h.report(since="2026-02-25T23:00:00"), "referrals")
    whole = numbered(h.report(), "referrals")
    strata = next(s for s in late if s.study["id"] == "age-strata")
    assert [s.study["id"] for s in late] == ["age-strata", "goitre"]
    assert len(strata.releases) < 7
    assert strata.slots == next(s for s in whole if s.study["id"] == "age-strata").slots


def test_a_study_that_still_releases_is_not_left_out_by_since(tmp_path):
    h = Hospital(tmp_path)
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    parts = charges("4.98", 40)
    h.approve("slow", parts)
    h.clock.wait(30)
    h.send("slow", parts, 3)
    report = h.report(since="2026-02-01T00:00:00")
    assert [s["id"] for s in report.datasets[0]["studies"]] == ["slow"]
    assert report.approvals == ()


def test_attempts_are_reserved_and_paid_for(tmp_path):
    h = Hospital(tmp_path)
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    h.approve("twice", charges("9", 20), attempts=2)
    (study,) = numbered(h.report(), "referrals")
    assert [(s.reserved, s.sent) for s in study.slots.values()] == [(40, 0), (2, 0)]
    assert sum(s.one * s.reserved for s in study.slots.values()) == pytest.approx(
        study.study["cost"]
    )


def test_two_charges_of_one_mechanism_are_counted_once(tmp_path):
    h = Hospital(tmp_path)
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot="a" * 64)
    update, check = charges("9", 20)
    h.approve("two-checks", (update, check, check))
    h.send("two-checks", (update, check))
    (study,) = numbered(h.report(), "referrals")
    assert [(s.reserved, s.sent) for s in study.slots.values()] == [(20, 20), (2, 1)]
    sent = sum(cost_of(r, study.slots) for r in study.releases)
    assert sent + sum(s.one * s.unsent for s in study.slots.values()) == pytest.approx(
        study.study["cost"]
    )


def release(number, kind="update", noise="5", steps=1):
    return {
        "round": number,
        "kind": kind,
        "mechanism": "m",
        "noise_multiplier": noise,
        "sample_rate": "1/5",
        "steps": steps,
    }


def test_runs_break_at_gaps_kinds_and_mechanisms():
    listed = [
        release(1),
        release(2),
        release(4),
        release(5, noise="6"),
        release(6, noise="6", steps=2),
        release(2, "evaluation"),
    ]
    assert [[r["round"] for r in run] for run in runs(listed)] == [[1, 2], [2], [4], [5], [6]]


def test_shares_are_never_told_smaller_than_they_are():
    for share in (1e-9, 0.000123, 0.00999, 0.01, 0.0999, 0.1, 0.987):
        said = float(part_words(share).removesuffix(" %")) / 100
        assert share <= said <= share * 1.11 + 1e-5


def test_room_is_told_in_studies(report):
    population = {**report.populations[0], "share_used": 0.96, "studies_like_last": 0}
    assert (
        share_words(population, "x-1")
        == "96 % of the budget used; no room for another study like the last one (x-1)."
    )
    assert share_words({**population, "studies_like_last": 1}, None).endswith(
        "room for 1 more study like the typical one (thyroid-hypo/1)."
    )


def test_a_reason_without_words_is_shown_as_it_is():
    assert reason_words("budget") == "too little budget"
    assert reason_words("no-such-data") == "no-such-data"


def test_agreements_stand_on_both_pages_and_in_no_extract(tmp_path):
    hospital = Hospital(tmp_path)
    hospital.grant("referrals", 3)
    hospital.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    hospital.approve("thyroid-hypo", TYPICAL)
    alone = extract(hospital.read().events, sha("thyroid-hypo"))
    hospital.ledger.agree(
        agreement=sha("ring"),
        consortium="thyroid-ring",
        version=1,
        supersedes=None,
        populations=("referrals",),
    )
    hospital.ledger.depart(sha("ring"), party="STMW", effective="2027-03-02T00:00:00Z")
    report = hospital.report()
    (entry,) = report.agreements
    assert (entry["consortium"], entry["version"]) == ("thyroid-ring", 1)
    assert [d["party"] for d in entry["departures"]] == ["STMW"]
    assert checked(json.loads(json.dumps(report.to_json()))) == []
    for words in (plain_text(audit_overview(report)), hospital.page()):
        assert "Agreements of a consortium" in words
        assert "STMW" in words
    assert extract(hospital.read().events, sha("thyroid-hypo")) == alone


def test_personal_models_stand_on_both_pages_and_in_no_extract(tmp_path):
    hospital = Hospital(tmp_path)
    hospital.grant("referrals", 3)
    hospital.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    hospital.approve("thyroid-hypo", TYPICAL)
    hospital.send("thyroid-hypo", TYPICAL)
    hospital.ledger.settle(sha("thyroid-hypo"), "completed")
    before = hospital.report()
    alone = extract(hospital.read().events, sha("thyroid-hypo"))
    hospital.ledger.personalize(sha("thyroid-hypo"), snapshot=sha("later"))
    report = hospital.report()
    assert report.populations == before.populations
    (entry,) = report.personalized
    assert (entry["id"], entry["snapshot"]) == ("thyroid-hypo", sha("later"))
    assert not hospital.report(since="2027-01-01").personalized
    checked(report.to_json())
    for words in (plain_text(audit_overview(report)), hospital.page()):
        assert "Personal models made here" in words
    assert extract(hospital.read().events, sha("thyroid-hypo")) == alone


def test_kinds_that_take_turns_are_a_run_each_and_a_round_that_was_missed_breaks_it():
    """With looks every few rounds a line a turn would fill pages."""
    updates = [1, 2, 4, 5, 7, 8, 10, 11]
    looks = [release(n, "look") for n in (3, 6, 9)]
    listed = [*(release(n) for n in updates), *looks]
    assert [[r["round"] for r in run] for run in runs(listed)] == [updates, [3, 6, 9]]
    missed = [one for one in listed if one["round"] != 6]
    found = [[r["round"] for r in run] for run in runs(missed)]
    assert found == [[1, 2, 4, 5], [3], [7, 8, 10, 11], [9]]
