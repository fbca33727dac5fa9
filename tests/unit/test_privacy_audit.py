import json
import subprocess
import sys
from decimal import Decimal

import pytest
from ledger_site import (
    CHARGES,
    DELTA,
    STEP,
    approve,
    digest,
    example_ledger,
    new_ledger,
    send,
    verify,
)

from securefl.errors import BudgetError, LedgerAlteredError, NotApprovedError
from securefl.privacy.accounting import NANO, pld_epsilon
from securefl.privacy.audit import audit, extract
from securefl.privacy.charges import Charge
from securefl.privacy.ledger import read_ledger
from securefl.privacy.ledger_reading import Reading


@pytest.fixture
def path(tmp_path):
    example_ledger(tmp_path / "ledger.sqlite").close()
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def report(path):
    return json.loads(json.dumps(audit(read_ledger(path, verify)).to_json()))


def test_the_keys_that_others_rely_on_are_there(report):
    assert {"populations", "datasets", "verified", "head", "events"} <= set(report)
    (population,) = report["populations"]
    assert {"name", "budget", "filter", "share_used", "studies_like_last"} <= set(population)
    assert set(population["budget"]) == {"epsilon", "delta"}
    assert set(population["filter"]) == {"order", "cap", "used"}
    visits = report["datasets"][0]
    assert {"name", "population", "spent", "studies", "releases", "refusals"} <= set(visits)
    assert set(visits["spent"]) == {"epsilon_rdp", "epsilon_pld"}
    assert {"id", "digest", "status", "epsilon"} <= set(visits["studies"][0])
    keys = {
        "study",
        "round",
        "kind",
        "mechanism",
        "noise_multiplier",
        "sample_rate",
        "steps",
        "noise_parts",
        "at",
    }
    assert set(visits["releases"][0]) == keys
    assert {"study", "reason", "asked", "left", "at"} <= set(visits["refusals"][0])


def test_the_report_says_what_happened(report):
    (population,) = report["populations"]
    visits, followups = report["datasets"]
    assert population["budget"] == {"epsilon": 3.0, "delta": 1e-5}
    assert population["filter"]["order"] == 7
    assert population["share_used"] == pytest.approx(
        population["filter"]["used"] / population["filter"]["cap"], abs=1e-4
    )
    assert population["share_used"] >= population["filter"]["used"] / population["filter"]["cap"]
    assert population["studies_like_last"] == 3
    assert [s["status"] for s in visits["studies"]] == ["completed"]
    assert [s["status"] for s in followups["studies"]] == ["withdrawn"]
    assert [(r["round"], r["kind"]) for r in visits["releases"]] == [
        (1, "update"),
        (2, "update"),
        (2, "evaluation"),
    ]
    assert visits["releases"][0]["noise_multiplier"] == "4.98"
    assert visits["releases"][0]["sample_rate"] == "1/5"
    assert visits["refusals"][0]["reason"] == "owner"
    assert visits["refusals"][0]["asked"] is None
    assert [a["id"] for a in report["approvals"]] == ["study-1", "study-3"]
    assert report["verified"] is True
    assert report["fault"] is None
    assert report["events"] == 17
    assert report["paused"] is False


def test_what_never_started_is_not_counted(report):
    visits, followups = report["datasets"]
    assert followups["spent"] == {"epsilon_rdp": 0.0, "epsilon_pld": 0.0}
    assert visits["spent"]["epsilon_pld"] == 1.0
    assert visits["spent"]["epsilon_rdp"] > visits["spent"]["epsilon_pld"]


def test_several_studies_are_composed(tmp_path):
    ledger = new_ledger(tmp_path / "x")
    for n in range(3):
        approve(ledger, n)
    spent = audit(read_ledger(tmp_path / "x", verify)).datasets[0]["spent"]
    together = [m for c in CHARGES for m in [c.mechanism.with_count(3 * c.mechanism.count)]]
    assert float(pld_epsilon(together, DELTA)) <= spent["epsilon_pld"] <= spent["epsilon_rdp"] <= 3


def test_another_delta_is_not_taken_for_the_budgets(tmp_path):
    ledger = new_ledger(tmp_path / "x")
    approve(ledger, delta=Decimal("1e-3"), epsilon=Decimal("0.1"))
    assert audit(read_ledger(tmp_path / "x", verify)).datasets[0]["spent"]["epsilon_pld"] > 1


def test_a_refusal_shows_what_was_asked_and_left(tmp_path):
    ledger = new_ledger(tmp_path / "x")
    with pytest.raises(BudgetError):
        approve(ledger, attempts=9)
    (refusal,) = audit(read_ledger(tmp_path / "x", verify)).datasets[0]["refusals"]
    assert refusal["asked"] > refusal["left"] == 1.0


def test_before_any_study_the_room_is_for_typical_ones(tmp_path):
    ledger = new_ledger(tmp_path / "x")
    (population,) = audit(read_ledger(tmp_path / "x", verify)).populations
    assert population["studies_like_last"] == ledger.quote("thyroid", CHARGES).room == 4
    approve(ledger, charges=(Charge("update", STEP.with_count(10)),))
    (population,) = audit(read_ledger(tmp_path / "x", verify)).populations
    assert (
        population["studies_like_last"]
        == ledger.quote("thyroid", (Charge("update", STEP.with_count(10)),)).room
        > 4
    )
    assert population["filter"]["used"] == ledger.state.used("thyroid") / NANO


def test_since_leaves_out_what_was_before_but_not_from_the_sums(path):
    whole, late = (
        audit(read_ledger(path, verify)),
        audit(read_ledger(path, verify), since="2026-02-01T00:00:00Z"),
    )
    assert (
        late.datasets[0]["releases"]
        == late.datasets[0]["studies"]
        == late.datasets[0]["refusals"]
        == []
    )
    assert late.approvals == ()
    assert late.populations == whole.populations
    assert late.datasets[0]["spent"] == whole.datasets[0]["spent"]


def test_an_altered_ledger_is_reported_as_far_as_it_holds(path):
    reading = read_ledger(path, verify)
    broken = Reading(
        reading.events, reading.at, LedgerAlteredError("Event 18 of the ledger: it is missing.")
    )
    report = audit(broken)
    assert report.verified is False
    assert "Event 18" in report.fault


def test_the_extract_shows_one_study_and_nothing_else(tmp_path):
    ledger = new_ledger(tmp_path / "x")
    for n, dataset in ((1, "visits"), (2, "followups"), (3, "visits")):
        approve(ledger, n, dataset=dataset)
        ledger.start(digest(n))
        send(ledger, n, round_number=n, payload=b"%d" % n)
    shown = extract(ledger.events(), digest(2))
    text = json.dumps(shown)
    assert [r["round"] for r in shown["releases"]] == [2]
    assert shown["study"]["status"] == "running"
    assert [c["kind"] for c in shown["charges"]] == ["update", "evaluation"]
    state = ledger.state
    for other in (1, 3):
        assert digest(other) not in text
        assert f"study-{other}" not in text
        assert state.study(digest(other)).approval.at not in text
        assert state.study(digest(other)).sent[other, "update"].at not in text
    assert "visits" not in text
    assert "share" not in text
    assert ledger.head not in text
    with pytest.raises(NotApprovedError):
        extract(ledger.events(), digest(9))


def test_the_owners_notes_stay_out_of_the_extract(path):
    events = read_ledger(path, verify).events
    assert "purpose unclear" not in json.dumps(extract(events, digest(1)))


def test_an_audit_of_one_study_loads_no_accountant(path):
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; from pathlib import Path; from ledger_site"
        " import verify;from securefl.privacy.audit import audit; from"
        " securefl.privacy.ledger_reading import"
        f" read_ledger;audit(read_ledger(Path({str(path)!r}), verify));print([m for m in"
        " ('dp_accounting', 'scipy', 'torch', 'opacus', 'syft') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
