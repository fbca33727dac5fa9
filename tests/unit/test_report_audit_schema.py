"""``docs/audit.schema.json`` against real reports. No JSON Schema library is locked, so a checker
of the subset it uses stands in :mod:`ledger_after_a_year`; that the checker bites is tested here as well.
"""

import copy
import json
import re

import pytest
from ledger_after_a_year import ROOT, SCHEMA, Hospital, checked, year

from securefl.study.stages import STAGES


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    return year(tmp_path_factory.mktemp("svi"))


@pytest.fixture(scope="module")
def report(hospital):
    return json.loads(json.dumps(hospital.report().to_json(), allow_nan=False))


def test_the_report_is_what_the_schema_says(report):
    assert checked(report) == []


def test_reports_with_gaps_are_too(hospital, tmp_path):
    assert (
        checked(json.loads(json.dumps(hospital.report(since="2026-02-20T00:00:00").to_json())))
        == []
    )
    empty, altered, gone = Hospital(tmp_path / "a"), year(tmp_path / "b"), year(tmp_path / "c")
    empty.ledger.pause("")
    altered.alter(30)
    gone.alter(1)
    for h in (empty, altered, gone):
        assert checked(json.loads(json.dumps(h.report().to_json()))) == []


def test_the_keys_that_others_rely_on_are_described():
    top = SCHEMA["properties"]
    population, dataset = (top[k]["items"]["properties"] for k in ("populations", "datasets"))
    assert {"populations", "datasets", "verified", "head", "events"} <= set(SCHEMA["required"])
    assert {"name", "budget", "filter", "share_used", "studies_like_last"} <= set(population)
    assert set(population["budget"]["properties"]) == {"epsilon", "delta"}
    assert set(population["filter"]["properties"]) == {"order", "cap", "used"}
    assert {"name", "population", "spent", "studies", "releases", "refusals"} <= set(dataset)
    assert set(dataset["spent"]["properties"]) == {"epsilon_rdp", "epsilon_pld"}
    inside = {
        k: set(dataset[k]["items"]["properties"]) for k in ("studies", "releases", "refusals")
    }
    assert {"id", "digest", "status", "epsilon"} <= inside["studies"]
    assert inside["releases"] == {
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
    assert {"study", "reason", "asked", "left", "at"} <= inside["refusals"]


def test_every_kind_of_release_that_the_product_has_may_stand_in_a_report():
    ours = [STAGES[name] for name in STAGES.names()]
    kinds = sorted(k for s in ours if s.__module__.startswith("securefl.") for k in s.nouns)
    told = list(enums(SCHEMA, "kind"))
    assert len(told) == 2
    assert all(sorted(kind) == kinds for kind in told)


def enums(schema, name):
    """The words that a property of that name may have, wherever it stands."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == name and isinstance(value, dict) and "enum" in value:
                yield value["enum"]
            yield from enums(value, name)
    elif isinstance(schema, list):
        for value in schema:
            yield from enums(value, name)


def test_every_key_that_is_written_is_described_and_every_object_is_closed():
    def objects(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "object":
                yield schema
            for value in schema.values():
                yield from objects(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from objects(value)

    found = list(objects(SCHEMA))
    assert len(found) > 10
    for schema in found:
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


CHANGES = {
    "a missing key": (lambda r: r.pop("head"), "$ lacks head"),
    "a key too many": (
        lambda r: r["datasets"][0]["studies"][0].update(patients=551),
        "$.datasets[0].studies[0] has patients",
    ),
    "a wrong type": (lambda r: r.update(events="98"), "$.events is not integer"),
    "true for a number": (
        lambda r: r["populations"][0]["budget"].update(epsilon=True),
        "$.populations[0].budget.epsilon is not number",
    ),
    "a share above 1": (
        lambda r: r["populations"][0].update(share_used=1.5),
        "$.populations[0].share_used breaks maximum",
    ),
    "an unknown status": (
        lambda r: r["datasets"][0]["studies"][0].update(status="lost"),
        "$.datasets[0].studies[0].status is none of",
    ),
    "a local time": (
        lambda r: r["approvals"][0].update(at="2026-01-05 09:00"),
        "$.approvals[0].at is misspelt",
    ),
    "another format": (
        lambda r: r.update(schema="securefl-audit/2"),
        "$.schema is not securefl-audit/1",
    ),
    "neither text nor null": (lambda r: r.update(fault=3), "$.fault is not string"),
    "a delta of 0": (
        lambda r: r["populations"][0]["budget"].update(delta=0),
        "$.populations[0].budget.delta breaks exclusiveMinimum",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_checker_finds(name, report):
    change, fault = CHANGES[name]
    changed = copy.deepcopy(report)
    change(changed)
    (found,) = checked(changed)
    assert found.startswith(fault)


def test_a_keyword_that_the_checker_does_not_know_is_not_passed_over():
    with pytest.raises(AssertionError):
        checked(1, {"type": "integer", "multipleOf": 2})


def test_the_page_on_the_format_shows_a_real_report(report):
    text = (ROOT / "docs" / "audit.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert checked(json.loads(example)) == []
