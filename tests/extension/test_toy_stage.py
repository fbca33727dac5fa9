"""A stage that is registered from this file alone: how many patients lie above the middle of the
first column.

As `docs/extending/stage.md` says: a section of the study file, a class for the stage, a
registration. Everything else is the product's: the charge, the rounds, encryption and masks, the
owner's page, the audit.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import ClassVar

import numpy as np
import pytest
from conftest import protocol_text
from in_process_federation import Room, sealed_study
from ledger_site import approve, digest, new_ledger, send, verify
from whole_study import whole_study

from securefl.errors import BudgetError, StudyError
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Stage
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.audit import audit, extract
from securefl.privacy.charges import Charge
from securefl.privacy.ledger import read_ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import study_epsilon
from securefl.report import explain_study
from securefl.report.audit import audit_overview, extract_page
from securefl.report.audit_words import nouns
from securefl.report.plan import plan_page, plan_study
from securefl.report.plan_cost import StudyPlan
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.study.claims import claim_faults
from securefl.study.consistency import contradictions
from securefl.study.fields import DecimalText
from securefl.study.parse import parse_protocol
from securefl.study.stages import STAGES, StageSection
from securefl.study.wire import count_bits


class HalvesSection(StageSection):
    """Its table of the study file."""

    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: int

    @property
    def sigma(self):
        """A patient counts in one number, so the noise on it is the multiplier."""
        return self.noise_multiplier


@dataclass(frozen=True)
class HalvesResult(Result):
    """Patients below and above the middle, noised."""

    below: int
    above: int

    def record(self):
        return {"below": self.below, "above": self.above}

    def rows(self, units):
        return [("above the middle", f"about {self.above} {units}")]


@dataclass(frozen=True)
class HalvesLocal:
    """A hospital's end: each patient counts in one of two numbers, once."""

    counts: np.ndarray
    section: HalvesSection
    draws: object
    clamped: int = 0

    def answer(self, release, public):
        assert public.size == 0
        return release_counts(self.counts, self.section, self.draws)


class Halves(Stage):
    """The stage."""

    Section = HalvesSection
    short = "halves"
    nouns: ClassVar = {"age-halves": ("count of halves", "counts of halves")}

    def releases(self):
        s = self.section
        words = Words(
            "halves", "how many lie above the middle", "to be halved", self._once(), "halves"
        )
        return [
            Release(
                kind="age-halves",
                rounds=1,
                mechanism=Gaussian(s.noise_multiplier),
                length=2,
                bound=s.bound,
                bits=count_bits(s),
                aside=False,
                words=words,
            )
        ]

    @property
    def epsilon(self):
        return self.section.epsilon

    def figures(self):
        return "halves"

    def faults(self, accountant):
        s, delta = self.section, self.study.privacy.delta
        return claim_faults(
            s.epsilon, lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta), delta
        )

    def start(self, earlier):
        return None

    def local(self, study, site, rows, draws):
        x = rows.train.one_row_each(study.privacy.unit).X
        return HalvesLocal(row_counts((x[:, 0] > 0).astype(int), 2), self.section, draws)

    def absorb(self, state, total, contributors):
        return HalvesResult(*map(int, total))

    def result(self, state):
        return state


TABLE = """[[stages]]
kind = "halves"
noise_multiplier = "18.54"
epsilon = "0.174"
bound = 20000

"""
BEFORE, BETWEEN = '[[stages]]\nkind = "train"', '[[stages]]\nkind = "evaluate"'
#: The toy first, then training, the toy again, and two evaluations.
FIRST = (BEFORE, TABLE + BEFORE)
AGAIN = (BETWEEN, TABLE + BETWEEN)


@pytest.fixture(autouse=True)
def registered():
    take_away = STAGES.register("halves", Halves)
    yield
    take_away()


def test_a_whole_study_runs_with_it_twice_around_the_training():
    plan = sealed_study(FIRST, AGAIN)[1]
    kinds = ["age-halves", *["update"] * 4, "age-halves", "evaluation"]
    assert [plan.kind(n) for n in range(1, plan.last_round + 1)] == kinds
    room = Room(plan)
    outcome = room.coordinator().run()
    assert [r.kind for r in outcome.records] == kinds
    for number, result in ((1, outcome.results[0]), (6, outcome.results[2])):
        total = reduce(np.add, [h.produced[number - 1] for h in room.hospitals.values()])
        assert [result.below, result.above] == total.tolist()
    assert outcome.results[0] != outcome.results[2]  # noise of its own


def test_a_study_with_it_is_approved_charged_run_by_agents_and_audited(tmp_path, monkeypatch):
    """The worker's own code answers for it, and every hospital's ledger names it."""
    done = whole_study(tmp_path, FIRST, AGAIN, patch=monkeypatch)
    done.check_models()
    halves = [done.study.report()["stages"][place] for place in (0, 2)]
    assert halves == [
        {"kind": "halves", **done.result.outcome.results[place].record()} for place in (0, 2)
    ]
    for said in done.audits().values():
        assert said.count(": count of halves, ") == 2
        assert "rounds 2 to 4: 3 model updates" in said


def test_two_evaluations_are_two_releases_and_the_last_is_judged():
    text = protocol_text()
    start = text.index(BETWEEN)
    table = text[start : text.index("[secagg]")]
    plan = sealed_study((table, table + table.replace('"3.75"', '"7.5"')))[1]
    noise = [r.mechanism.noise_multiplier for _, r in plan.programme.releases if r.aside]
    assert noise == [Decimal("3.75"), Decimal("7.5")]
    outcome = Room(plan).coordinator().run()
    assert [r.kind for r in outcome.records][-2:] == ["evaluation", "evaluation"]
    assert outcome.results[-1].section.noise_multiplier == Decimal("7.5")


def test_it_is_charged_and_shown_by_what_it_says_itself():
    study = parse_protocol(protocol_text(FIRST))
    charges = charges_of(study)
    assert charges[0] == Charge("age-halves", Gaussian(Decimal("18.54")), label="halves")
    whole = study_epsilon(charges, 1, study.privacy.delta, disjoint=True)
    assert whole == explain_study.worst_epsilon(study) > Decimal("1.01")
    assert explain_study.leaving(study)[0].sentence.startswith("once, at the start: one encrypted")
    assert "to be halved and to train the model or to check it" in " ".join(
        explain_study.privacy_sentences(study)
    )
    assert "halves epsilon 0.174" in explain_study.figure_words(study)
    assert nouns("age-halves") == ("count of halves", "counts of halves")


def test_the_ledger_reserves_it_and_notes_no_more_than_that(tmp_path):
    study = parse_protocol(protocol_text(FIRST, AGAIN))
    ledger = new_ledger(tmp_path / "ledger.db")
    approve(ledger, charges=charges_of(study))
    ledger.start(digest(1))
    release = Programme(study).at(1).release
    noted = {"purpose": release.kind, "mechanism": release.mechanism}
    for number in (1, 6):
        assert send(ledger, round_number=number, **noted)
    with pytest.raises(BudgetError, match="reserved 2 releases"):
        send(ledger, round_number=7, **noted)


#: The toy and nothing else: no model, so nothing is judged and nothing sent.
STAGES_OF_TEXT = protocol_text()[
    protocol_text().index("[[stages]]") : protocol_text().index("[secagg]")
]
ALONE = (
    (STAGES_OF_TEXT, TABLE),
    ('[quality]\nminimum = "0.5"\nstop_rule = "none"\n\n', ""),
    ('recipients = ["participants"]', "recipients = []"),
)


def test_a_study_of_nothing_but_it_runs_and_makes_no_model():
    plan = sealed_study(*ALONE)[1]
    assert (plan.last_round, plan.parameters) == (1, 0)
    room = Room(plan)
    outcome = room.coordinator().run()
    (result,) = outcome.results
    total = reduce(np.add, [h.produced[0] for h in room.hospitals.values()])
    assert [result.below, result.above] == total.tolist()
    assert repr(outcome) == "Outcome(1 rounds, 0 parameters)"
    with pytest.raises(LookupError):
        outcome.theta  # noqa: B018 - it raises


def test_pages_of_a_study_of_nothing_but_it_speak_of_no_model():
    plan = sealed_study(*ALONE)[1]
    text = " ".join(plain_text(study_page(plan.study, plan.digest), 200).split())
    assert "how many lie above the middle" in text
    assert "It makes no model, so none is judged." in text
    for word in ("What is trained", "the others train", "Sent at the end", "lowest acceptable"):
        assert word not in text
    planned = plan_study(plan.study, charges_of(plan.study))
    assert type(planned) is StudyPlan
    assert planned.epsilon == Decimal("0.1739")  # what is claimed is this, rounded up
    words = plain_text(plan_page(planned), 200)
    assert "patients in a step" not in words
    assert "Longer and shorter studies" not in words


@pytest.mark.parametrize("edits", [ALONE, (FIRST, AGAIN)], ids=["alone", "around the training"])
def test_its_audit_names_it_from_grant_to_settlement(tmp_path, edits):
    study = parse_protocol(protocol_text(*edits))
    ledger = new_ledger(tmp_path / "ledger.db")
    approve(ledger, charges=charges_of(study))
    ledger.start(digest(1))
    programme = Programme(study)
    for number in range(1, programme.last_round + 1):
        release = programme.at(number).release
        send(ledger, round_number=number, purpose=release.kind, mechanism=release.mechanism)
    ledger.settle(digest(1), "completed")
    ledger.close()
    read = read_ledger(tmp_path / "ledger.db", verify)
    report = audit(read)
    assert report.verified
    (visits, _) = report.to_json()["datasets"]
    kinds = [programme.at(n).release.kind for n in range(1, programme.last_round + 1)]
    assert sorted(r["kind"] for r in visits["releases"]) == sorted(kinds)
    page = audit_overview(report, fingerprint="0" * 8)
    words = " ".join(plain_text(page, 200).split())
    assert words.count(": count of halves, ") == kinds.count("age-halves")
    found = extract(read.events, digest(1))
    assert "halves" in plain_text(extract_page(found), 200)


def test_its_claim_is_checked_in_its_place():
    study = parse_protocol(protocol_text((BEFORE, TABLE.replace("0.174", "0.1") + BEFORE)))
    (fault,) = contradictions(study, PldAccountant())
    assert fault.startswith("stages.1.epsilon: says 0.1, but the noise gives")


def test_an_unknown_kind_is_refused_with_its_line_and_the_known_ones():
    text = protocol_text((BEFORE, TABLE.replace("halves", "thirds") + BEFORE))
    line = text.splitlines().index('kind = "thirds"') + 1
    with pytest.raises(StudyError) as refused:
        parse_protocol(text)
    known = " or ".join(f'"{name}"' for name in STAGES.names())
    assert '"count" or "evaluate" or "halves"' in known
    said = f"line {line}: stages.1.kind: 'thirds' is no kind of stage; write {known}\n"
    assert said in refused.value.what


def test_an_unknown_key_of_its_table_is_refused_with_its_line():
    text = protocol_text((BEFORE, TABLE.replace("bound", "bond") + BEFORE))
    line = text.splitlines().index("bond = 20000") + 1
    with pytest.raises(StudyError, match=rf"line {line}: stages\.1\.bond: unknown key"):
        parse_protocol(text)


def test_the_charges_of_the_known_stages_did_not_move():
    update, evaluation = charges_of(parse_protocol(protocol_text()))
    assert update.mechanism == SubsampledGaussian(Decimal("2.14"), update.mechanism.sample_rate, 4)
    assert (str(update.mechanism.sample_rate), update.purpose) == ("1/5", "update")
    assert (evaluation.mechanism, evaluation.purpose) == (
        Gaussian(Decimal("3.75"), 1),
        "evaluation",
    )
