"""A hospital's ledger as it looks after a year: several studies, a refusal by the owner and one for
lack of budget, one withdrawn before and one after its start, one failed, one running, a later
grant, a pause, a second population whose budget was taken back, a new key, a checkpoint of another
hospital.

``checked`` holds a JSON value against the subset of JSON Schema that ``docs/audit.schema.json``
uses.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from securefl.errors import BudgetError
from securefl.identity import Identity
from securefl.privacy.audit import audit
from securefl.privacy.charges import Charge, ChargeTerms
from securefl.privacy.ledger import Checkpoint, Ledger, read_ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order
from securefl.report.audit_page import PageFacts, audit_page
from securefl.report.html import html_page

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text("utf-8"))
DELTA = Decimal("1e-5")
TERMS = ChargeTerms(
    clip_norm="1",
    normaliser="551.2",
    noise_source="discrete Gaussian, ChaCha20",
    code="declarative",
)
#: What a title or note could hold to forge a page.
EVIL = (
    '</td></table><script>alert("x")</script><img src=//evil.example/x onerror=alert(1)>'
    " \u202e&lt;b&gt; ]]>"
)


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def charges(noise, steps, *, preparation=False):
    first = [Charge("preparation", Gaussian(Decimal("12.5")))] if preparation else []
    return (
        *first,
        Charge("update", SubsampledGaussian(Decimal(noise), Fraction(1, 5), steps)),
        Charge("evaluation", Gaussian(Decimal("5.1")), aside=True),
    )


TYPICAL = charges("4.98", 40)


class Clock:
    def __init__(self):
        self.time = datetime(2026, 1, 5, 9, 2, 11, tzinfo=UTC)

    def __call__(self):
        self.time += timedelta(seconds=47)
        return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def wait(self, days=0.0):
        self.time += timedelta(days=days)


class Hospital:
    """A folder as ``securefl site init`` makes it, as far as an audit reads it."""

    def __init__(self, folder, legal_name="St Vincent's, inpatients"):
        self.folder, self.clock = folder, Clock()
        self.identity = Identity.generate("SVI", "hospital", legal_name, "steward@svi.example")
        self.identity.save(folder / "keys")
        (folder / "site.toml").touch()  # an audit looks only whether it is there
        card = self.identity.card
        self.ledger = Ledger.create(
            folder / "ledger.sqlite",
            site="SVI",
            key=card.signing_public,
            sign=self.identity.sign,
            verify=card.verify,
            now=self.clock,
        )

    def grant(self, population, epsilon, delta=DELTA):
        choice = choose_order(Decimal(3), delta, TYPICAL)
        self.ledger.grant(
            population,
            epsilon=Decimal(epsilon),
            delta=delta,
            choice=choice,
            typical="thyroid-hypo/1",
            charges=TYPICAL,
        )

    def approve(
        self,
        study,
        parts,
        *,
        dataset="thyroid",
        population="referrals",
        researcher="r.lopez",
        attempts=1,
    ):
        self.ledger.approve(
            study=sha(study),
            study_id=study,
            researcher=researcher,
            statement=sha(study + " approval"),
            population=population,
            dataset=dataset,
            charges=parts,
            attempts=attempts,
            epsilon=Decimal("0.9982"),
            delta=DELTA,
            terms=TERMS,
        )

    def send(self, study, parts, rounds=None):
        digest = sha(study)
        self.ledger.start(digest)
        for part in parts:
            one = part.mechanism.with_count(1)
            if part.purpose == "preparation":
                self.ledger.sent(
                    digest, round_number=0, purpose="preparation", mechanism=one, payload=b"p"
                )
            elif part.purpose == "update":
                steps = rounds or part.mechanism.count
                for number in range(1, steps + 1):
                    self.clock.wait(0.01)
                    self.ledger.sent(
                        digest,
                        round_number=number,
                        purpose="update",
                        mechanism=one,
                        payload=b"%d" % number,
                    )
            elif rounds is None:
                self.ledger.sent(
                    digest,
                    round_number=steps + 1,
                    purpose="evaluation",
                    mechanism=one,
                    payload=b"e",
                )

    def refuse(self, study, *, dataset="thyroid", note="", reason="owner", researcher="acme"):
        self.ledger.refuse(
            study=sha(study),
            study_id=study,
            researcher=researcher,
            dataset=dataset,
            reason=reason,
            note=note,
        )

    def read(self, checkpoint=None):
        return read_ledger(self.folder / "ledger.sqlite", self.identity.card.verify, checkpoint)

    def report(self, **options):
        return audit(self.read(), **options)

    def page(self, *, detail=False, **options):
        card = self.identity.card
        about = PageFacts(
            "2026-06-30T12:00:00Z",
            "0.1.0",
            card.legal_name,
            card.spoken,
            since=options.get("since"),
            detail=detail,
        )
        return html_page(audit_page(self.report(**options), about))

    def change_key(self):
        card = self.identity.card
        new = Identity.generate(card.name, "hospital", card.legal_name, card.email)
        self.ledger.rotate(new.card.signing_public, sign=new.sign, verify=new.card.verify)
        shutil.rmtree(self.folder / "keys")
        new.save(self.folder / "keys")
        self.identity = new

    def alter(self, number):
        """Make an event say something else than was signed."""
        with sqlite3.connect(self.folder / "ledger.sqlite") as file:
            file.execute(
                "UPDATE event SET body = replace(body, '2026', '2025') WHERE seq = ?", (number,)
            )
        file.close()


def year(folder):
    """The hospital after its year."""
    h = Hospital(folder)
    h.grant("referrals", 3)
    h.ledger.register_dataset("thyroid", population="referrals", snapshot=sha("thyroid"))
    h.ledger.register_dataset("followup", population="referrals", snapshot=sha("followup"))
    h.approve("thyroid-hypo", TYPICAL)
    h.send("thyroid-hypo", TYPICAL)
    h.ledger.settle(sha("thyroid-hypo"), "completed")
    h.clock.wait(9)
    h.refuse("insurance-risk", note=EVIL)
    h.clock.wait(12)
    h.approve(
        "tsh-reference",
        charges("6.2", 30, preparation=True),
        dataset="followup",
        researcher="m.okafor",
    )
    h.send("tsh-reference", charges("6.2", 30, preparation=True), 12)
    h.ledger.settle(sha("tsh-reference"), "failed")
    h.clock.wait(20)
    h.ledger.pause("ward moves")
    h.clock.wait(3)
    h.ledger.resume()
    h.approve("pregnancy", charges("5.5", 40))
    h.clock.wait(2)
    h.ledger.withdraw(sha("pregnancy"), "ethics vote withdrawn")
    with pytest.raises(BudgetError):
        h.approve("thyroid-deep", charges("2.1", 400), researcher="k.tanaka")
    h.clock.wait(5)
    h.grant("referrals", 1)
    h.approve("age-strata", charges("7", 25), dataset="followup", researcher="m.okafor")
    h.send("age-strata", charges("7", 25), 7)
    h.ledger.withdraw(sha("age-strata"), "the contract ended")
    h.clock.wait(6)
    h.approve("goitre", charges("9", 20))
    h.send("goitre", charges("9", 20), 5)
    h.grant("maternity", 2, Decimal("1e-6"))
    h.ledger.register_dataset("births", population="maternity", snapshot=sha("births"))
    h.ledger.register_dataset("sleep-lab", population="sleep", snapshot=sha("sleep"))
    h.refuse("sleep-1", dataset="sleep-lab", note="no budget yet")
    h.refuse("genome-1", dataset="genomes", reason="no-such-data")
    h.ledger.answer(sha("goitre"), round_number=1, payload=b"answer")
    h.ledger.revoke("maternity", "the ward closes")
    h.ledger.witness(Checkpoint("ROYAL", 120, "ab" * 32))
    h.change_key()
    return h


_KEYWORDS = frozenset(
    {
        "$schema",
        "$id",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "const",
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "anyOf",
        "items",
        "properties",
        "required",
        "additionalProperties",
    }
)
_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def checked(value, schema=SCHEMA, where="$"):
    """Faults of ``value``; every keyword of the schema is known here, or this fails."""
    assert set(schema) <= _KEYWORDS, set(schema) - _KEYWORDS
    if "$ref" in schema:
        found = checked(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
        return found + checked(value, {k: v for k, v in schema.items() if k != "$ref"}, where)
    if "anyOf" in schema:
        tried = [checked(value, s, where) for s in schema["anyOf"]]
        return [] if any(not t for t in tried) else tried[0]
    kind = schema.get("type")
    if kind and (
        not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        return [f"{where} is not {kind}"]
    faults = []
    if "const" in schema and value != schema["const"]:
        faults.append(f"{where} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{where} is none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        faults.append(f"{where} is misspelt")
    bounds = {
        "minimum": lambda b: value >= b,
        "maximum": lambda b: value <= b,
        "exclusiveMinimum": lambda b: value > b,
        "exclusiveMaximum": lambda b: value < b,
    }
    faults += [
        f"{where} breaks {name}"
        for name, holds in bounds.items()
        if name in schema and not holds(schema[name])
    ]
    if kind == "array":
        faults += [
            f for i, v in enumerate(value) for f in checked(v, schema["items"], f"{where}[{i}]")
        ]
    if kind == "object":
        faults += [f"{where} lacks {k}" for k in schema["required"] if k not in value]
        faults += [f"{where} has {k}" for k in value if k not in schema["properties"]]
        faults += [
            f
            for k, v in value.items()
            if k in schema["properties"]
            for f in checked(v, schema["properties"][k], f"{where}.{k}")
        ]
    return faults
