import json
from decimal import Decimal

import pytest
from ledger_site import HISTOGRAM, STEP, TERMS
from pydantic import ValidationError

from securefl.errors import UnreadableError, UsageError
from securefl.privacy import ledger_events as ev

AT = "2026-01-31T12:00:00Z"
STUDY = "ab" * 32
PART = ev.Part(purpose="update", mechanism=STEP.with_count(40), cost=5)
EVENTS = [
    ev.Genesis(at=AT, site="SVI", key="0f" * 32),
    ev.Grant(at=AT, population="p", epsilon=Decimal(3), delta=Decimal("1e-5"), order=7, typical="t", typical_parts=(PART,), reason="r"),
    ev.Dataset(at=AT, name="visits", population="p", snapshot="aa" * 32),
    ev.Approve(at=AT, study=STUDY, id="s", researcher="r", statement="bb" * 32, cost=5),
    ev.Reserve(
        at=AT, study=STUDY, population="p", dataset="visits", snapshot="aa" * 32, order=7, attempts=1, parts=(PART,),
        epsilon=Decimal(1), delta=Decimal("1e-5"), accountants=("rdp", "pld"), terms=TERMS,
    ),
    ev.Start(at=AT, study=STUDY),
    ev.Start(at=AT, study=STUDY, walls=("network", "other-processes")),
    ev.Start(at=AT, study=STUDY, walls=()),
    ev.Sent(at=AT, study=STUDY, round=3, purpose="evaluation", mechanism=HISTOGRAM, sha256="cc" * 32),
    ev.Settle(at=AT, study=STUDY, status="completed"),
    ev.Refuse(at=AT, study=STUDY, id="s", researcher="r", dataset="visits", reason="budget", note="", asked=Decimal("1.3"), left=Decimal("0.2")),
    ev.Refuse(at=AT, study=STUDY, id="s", researcher="r", dataset="visits", reason="owner", note="why", asked=None, left=None),
    ev.Withdraw(at=AT, study=STUDY, note=""),
    ev.Pause(at=AT, note=""),
    ev.Resume(at=AT),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.kind)
def test_an_event_has_one_text_and_comes_back(event):
    body = ev.dump_event(event)
    assert ev.load_event(body) == event
    assert ev.dump_event(ev.load_event(body)) == body
    assert '"at"' in body


def test_a_start_of_which_no_wall_was_reported_has_the_text_of_old_ledgers():
    assert "walls" not in ev.dump_event(ev.Start(at=AT, study=STUDY))
    assert '"walls":[]' in ev.dump_event(ev.Start(at=AT, study=STUDY, walls=()))


def no_floats(value):
    if isinstance(value, dict):
        return all(no_floats(v) for v in value.values())
    if isinstance(value, list):
        return all(no_floats(v) for v in value)
    return not isinstance(value, float)


def test_no_event_holds_a_float():
    assert all(no_floats(json.loads(ev.dump_event(e))) for e in EVENTS)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": "x"},
        {"kind": "gift"},
        {"epsilon": 3},
        {"epsilon": "3.0"},
        {"epsilon": "three"},
        {"epsilon": "NaN"},
        {"epsilon": "1" * 61},
        {"order": "7"},
        {"population": ""},
        {"population": "a\nb"},
        {"at": "yesterday"},
        {"at": "2026-01-31T12:00:00+02:00"},
    ],
)
def test_a_field_out_of_place_is_refused(change):
    body = json.dumps(
        {**json.loads(ev.dump_event(EVENTS[1])), **change}, sort_keys=True, separators=(",", ":")
    )
    with pytest.raises(UnreadableError):
        ev.load_event(body)


def test_another_spelling_of_the_same_event_is_refused():
    body = ev.dump_event(EVENTS[5])
    with pytest.raises(UnreadableError, match="canonical"):
        ev.load_event(body.replace(",", ", "))


@pytest.mark.parametrize("body", ["", "[]", "null", "{", "x" * (ev.MAX_BODY + 1)])
def test_text_that_is_no_event_is_refused(body):
    with pytest.raises(UnreadableError):
        ev.load_event(body)


def test_values_from_outside_are_refused_with_their_field():
    with pytest.raises(UsageError, match=r"start: study"):
        ev.checked_event(ev.Start, {"at": AT, "study": "zz"})


def granted(epsilon):
    return ev.checked_event(
        ev.Grant,
        {
            **EVENTS[1].model_dump(exclude={"kind", "epsilon", "typical_parts"}),
            "typical_parts": (PART,),
            "epsilon": epsilon,
        },
    )


def test_the_longest_number_is_written_and_read_and_one_digit_more_is_not():
    body = ev.dump_event(granted(Decimal("1" * 60)))
    assert ev.load_event(body).epsilon == Decimal("1" * 60)
    with pytest.raises(UsageError, match="epsilon"):
        granted(Decimal("1" * 61))


@pytest.mark.parametrize(
    "value",
    [
        "3.0",
        "+3",
        "1e-5",
        "NaN",
        "Infinity",
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("1E+999999999999999999"),
    ],
    ids=str,
)
def test_a_number_has_one_spelling_whoever_hands_it_in(value):
    with pytest.raises(UsageError, match="epsilon"):
        granted(value)


DIGEST = "0f" * 32
BASE = {event.kind: event.model_dump(exclude={"kind", "format"}) for event in EVENTS} | {
    "answer": {"at": AT, "study": STUDY, "round": 3, "sha256": DIGEST},
    "rotate": {"at": AT, "key": DIGEST, "proof": "ab" * 64},
    "checkpoint": {"at": AT, "site": "STMW", "size": 4, "head": DIGEST},
    "revoke": {"at": AT, "population": "p", "note": ""},
}
KIND = {"answer": ev.Answer, "rotate": ev.Rotate, "checkpoint": ev.Witness, "revoke": ev.Revoke} | {
    e.kind: type(e) for e in EVENTS
}


def made(kind, **changes):
    fields = {
        name: value
        for name, value in BASE[kind].items()
        if name not in {"typical_parts", "parts", "terms", "mechanism"}
    }
    more = {
        "grant": {"typical_parts": (PART,)},
        "reserve": {"parts": (PART,), "terms": TERMS},
        "sent": {"mechanism": HISTOGRAM},
    }
    return ev.checked_event(KIND[kind], {**fields, **more.get(kind, {}), **changes})


@pytest.mark.parametrize(
    ("kind", "field", "good", "bad"),
    [
        ("dataset", "name", ["x", "x" * 120, "é"], ["", "x" * 121, "a\x00", "a\x1fb", "a\x7f", 7]),
        ("pause", "note", ["", "x" * 1000], ["x" * 1001, "a\x00", "a\x1fb", "a\x7f", None]),
        ("refuse", "reason", ["a", "a" + "-" * 39], ["", "A", "-a", "a" + "b" * 40, "a1", "a "]),
        ("start", "study", [DIGEST], [DIGEST.upper(), DIGEST[1:], DIGEST + "0", "g" * 64, DIGEST + "\n"]),
        ("rotate", "proof", ["ab" * 64], ["ab" * 63, "ab" * 65, "AB" * 64, "xy" * 64]),
        ("approve", "cost", [0, (1 << 53) - 1], [-1, 1 << 53, "5", 5.0, True]),
        ("reserve", "attempts", [1, 10_000], [0, 10_001]),
        ("sent", "round", [0, 1_000_000], [-1, 1_000_001]),
        ("answer", "round", [0, 1_000_000], [-1, 1_000_001]),
        ("checkpoint", "size", [1, (1 << 53) - 1], [0, 1 << 53]),
        ("settle", "status", ["completed", "failed", "withdrawn"], ["running", "", "approved"]),
        ("resume", "at", [AT, "2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.123456+00:00"],
         ["2026-01-31T12:00:00.1234567Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00.Z", "2026-01-31 12:00:00Z", AT + "\n", "x" + AT]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_field_takes_its_range_and_nothing_beside_it(kind, field, good, bad):
    for value in good:
        assert getattr(ev.load_event(ev.dump_event(made(kind, **{field: value}))), field) == value
    for value in bad:
        with pytest.raises(UsageError, match=field):
            made(kind, **{field: value})


@pytest.mark.parametrize("kind", BASE)
def test_an_event_of_each_kind_is_strict_frozen_and_takes_no_other_field(kind):
    event = made(kind)
    assert event.kind == kind
    with pytest.raises(UsageError, match="more"):
        made(kind, more="x")
    with pytest.raises(UsageError, match="at"):
        made(kind, at=b"2026-01-31T12:00:00Z")
    with pytest.raises(ValidationError, match="frozen"):
        event.at = AT


def test_a_part_is_strict_frozen_and_takes_no_other_field():
    with pytest.raises(ValidationError, match="frozen"):
        PART.cost = 6
    fields = {"purpose": "update", "mechanism": HISTOGRAM, "cost": 5}
    for change in ({"more": 1}, {"cost": "5"}):
        with pytest.raises(ValidationError):
            ev.Part(**{**fields, **change})


def test_an_event_of_64_kib_is_read_and_one_character_more_is_not():
    assert ev.MAX_BODY == 65_536
    with pytest.raises(UnreadableError, match="longer than any"):
        ev.load_event("x" * 65_537)
    with pytest.raises(UnreadableError, match="does not follow the format securefl-ledger/1"):
        ev.load_event("x" * 65_536)
