"""The researcher's extract: this study only, whatever else the hospital did meanwhile."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from ledger_after_a_year import Hospital, charges, sha, year

from securefl.privacy.audit import extract
from securefl.report.audit import extract_page
from securefl.report.terminal import plain_text

MINE, OTHER = charges("4.98", 40), charges("9", 20)


class Times:
    """A clock that is set: events get the same times whatever happened between them."""

    def __init__(self):
        self.time = datetime(2026, 1, 5, tzinfo=UTC)

    def __call__(self):
        return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def wait(self, days=0.0):
        self.time += timedelta(days=days)


def run(folder, *, others):
    """My study at fixed times; with ``others``, a second study, refusals, a grant and a pause
    between its rounds.
    """
    h = Hospital(folder)
    h.ledger.close()
    clock = Times()
    from securefl.privacy.ledger import Ledger

    card = h.identity.card
    h.ledger = Ledger.open(
        folder / "ledger.sqlite", sign=h.identity.sign, verify=card.verify, now=clock
    )
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    if others:
        h.ledger.register_dataset("followup", population="referrals", snapshot=sha("followup"))
        clock.time = datetime(2026, 1, 6, 1, 23, 45, tzinfo=UTC)
        h.approve("rival", OTHER, dataset="followup", researcher="k.tanaka")
        h.ledger.start(sha("rival"))
        h.refuse("nosy", note="never ours")
    clock.time = datetime(2026, 1, 7, tzinfo=UTC)
    h.approve("mine", MINE)
    h.ledger.start(sha("mine"))
    for number in range(1, 41):
        clock.time = datetime(2026, 1, 8, tzinfo=UTC) + timedelta(hours=number)
        h.ledger.sent(
            sha("mine"),
            round_number=number,
            purpose="update",
            mechanism=MINE[0].mechanism.with_count(1),
            payload=b"%d" % number,
        )
        if others and number <= 20:
            clock.time += timedelta(minutes=17, seconds=3)
            h.ledger.sent(
                sha("rival"),
                round_number=number,
                purpose="update",
                mechanism=OTHER[0].mechanism.with_count(1),
                payload=b"r%d" % number,
            )
        if others and number == 30:
            h.ledger.pause("ward moves")
            h.ledger.resume()
            h.grant("referrals", 1)
    if others:
        h.ledger.withdraw(sha("rival"), "their contract ended")
    clock.time = datetime(2026, 1, 20, tzinfo=UTC)
    h.ledger.settle(sha("mine"), "completed")
    return h


def test_the_extract_is_the_same_to_the_byte_whatever_others_did(tmp_path):
    alone = extract(run(tmp_path / "a", others=False).ledger.events(), sha("mine"))
    among = extract(run(tmp_path / "b", others=True).ledger.events(), sha("mine"))
    assert json.dumps(alone) == json.dumps(among)
    assert plain_text(extract_page(alone)) == plain_text(extract_page(among))
    assert len(among["releases"]) == 40


def test_control_the_owners_report_does_differ(tmp_path):
    alone, among = (
        run(tmp_path / n, others=o).report().to_json() for n, o in (("a", False), ("b", True))
    )
    for key in ("populations", "datasets", "approvals", "pauses", "events", "head"):
        assert alone[key] != among[key]


def test_each_of_two_studies_gets_its_own(tmp_path):
    events = run(tmp_path, others=True).ledger.events()
    mine, rival = (json.dumps(extract(events, sha(s))) for s in ("mine", "rival"))
    for text, other, others_times in (
        (mine, "rival", "2026-01-06T"),
        (rival, "mine", "2026-01-07T"),
    ):
        assert other not in text
        assert sha(other) not in text
        assert others_times not in text
    assert '"status": "withdrawn"' in rival
    for owners in (
        "their contract ended",
        "never ours",
        "ward moves",
        "k.tanaka",
        "share",
        "cap",
        "order",
    ):
        assert owners not in mine
        assert owners not in rival


def test_the_data_set_is_named_by_its_keyed_hash(tmp_path):
    h = year(tmp_path)
    assert extract(h.ledger.events(), sha("goitre"))["dataset"] == {
        "name": "thyroid",
        "population": "referrals",
        "snapshot": sha("thyroid"),
    }


@pytest.mark.parametrize(
    "study", ["thyroid-hypo", "tsh-reference", "pregnancy", "age-strata", "goitre"]
)
def test_every_study_of_a_year_has_words(tmp_path, study):
    words = plain_text(extract_page(extract(year(tmp_path).ledger.events(), sha(study))))
    assert f"{study}-{sha(study)[:12]}" in words
    assert "budget" not in words
