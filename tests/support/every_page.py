"""One of each page that the product shows, with as much on it as it can hold."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from agreements import agreement
from conftest import SITES, fixed_identity, make_study, protocol_text
from graph_models import model_table
from kinds_of_models import some_model
from ledger_after_a_year import sha, year
from simulated_tables import tables_of
from small_study import row_count
from split_study import SPLIT, WITHHOLD
from statistics_study import statistics_protocol
from survival_curve_study import curve_protocol
from worker_isolation import FILES_OPEN, NETWORK_ALLOWED, NETWORK_OPEN, WALLED

from securefl.designer.draft import draft
from securefl.designer.given import described
from securefl.designer.own_table import describe
from securefl.designer.question import Question, Sizes
from securefl.designer.sweep_files import sweep_files
from securefl.designer.what_if import Choice, WhatIf
from securefl.errors import DataError, StudyError, UntrustedError
from securefl.federation.round_record import RoundRecord
from securefl.identity import EarlierKey
from securefl.learning.artefact import EditedBy, Model, ModelFacts
from securefl.learning.cell_mapping import MappingEffect
from securefl.learning.comparing import Comparison, Figure
from securefl.learning.curve_edits import Wish, applied, plan_edit
from securefl.learning.drift import Drift
from securefl.learning.drift_index import Stability
from securefl.learning.edit_statement import make_statement
from securefl.learning.effects import Effect
from securefl.learning.features import Found
from securefl.learning.looks import Look, Looks, Trend
from securefl.learning.model_notices import ModelStanding, Recall
from securefl.learning.model_versions import ModelVersion
from securefl.learning.personal.facts import Candidate, Interval, Judged, PersonalFacts, Rows
from securefl.learning.readiness import ColumnLook, Scale, Spelling, TableLook
from securefl.learning.selftest import Finding, SelfTest
from securefl.learning.settling import Course, Settling
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.table import Table
from securefl.learning.tasks.binary.evaluation import evaluate
from securefl.learning.tasks.binary.own_figures import figures_of
from securefl.learning.tasks.binary.words import told, told_own
from securefl.learning.update_lengths import UpdateLength
from securefl.node.own_policy import against_policy
from securefl.node.owner.drift import RowsDrift
from securefl.node.owner.model_lines import ModelInUse
from securefl.partners import Vouched
from securefl.party.airlock.facts import BundleFacts, CarriedObject, CarriedStudy
from securefl.party.model_signers import NOT_LOOKED_UP
from securefl.party.study_archive import CheckedArchive, NamedParty
from securefl.privacy.audit import extract
from securefl.privacy.forecast import budget_shares
from securefl.privacy.planning import choose_order
from securefl.privacy.planning import quote as price
from securefl.privacy.worker_answers import WorkerFinding
from securefl.report.agreement import AgreementFacts, PartyLine, agreement_page
from securefl.report.airlock import egress_page
from securefl.report.approvals import approvals_page
from securefl.report.audit import audit_overview, extract_page
from securefl.report.audit_page import PageFacts, audit_page
from securefl.report.budget import GrantFacts, grant_page, revocation_page
from securefl.report.changes import Earlier
from securefl.report.compared_models import comparison_page
from securefl.report.data_sets import budgets_page, data_removal_page, data_sets_page
from securefl.report.design import design_page
from securefl.report.design_what_if import what_if_page
from securefl.report.dossier_agreement import data_use_agreement
from securefl.report.dossier_ethics import ethics_summary
from securefl.report.dossier_impact import impact_assessment
from securefl.report.dossier_parts import DossierFacts
from securefl.report.dossier_patients import patient_information
from securefl.report.dossier_record import processing_record
from securefl.report.earlier_study import Continued
from securefl.report.errors import error_page
from securefl.report.live import LiveFacts, live_page
from securefl.report.machines import MachineLine, MachinesFacts, machines_page
from securefl.report.model_recall import recall_page
from securefl.report.model_versions import site_models_page, versions_page
from securefl.report.notices import (
    new_notices_page,
    no_notices_page,
    notice_trials_page,
    notices_page,
)
from securefl.report.own_model import own_model_page
from securefl.report.own_rounds import OwnRound, own_rounds_page
from securefl.report.partners import (
    PartnerLine,
    distrust_page,
    excuse_page,
    partners_page,
    settling_page,
    trust_page,
)
from securefl.report.personal_model import PersonalAbout, personal_page
from securefl.report.plan import plan_page, plan_study
from securefl.report.quality import quality_words
from securefl.report.questions import Exchange
from securefl.report.readiness import ReadinessFacts, readiness_page
from securefl.report.removed_patients import TouchedLine, removal_page
from securefl.report.request import request_page
from securefl.report.round_record import round_record_page
from securefl.report.rounds import RoundLine, rounds_page
from securefl.report.rows_drift import rows_drift_page
from securefl.report.rules import (
    PersonLine,
    no_rules_page,
    people_page,
    person_removal_page,
    rules_page,
)
from securefl.report.run import ModelOutcome, demo_table, extracts_page, outcome_page
from securefl.report.selftest import selftest_page
from securefl.report.settings import settings_page
from securefl.report.shown_model import shown_model_page
from securefl.report.simulation import simulation_page
from securefl.report.status import BudgetLine, StudyLine, site_status
from securefl.report.study import study_page
from securefl.report.study_archive import archive_page
from securefl.report.study_cleaning import CleanedLine, cleaning_page
from securefl.report.study_report import report_page
from securefl.report.sweep_files import sweep_files_page
from securefl.report.table_mapping import mapping_page, no_mapping_page, table_page
from securefl.report.terms import vouched_words
from securefl.report.told import told_page
from securefl.report.whole_report import ModelCheck, WholeReport, whole_report_page
from securefl.simulation.facts import Spread
from securefl.simulation.participation import Participation
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.tables import Source
from securefl.study.approve_alone import AloneRule
from securefl.study.counts import evaluation_of
from securefl.study.differences import Difference
from securefl.study.owner_policy import read_policy
from securefl.study.parse import load_raw, parse_protocol, parse_study
from securefl.study.policy_rules import Surroundings, broken_rules
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of

TEXT = make_study()[0]
STUDY, DIGEST = parse_study(TEXT), SealedStudy.read(TEXT).digest
CHARGES = charges_of(STUDY)
CHOICE = choose_order(Decimal(3), Decimal("1e-5"), CHARGES)
FAULTS = (
    DataError("A column is missing.\nIt is 'age'.", next_step="Rename it."),
    UntrustedError("Who is SVHC?", whose="SVHC", next_step="Telephone SVHC."),
)
#: A policy that this study keeps in nothing.
STRICT = b"""
schema = "securefl-policy/1"
researchers = []
purposes = ["DUO:0000007"]
largest_epsilon = "0.001"
largest_epsilon_quarter = "0.001"
largest_share = "0.1"
least_hospitals = 9
tasks = ["count"]
families = ["boosted-trees"]
hours = "20:00-06:00"
jurisdictions = ["DE"]
"""
ABROAD = Surroundings(Decimal("0.36"), Decimal("1.5"), {STUDY.cohort[0]: "US"}, "US")


def against_the_policy():
    """A fault for each rule, where countries are known and where none is."""
    found = []
    for surroundings in (ABROAD, Surroundings()):
        found += broken_rules(read_policy(STRICT), STUDY, surroundings, epsilon=Decimal("0.99"))
    return tuple(against_policy(sentence) for sentence in found)


ROWS = row_count(
    9172,
    9170,
    51,
    {"age: outside 0 to 120": 2},
    (Found("age: outside 0 to 120", "455", 2, 3, "would match nothing"),),
    ("patient_id: 2 of 8 identifiers differ",),
)
EVALUATION = evaluate(
    np.array([900, 60, 20, 10, 3, 10, 20, 90], dtype=np.int64), evaluation_of(STUDY), 5
)


EARLIER = Earlier(
    "small-0123456789ab",
    "2026-03-01T12:00:00Z",
    False,
    (
        Difference("study.id", "older", "small"),
        Difference("stages[0].rounds", "4", "8"),
        Difference("participants[SVHC].weight", None, "1/5"),
        Difference("outputs.notes", "x" * 500, None),
        *(Difference(f"data.columns[c{n}].unit", "a", "b") for n in range(60)),
    ),
)


def agreed(**changed):
    """An agreement that not all have signed, and a study that goes beyond it."""
    sealed = agreement()
    lines = [
        PartyLine(
            p.name,
            p.role,
            p.legal_name,
            p.jurisdiction,
            "1a2b 3c4d 5e6f 7081 92a3 b4c5 d6e7 f809 1a2b 3c4d",
            signed=p.role == "hospital",
            vouched=vouched_words("SVHC", "2026-05-01") if p.name == "STMW" else "",
            fault="" if p.name != "SVHC" else "SVHC is not in this party's own list of partners.",
        )
        for p in sealed.agreement.parties
    ]
    given = {
        "reader": "SVI",
        "parties": lines,
        "missing": ("Aggregator", "Researcher"),
        "bound": (),
        "prose_fault": "agreement.md is not the text that the agreement names.",
        "study": "small-0123456789ab",
        "breaches": ("Article 3, epsilon a study: the study may cost 3, at most 2 is agreed.",),
    }
    return agreement_page(AgreementFacts(sealed.agreement, sealed.digest, **(given | changed)))


CONTINUED = Continued(
    "a" * 64,
    ("then-789", "older"),
    name="then-789",
    title="A <first> study",
    state="withdrawn",
    spent=Decimal("0.07"),
    joined=("STMW",),
    left=("other",),
    checked=True,
)


def machines(*, ready=False):
    """A hospital that can, one that cannot, an altered report, and one that says nothing."""
    well = {
        "at": "2026-12-01T12:00:00Z",
        "failed": (),
        "securefl": "0.1.0",
        "lock": "0" * 64,
        "code": "1" * 64,
        "cores": 8,
        "memory_mb": 16_000,
        "disk_mb": 200_000,
        "open_files": 20_000,
        "landlock": 4,
        "store_ms": 40,
        "round_ms": 1_500,
        "worker_mb": 600,
    }
    found = {"SVI": MachineLine(well)}
    if not ready:
        slow = {**well, "failed": ("machine", "pace"), "store_ms": 0, "code": "2" * 64}
        found["SVHC"] = MachineLine(slow)
        found["STMW"] = MachineLine(fault=FAULTS[1].what)
        found["Aggregator"] = MachineLine()
    return machines_page(MachinesFacts("small-0123456789ab", DIGEST, "SVI", found))


def request(**changed):
    given = {
        "site": "SVI",
        "sender": "Researcher@securefl.invalid",
        "quote": price(CHOICE.cap, CHOICE.cost, CHOICE.order, CHARGES, 1),
        "trusted": (*SITES, "Researcher"),
        "faults": (),
        "isolation": WALLED,
        "rows": ROWS,
        "vouched": {"STMW": Vouched("SVHC", "0" * 64, "2026-05-01T08:00:00Z")},
        "registered": STUDY.data.model_dump(mode="json"),
        "others": "Nord approved. Mitte, West: nothing decided yet.",
        "thread": (
            Exchange(1, "Is age in years?", "2026-03-01T12:00:00Z", "Yes.", "2026-03-02T12:00:00Z"),
            Exchange(2, "Until when?", "2026-03-03T12:00:00Z"),
        ),
    }
    return request_page(STUDY, DIGEST, **(given | changed))


def request_with_own_figures():
    """A request whose check of the model shows each hospital's own figures, and subgroups."""
    text = make_study(5, SPLIT, WITHHOLD)[0]
    charges = charges_of(parse_study(text))
    study, digest = parse_study(text), SealedStudy.read(text).digest
    return request_page(
        study,
        digest,
        site="SVI",
        sender="Researcher@securefl.invalid",
        quote=price(CHOICE.cap, CHOICE.cost, CHOICE.order, charges, 1),
        trusted=(*SITES, "Researcher"),
        faults=(),
        isolation=WALLED,
        rows=ROWS,
        registered=study.data.model_dump(mode="json"),
        others="Nord approved. Mitte, West: nothing decided yet.",
    )


def request_with_own_model():
    """A request for a model that the researcher wrote."""
    edit = ('kind = "logistic-regression"', model_table(6, 1))
    text = make_study(5, edit)[0]
    study, digest = parse_study(text), SealedStudy.read(text).digest
    return request_page(
        study,
        digest,
        site="SVI",
        sender="Researcher@securefl.invalid",
        quote=None,
        trusted=(*SITES, "Researcher"),
        faults=(),
        isolation=WALLED,
        registered=study.data.model_dump(mode="json"),
    )


def request_by_groups():
    """A request of nine hospitals that train by groups of three."""
    edits = (
        ("min_contributors = 9", 'min_contributors = 3\ngroups = "median"'),
        ("colluders = 7", "colluders = 1"),
    )
    text = make_study(9, *edits)[0]
    study, digest = parse_study(text), SealedStudy.read(text).digest
    return request_page(
        study,
        digest,
        site="SVI",
        sender="Researcher@securefl.invalid",
        quote=None,
        trusted=(*study.cohort, "Researcher"),
        faults=(),
        isolation=WALLED,
        registered=study.data.model_dump(mode="json"),
    )


LOOKS = """[stages.looks]
every = 1
noise_multiplier = "8"
epsilon = "0.792"
patience = 1
ends = true

[[stages]]
kind = "evaluate"
"""


def looked_at():
    """Text of a study that looks at its training on the way."""
    return make_study(9, ('[[stages]]\nkind = "evaluate"\n', LOOKS))[0]


def request_with_looks():
    """A request of a study that looks at its training on the way."""
    text = looked_at()
    study, digest = parse_study(text), SealedStudy.read(text).digest
    return request_page(
        study,
        digest,
        site="SVI",
        sender="Researcher@securefl.invalid",
        quote=None,
        trusted=(*study.cohort, "Researcher"),
        faults=(),
        isolation=WALLED,
        registered=study.data.model_dump(mode="json"),
    )


def plan_with_looks():
    """The plan of such a study."""
    study = parse_study(looked_at())
    return plan_page(plan_study(study, charges_of(study), []))


def looks(*, trend=Trend.NO_GAIN):
    """Four looks of seven, one of which says nothing."""
    found = [Look(10, 0.61, 0.75, 0.68, known=True), Look(20, 0.0, 1.0, None, known=False)]
    found += [Look(30, 0.45, 0.59, None, known=True), Look(40, 0.62, 0.76, 0.69, known=True)]
    return Looks("AUC", tuple(found), 7, 3, trend)


def own_rounds():
    """More rounds than are listed; one without a figure."""
    rounds = [OwnRound(n, 0.9 - 0.4 / (n + 1), 0.8 - 0.4 / (n + 1), 0.95) for n in range(40)]
    rounds[0] = OwnRound(0, float("nan"))
    return own_rounds_page("small-0123456789ab", "AUC", rounds, 0.0)


def split_figures():
    """Figures of hospitals and of subgroups; one hospital is lost, one too small."""
    study = parse_study(make_study(5, SPLIT)[0])
    stage = Programme(study).stages[-1]
    sizes = (1, 2, 0, 0.03, 1.5)
    shape = np.array([800, 300, 80, 20, 5, 10, 40, 60])
    lists = [shape * size for size in (*sizes, 3, 2, 0.5, 2.5, 3)]
    total = np.round(np.concatenate(lists)).astype(np.int64)
    return told_page(stage.read(total, 4).tables("patients"))


def status(**changed):
    counts = {
        "rows": 5496,
        "kept": 5493,
        "training": 3863,
        "held_out": 1630,
        "set_aside": {"age: outside 0 to 120": 3},
        "clamped": 6,
        "clamped_rounds": 2,
    }
    studies = [
        StudyLine("thyroid-abc", "running", 7, 40),
        StudyLine("goitre-def", "failed", 1, 4, "The table has no column 'age'."),
        StudyLine("tsh-123", "completed", 4, 4, None, quality_words("met", Decimal("0.9"))),
        StudyLine("next-456", "approved", 0, 4, waits_for="the other hospitals"),
        StudyLine(
            "then-789",
            "approved",
            0,
            4,
            waits_for="the other hospitals' approvals",
            waits_since="2026-05-01T08:00:00Z",
        ),
        StudyLine(
            "thyroid-abc",
            "running",
            3,
            4,
            waits_for="SVHC, in round 3",
            waits_since="2026-05-01T08:00:00Z",
            waits_until="2026-05-08T08:00:00Z",
        ),
    ]
    given = {
        "site": "SVI",
        "running": True,
        "paused": True,
        "datasets": [("thyroid", "referrals")],
        "budgets": [
            BudgetLine("referrals", Decimal("0.3132"), 2),
            BudgetLine("maternity", Decimal("0.1"), 0, revoked=True),
        ],
        "studies": studies,
        "rows": [("thyroid-abc", counts)],
        "waiting": 1,
        "late_replies": 3,
        "quarantined": 2,
        "recalled": ("tsh-123456789abc",),
        "store_away": ("2026-11-28T17:09:31Z", "cannot be read"),
        "ended": ("2026-11-28T17:09:31Z", "it was killed"),
        "agreements": [("referrals", "thyroid-ring, version 2 (0123456789ab)")],
        "network_allowed": True,
    }
    return site_status(**(given | changed))


def live(*, waits=False):
    now = datetime(2026, 11, 28, 17, 9, 31, tzinfo=UTC)
    return live_page(
        LiveFacts(
            title="A model of the thyroid",
            state="running",
            code="",
            done=20,
            rounds=41,
            next_round="round 20 of 40",
            waits_for=("SVI", "STMW") if waits else (),
            since=now - timedelta(seconds=150) if waits else None,
            until=now + timedelta(hours=5) if waits else None,
            now=now,
            last=now - timedelta(seconds=7),
            over_at=now + timedelta(hours=3),
            lost=("SVHC",) if waits else (),
            settling=Settling(Course.SETTLED if waits else Course.MOVING, 20, 1.7),
            looks=looks() if waits else None,
        )
    )


def own_model(*, known=True):
    facts = ModelFacts(
        title="A small study",
        study_digest=DIGEST,
        intended_use="research",
        licence="CC-BY-4.0",
        owner="all of them",
        privacy="little",
        figures={"AUC": "95 % interval 0.943 to 1.000, around 0.975"},
        participants=STUDY.cohort,
        expires="" if known else "2026-03-01T00:00:00Z",
    )
    model = Model(np.zeros(7), training_of(STUDY).model, STUDY.data, facts, DIGEST)
    scores, label = np.array([0.1, 0.2, 0.9, 0.7]), np.array([0, 0, 1, 1])
    figures = figures_of(scores, label, (Decimal("0.5"),))
    words = told_own(figures, "patients") if known else None
    why_not = "" if known else "The table is not registered here any more."
    return own_model_page(model, "models/small", words, why_not=why_not, wrong_way=known)


def edited_model():
    """A model with two curves edited, its signer known and unknown."""
    model = some_model("binary", "additive")
    card = fixed_identity("Nord", "hospital").card
    theta, edits = model.theta, []
    for wish in (Wish("TSH", 0.03, 90, "rising"), Wish("age", 0, 20, "flat", height=0.2)):
        given = (theta, model.spec, model.data, model.theta)
        planned = plan_edit(*given, wish)
        edit = make_statement(
            planned,
            wish,
            card,
            model=DIGEST,
            before="",
            who="Dr. A, endocrinologist",
            why="The risk does not fall there.",
            at="2026-05-01T08:00:00Z",
        )
        theta = applied(*given, edit)
        edits.append(edit)
    edited = replace(model, theta=theta, edited=EditedBy(tuple(edits), model))
    return shown_model_page(edited, "models/small-edited", ["your own key", NOT_LOOKED_UP])


def personal_facts(*, change=(-0.05, -0.09, -0.01), method="near", rare=30):
    """A comparison in which the personal model's loss changes so."""

    def interval(value, low, high):
        return Interval(value=value, low=low, high=high)

    def judged(figure, loss, change):
        return Judged(figure=interval(*figure), loss=loss, change=interval(*change))

    unchanged = Candidate(method="", setting="", loss=0.4101, error=0.01)
    near = Candidate(method="near", setting="0.8", loss=0.3611, error=0.0)
    shift = Candidate(method="recalibration", setting="shift", loss=0.39, error=0.01)
    scale = Candidate(method="recalibration", setting="shift and scale", loss=0.3801, error=0.01)
    better = bool(method) and change[0] < 0
    return PersonalFacts(
        metric="AUC",
        training=Rows(count=150, strata={"negative": 80, "positive": 70}),
        held_out=Rows(count=rare + 40, strata={"negative": 40, "positive": rare}),
        tried=(unchanged, shift, scale, near),
        chosen=near if method else unchanged,
        models={
            "global": judged((0.86, 0.77, 0.92), 0.41, (0.0, 0.0, 0.0)),
            "personal": judged((0.88, 0.79, 0.93), 0.36, change),
            "local": judged((None, None, None), 0.5, (0.09, None, None)),
        },
        kept="personal" if better else "global",
    )


def personal(**changes):
    """The page of a personal model."""
    about = PersonalAbout(
        title="A small study",
        name="small-ecb696cd2322",
        site="SVI",
        folder="/srv/svi/personal/small-ecb696cd2322",
        home="/srv/svi",
        intended_use="research",
        units="patients",
        changed=changes.pop("changed", False),
    )
    return personal_page(personal_facts(**changes), about)


def selftest():
    finding = Finding("PASS", {"canary": 0.4, "update": 0.2, "sampling": 0.1}, 0.467)
    broken = Finding("FAIL", {"canary": 7.0}, None)
    return selftest_page(
        SelfTest(
            "PASS",
            {"canary": 1.5, "update": 1.5, "sampling": 0.9},
            0.5,
            finding,
            6.5,
            {"noise off": broken, "half noise": finding},
            1000,
            WorkerFinding(("noise of the update: other releases",), 1.0, ("no noise",)),
        )
    )


@dataclass
class Row:
    site: str
    positives: int
    auc_alone: float
    auc_alone_private: float
    auc_federated: float


@cache
def ledger(*, altered):
    """A year's ledger: its report, the card, and an extract of it."""
    with TemporaryDirectory() as folder:
        hospital = year(Path(folder))
        part = extract(hospital.ledger.events(), sha("thyroid-hypo"))
        if altered:
            hospital.alter(30)
        return hospital.report(), hospital.identity.card, part


READ_AS = "text in utf-8, ',' between the values, a point in decimal numbers"
TWO_PASTS = (
    "it has shown two pasts of its ledger: telephone STMW, then `securefl site checkpoint STMW"
    " --settled`"
)


def data_sets():
    tables = [
        ("records", "clinic", "/data/clinic/records.csv", READ_AS, True),
        ("older", "clinic", "/data/clinic/older.csv", READ_AS, False, "sex, TSH", ""),
        ("referrals", "clinic", "/data/clinic/spoilt.csv", READ_AS, True, "", "/x is gone."),
    ]
    return data_sets_page(tables, [BudgetLine("clinic", Decimal("0.29"), 2)])


def mapping(*, of="plan"):
    """A mapping before it is signed, one in force, or a table without one."""
    sex = MappingEffect(
        "sex",
        "Geschlecht",
        there=True,
        values=(("männlich", "M", 4096), ("divers", "M", 0)),
        missing=12,
        kept=3,
    )
    tsh = MappingEffect("TSH", "TSH", there=True, times="18.016", multiplied=9000)
    effects = (sex, tsh, MappingEffect("age", "Alter", there=False))
    if of == "plan":
        return mapping_page("records", effects)
    shown = effects if of == "table" else ()
    return table_page("records", "clinic", "/data/clinic/records.csv", READ_AS, shown)


def readiness(*, well=False):
    """A table with everything that can be wrong, or with nothing."""
    sex = ColumnLook(
        "other",
        cells=9171,
        missing=2000,
        unread=7,
        labels=("F", "M"),
        shares=(0.5, 0.5),
        spellings=(Spelling("f", "F", 7),),
    )
    glucose = ColumnLook(
        "tsh-123",
        cells=9171,
        outside=3000,
        least=2.5,
        most=400.0,
        mean=0.4,
        spread=0.2,
        labels=("2", "10", "30"),
        shares=(0.7, 0.3),
        scale=Scale((10.0, 18.0), (1000.0,)),
    )
    edge = ColumnLook("older", cells=50, least=0.0, most=1.0, labels=("0", "9"), shares=(1.0,))
    empty = ColumnLook("T3", cells=50, missing=50)
    drift = (
        Drift("age", (0.0, 0.5), (0.25, 0.5)),
        Drift("sex", level="M", share=(0.5, 0.75)),
    )
    absent = ColumnLook("TT4", there=False)
    columns = (sex, glucose, edge, empty, absent)
    if well:
        return readiness_page(ReadinessFacts("records", "", TableLook(50, (), 0), None))
    look = TableLook(9172, columns, 3)
    return readiness_page(
        ReadinessFacts("records", "", look, ROWS, "", "2026-05-01", 20_000, drift, ("sex",))
    )


def partners():
    card = ledger(altered=False)[1]
    return partners_page(
        card,
        [
            (card, 1234, "a" * 64),
            (
                replace(
                    card,
                    name="SVHC",
                    earlier=(EarlierKey("b" * 64, "2026-05-01T08:00:00Z", "c" * 128),),
                ),
            ),
            (replace(card, name="STMW"), 3, "d" * 64, TWO_PASTS),
            PartnerLine(replace(card, name="H05"), vouched=vouched_words("SVHC", "2026-05-01")),
            PartnerLine(
                replace(card, name="H06"),
                lapsed="SVHC vouched for H06 until 2026-05-01, which is over.",
            ),
        ],
    )


def settings(*, has_pysyft=True):
    return settings_page(
        has_pysyft=has_pysyft,
        name="SVI",
        legal_name="St Vincent's, inpatients",
        email="steward@svi.example",
        store="sftp://svi:***@store.example/thyroid",
        folder="/srv/svi",
        isolation=WALLED,
        version="0.1.0",
        rules=[("purposes", "DUO:0000042"), ("largest epsilon of a study", "1")],
    )


NOTICES = [
    ("told", "request, waiting"),
    ("command", "/usr/local/bin/page"),
    ("mail server", "smtp.example.org:587 (starttls)"),
]
RULES = [
    ("purposes", "DUO:0000042"),
    ("people who must agree", "2"),
    ("largest epsilon a quarter", "4"),
    ("hours in which rounds may begin", "20:00-06:00 UTC"),
    ("countries of parties and store", "DE, AT"),
    ("country of the store", "DE"),
    ("walls that must hold", "files, keys"),
    ("the worker may have a network", "yes: rows could be sent anywhere"),
    ("memory of a worker in GB", "8"),
    ("cores of a worker", "2"),
    ("processor hours of a worker", "12"),
]
ALONE = AloneRule(
    name="yearly-counts",
    researchers=("lopez",),
    stages=("count",),
    tasks=("binary",),
    largest_epsilon="0.5",
    until="2027-06-30",
    studies=4,
)


def people():
    return people_page([PersonLine("anna", "2026-05-01T08:00:00Z", sha("anna"))])


def granted(**changed):
    facts = GrantFacts(
        population="clinic",
        amount=Decimal(2),
        before=None,
        after=Decimal(2),
        delta=Decimal("1e-5"),
        typical="thyroid",
        studies=2,
        reopened=False,
        unknown=False,
        reason=CHOICE.reason,
    )
    return grant_page(facts._replace(**changed))


def audit(*, altered=False, detail=True, whole=True):
    report, card, _ = ledger(altered=altered)
    if not whole:
        reasons = {sha("tsh-reference"): "The table has no column 'age'."}
        return audit_overview(
            report,
            detail=detail,
            fingerprint=card.spoken,
            reasons=reasons,
            continues=dict.fromkeys(reasons, "small-0123456789ab"),
        )
    about = PageFacts("2026-06-30T12:00:00Z", "0.1.0", card.legal_name, card.spoken, detail=detail)
    return audit_page(report, about)


def audit_extract():
    return extract_page(ledger(altered=False)[2])


def approvals():
    states = {"SVI": "waiting", "STMW": "approved", "SVHC": "declined", "SVHD": "partner-ended"}
    return approvals_page("first-study", states, {"SVHD": ("SVHC", "declined")}, ("SVI",))


def study_report():
    result = {
        "study": "small-0123456789ab",
        "figure": {"name": "AUC", "words": "0.94 to 1.00"},
        "quality": {"verdict": "met", "minimum": "0.5"},
        "found": [["trained on", "about 3,100 patients"]],
        "lost": {"SVI": "round 5 of 8"},
        "model": "models/small",
        "extracts": {"SVHD": ledger(altered=False)[2]},
    }
    return report_page(result, "A small study")


def whole_report(*, trained=True):
    """A report with a lost hospital; without a model it is one of a count."""
    rounds = [
        {"round": n, "kind": "update", "upload_bytes": 59_900, "sum_sha256": f"{n}" * 64}
        for n in (1, 2)
    ]
    result = {
        "study": "small-0123456789ab",
        "quality": {"verdict": "met", "minimum": "0.5"},
        "found": [["trained on", "about 3,100 patients"]],
        "lost": {SITES[0]: "round 2 of 8"},
        "extracts": {"SVHD": ledger(altered=False)[2]},
    }
    if not trained:
        return whole_report_page(WholeReport(STUDY, DIGEST, {**result, "lost": {}}, []))
    lengths = [UpdateLength(n, 0.4 / n, 0.08, 0.14) for n in range(1, 6)]
    effects = [Effect("TSH: from 0.005 to 600", 2.5, 1.9, 3.1), Effect("sex = M", -0.2, -0.8, 0.4)]
    judged = ModelCheck(told(EVALUATION), EVALUATION.low, EVALUATION.high, 0.0)
    return whole_report_page(WholeReport(STUDY, DIGEST, result, rounds, lengths, effects, judged))


def extracts():
    left = [{"kind": "update"}] * 40 + [{"kind": "evaluation"}]
    one = {"study": {"status": "completed"}, "epsilon": 0.9982, "releases": left}
    return extracts_page({"SVI": one}, ["SVI", "SVHD"])


def rounds(*, failed=True):
    lines = [
        RoundLine(1, "update", ("SVI", "SVHC"), (), "a" * 64, "b" * 64),
        RoundLine(2, "update", ("SVI",), ("SVHC",), "c" * 64, "d" * 64, added_again=False),
    ]
    if not failed:
        return rounds_page("small", lines[:1], {}, rounds=4, site="SVI")
    return rounds_page("small", lines, {3: StudyError("Another sum.")}, rounds=4, site="SVI")


def round_record():
    sent = {site: sha(site) for site in SITES}
    hashes = (sha("facts"), sha("model"))
    return round_record_page(RoundRecord(3, "update", *hashes, sent, sha("sum"), 59_895))


def outcome():
    return outcome_page(
        study_title="A small study",
        model=ModelOutcome(told(EVALUATION), "out/model", "met", minimum=Decimal("0.5")),
        lost={"SVI": "round 5 of 8"},
    )


def demo():
    rows = [Row("other", 220, 0.985, 0.97, 0.98), Row("SVHD", 6, 0.9, 0.6, 0.98)]
    return demo_table(rows, 0.98, 0.975, (0.943, 1.0))


def designed(*, sized=True):
    """A design with a column left out."""
    table = Table({"patient_id": ("1", "2"), "age": ("40", "61"), "all": ("x", "x")}, 2)
    left = describe(table, "records").left_out
    data = replace(described(load_raw(protocol_text().encode())["data"]).table, left_out=left)
    sizes = Sizes(9172, (Decimal("0.07"),), "Its publication") if sized else None
    question = Question(data, dict(data.label), Decimal(1), 5, "", sizes)
    return draft(question, datetime(2026, 3, 1, tzinfo=UTC))


def design(*, sized=True):
    return design_page(designed(sized=sized))


def design_what_if():
    made = designed()
    budgets = budget_shares(CHARGES, 1, Decimal("1e-5"))
    rest = (41, 2_400_000, budgets)
    choices = (
        Choice(Decimal("0.01"), "The noise is larger than all that 9,172 patients could teach."),
        Choice(Decimal("0.5"), "", Spread((0.71, 0.73)), None, None, *rest),
        Choice(Decimal(1), "", Spread((0.75, 0.76)), 0.62, 0.82, *rest),
    )
    name = made.study.study.study.id
    return what_if_page(WhatIf(name, Decimal(1), "AUC", "invented rows", 2, choices))


def simulation(*edits, swept=True, participation=None):
    sweep = {"clip_norm": ("1", "2")} if swept else {}
    wishes = Wishes(
        repeat=2, sweep=sweep, encrypted=not swept, advise=swept, participation=participation
    )
    source = Source("tables of a test", tables_of())
    return simulation_page(simulate_study(protocol_text(*edits).encode(), source, wishes))


def sweep_on_records():
    points = {"learning_rate": ("2", "4")}
    return sweep_files_page(sweep_files(protocol_text().encode(), points))


def simulation_of_a_sample():
    few = ("min_contributors = 5", "min_contributors = 2"), ("colluders = 3", "colluders = 0")
    return simulation(*few, swept=False, participation=Participation(count=2))


@cache
def dossier():
    """Facts of the sealed study; its plan takes seconds, so no import makes it."""
    return DossierFacts(STUDY, DIGEST, plan_study(STUDY, CHARGES))


PROTOCOL = parse_protocol(protocol_text())


@cache
def plan_of_a_protocol():
    return plan_study(PROTOCOL, charges_of(PROTOCOL))


def dossier_of_a_protocol():
    return DossierFacts(PROTOCOL, None, plan_of_a_protocol())


def statistics():
    study = statistics_protocol()
    total = np.arange(75, dtype=np.int64) * 7
    return told_page(Programme(study).stages[0].absorb(None, total, 3).tables("patients"))


def survival_curves():
    stage = Programme(curve_protocol()).stages[0]
    total = np.array([40, 60, 70, 80, 300, 90, 80, 60, 40] * 2 + [0] * 9, dtype=np.int64)
    return told_page(stage.absorb(None, total, 3).tables("patients"))


def comparison():
    figures = (Figure(0.9712, 0.96, 0.98), Figure(0.9834, 0.975, 0.99), Figure(0.0122, 0.004, 0.02))
    return comparison_page(Comparison("AUC", *figures, 1800, 1750, 12), "models/a", "models/b")


def archive(*, compared=True):
    """An archive that holds, with a hospital whose extract is not there."""
    parties = tuple(NamedParty(name, "hospital", "12345 67890", compared) for name in SITES[:2])
    checked = CheckedArchive(
        name="small-0123456789ab",
        title="A small study",
        digest=DIGEST,
        parties=parties,
        approvals=dict.fromkeys(SITES[:2], "2026-03-01T09:00:00Z"),
        rounds=(2, 2, 2),
        added_again=compared,
        quality="met" if compared else "",
        extracts={SITES[0]: 0.9982},
        missing=(SITES[1],),
        model_digest="e" * 64,
        weights_follow=True,
        figures={"AUC": "0.94 to 1.00"},
        notices=("Recalled by SVI on 2026-06-01: The laboratory changed its scale.",),
    )
    return archive_page(checked)


def model_line():
    """A model that grew: the first not kept, the second recalled, the third in use."""
    said = Recall(DIGEST, "e" * 64, SITES[0], "A new scale.", "2026-06-01T08:00:00Z")
    common = {"title": "A small study", "at": "2026-05-01T08:00:00Z", "model": "e" * 64}
    first = ModelVersion("0123456789ab", DIGEST)
    second = ModelVersion(
        "small-0123456789ab",
        "b" * 64,
        DIGEST,
        hospitals=SITES[:3],
        folder="models/small",
        figures={"AUC": "0.94 to 1.00"},
        standing=ModelStanding("2026-03-01", (said,), ("'x'",), recalled=True),
        **common,
    )
    third = ModelVersion(
        "small-123456789abc",
        "c" * 64,
        "b" * 64,
        hospitals=SITES[1:4],
        standing=ModelStanding("", (said,), (), recalled=False),
        **common,
    )
    return first, second, third


def rows_drift(*, moved=True):
    """Rows that a model scores beside those of its training."""
    columns = (Stability("age", 0.31 if moved else 0.02, 0.05), Stability("TSH", 0.15, 0.2))
    lines = (
        Drift("age", missing=(0.01, 0.2), mean=(0.4, 0.6)),
        Drift("sex", level="F", share=(0.5, 0.7)),
    )
    found = RowsDrift("small-0123456789ab", "2026-05-01", 900, 200, columns, lines)
    return rows_drift_page(found if moved else replace(found, moved=()))


def site_models(*, some=True):
    """Models of a hospital: one recalled, its later version in use."""
    if not some:
        return site_models_page([], "SVI")
    _, second, third = model_line()
    at = "2026-06-01T08:00:00Z"
    used = ModelInUse(second, "A University", at, at, newer="small-123456789abc")
    later = ModelInUse(third, "A University", at, at, in_use=True)
    return site_models_page([used, later, ModelInUse(third, "", "", "")], "SVI")


def model_recall():
    """A recall before its owner's yes, after another hospital's."""
    said = Recall(DIGEST, "e" * 64, SITES[0], "A new scale.", "2026-06-01T08:00:00Z")
    return recall_page(
        "small-0123456789ab", "e" * 64, "The laboratory changed its scale.", (said,), SITES[:3]
    )


def study_cleaning():
    """Studies whose bytes go, and others whose bytes stay."""
    late = "it ended on 2026-05-01, and 90 days have not passed since"
    return cleaning_page(
        [
            CleanedLine("thyroid-abc", 40, model=False, why_not=""),
            CleanedLine("goitre-def", 4, model=True, why_not=""),
            CleanedLine("tsh-123", 0, model=True, why_not=""),
            CleanedLine("next-456", 4, model=False, why_not=late),
            CleanedLine(
                "then-789",
                4,
                model=False,
                why_not="SVI may still need it: no receipt lies in the store",
            ),
        ]
    )


def removal(*, known=True):
    """Patients who were in two studies; or nobody whom a table knows."""
    touched = (
        TouchedLine("small-0123456789ab", "completed", 9, 8, model=True),
        TouchedLine("larger-0123456789ab", "running", 3, 3, model=False),
    )
    return removal_page(
        "adults",
        named=3,
        already=1,
        found=2 if known else 0,
        unread=() if known else ("followup",),
        touched=touched if known else (),
        bound=(Decimal("1.4"), Decimal("1e-5")) if known else None,
        going_on=("larger-0123456789ab",) if known else (),
    )


def egress(role="hospital", approved=("SVI",)):
    """A hospital's bundle of the second and third round, or one before its approval."""
    objects = tuple(
        CarriedObject(f"x/{number}", kind, holds, writer, 59_895, sha(str(number)), context)
        for number, (kind, holds, writer, context) in enumerate(
            (
                ("approval", "signed", "SVI", False),
                ("contribution", "ciphertext", "SVI", False),
                ("contribution", "ciphertext", "SVI", False),
                ("checkpoint", "sealed", "SVI", False),
                ("announcement", "signed", "researcher", True),
            )
        )
    )
    study = CarriedStudy(
        f"{STUDY.study.id}-{DIGEST[:12]}",
        STUDY.study.title,
        DIGEST,
        "0.9947",
        "0.00001",
        approved,
        (2, 3) if approved else (),
        5,
    )
    return egress_page(
        BundleFacts(
            "SVI",
            role,
            "3f0a 11c2 9d4e 570f 0b1c 8a77 2210 9e3c 44ab 01fe",
            "researcher",
            7,
            "2026-05-01T08:00:00Z",
            sha("1"),
            sha("2"),
            objects,
            (study,),
        )
    )


_BUILDERS = {
    "request": request,
    "request-with-faults": lambda: request(
        faults=FAULTS, quote=None, trusted=(), registered={}, sender="somebody@else.example"
    ),
    "request-against-the-policy": lambda: request(faults=against_the_policy()),
    "request-approved": lambda: request(state="approved"),
    "request-after-an-approval": lambda: request(earlier=EARLIER),
    "request-of-the-same-again": lambda: request(
        earlier=EARLIER._replace(same_id=True, differences=EARLIER.differences[:1])
    ),
    "request-that-continues": lambda: request(continued=CONTINUED),
    "request-that-continues-an-unknown-one": lambda: request(
        continued=Continued("a" * 64, ("aaaaaaaaaaaa",))
    ),
    "request-with-own-figures": request_with_own_figures,
    "request-with-own-model": request_with_own_model,
    "request-by-groups": request_by_groups,
    "request-with-looks": request_with_looks,
    "request-without-pysyft": lambda: request(without_pysyft=("STMW", "SVHC")),
    "request-refused": lambda: request(state="refused"),
    "status": status,
    "status-without-pysyft": lambda: status(has_pysyft=False),
    "status-of-a-new-hospital": lambda: status(
        running=False, paused=False, datasets=[], budgets=[], studies=[], rows=[], waiting=0
    ),
    "study": lambda: study_page(STUDY, DIGEST),
    "protocol": lambda: study_page(PROTOCOL),
    "plan": lambda: plan_page(plan_study(STUDY, CHARGES, ["line 3: another epsilon"])),
    "plan-with-looks": plan_with_looks,
    "looks": lambda: told_page([looks().told()]),
    "plan-of-a-protocol": lambda: plan_page(plan_of_a_protocol()),
    "impact-assessment": lambda: impact_assessment(dossier()),
    "impact-assessment-of-a-protocol": lambda: impact_assessment(dossier_of_a_protocol()),
    "processing-record": lambda: processing_record(dossier()),
    "ethics-summary": lambda: ethics_summary(dossier()),
    "data-use-agreement": lambda: data_use_agreement(dossier()),
    "patient-information": lambda: patient_information(dossier()),
    "rounds": rounds,
    "round": lambda: rounds(failed=False),
    "round-record": round_record,
    "outcome": outcome,
    "extracts": extracts,
    "study-report": study_report,
    "whole-report": whole_report,
    "whole-report-of-a-count": lambda: whole_report(trained=False),
    "demo": demo,
    "design": design,
    "design-of-a-count": lambda: design(sized=False),
    "design-what-if": design_what_if,
    "simulation": simulation,
    "simulation-without-a-sweep": lambda: simulation(swept=False),
    "simulation-of-a-sample": simulation_of_a_sample,
    "sweep-on-records": sweep_on_records,
    "audit": audit,
    "audit-of-an-altered-ledger": lambda: audit(altered=True),
    "audit-overview": lambda: audit(whole=False),
    "audit-overview-of-an-altered-ledger": lambda: audit(altered=True, whole=False),
    "audit-extract": audit_extract,
    "own-model": own_model,
    "edited-model": edited_model,
    "own-rounds": own_rounds,
    "own-rounds-without-models": lambda: own_rounds_page("small-0123456789ab", "AUC", (), 0.0),
    "own-model-without-figures": lambda: own_model(known=False),
    "personal-model": personal,
    "personal-model-that-harms": lambda: personal(change=(0.05, 0.01, 0.09), changed=True),
    "personal-model-not-judged": lambda: personal(change=(-0.02, None, None), rare=1),
    "selftest": selftest,
    "data-sets": data_sets,
    "mapping": mapping,
    "table-with-a-mapping": lambda: mapping(of="table"),
    "mapping-taken-away": lambda: no_mapping_page("records"),
    "table-without-a-mapping": lambda: mapping(of="nothing"),
    "readiness": readiness,
    "readiness-without-trouble": lambda: readiness(well=True),
    "partners": partners,
    "settings": settings,
    "settings-without-pysyft": lambda: settings(has_pysyft=False),
    "grant": granted,
    "grant-to-a-budget": lambda: granted(
        before=Decimal(1), after=Decimal(3), reopened=True, unknown=True
    ),
    "revocation": lambda: revocation_page("clinic", Decimal("0.4"), ["small-0123456789ab"]),
    "revocation-of-all": lambda: revocation_page("clinic", Decimal(0), []),
    "budgets": lambda: budgets_page([BudgetLine("clinic", Decimal("0.42"), 2, revoked=False)]),
    "budgets-none": lambda: budgets_page([]),
    "data-removal": lambda: data_removal_page("referrals", "clinic", "/srv/t.csv", copied=True),
    "trust": lambda: trust_page(ledger(altered=False)[1], "", ""),
    "trust-a-successor": lambda: trust_page(ledger(altered=False)[1], "0a1b 2c3d", "2026-05-01"),
    "distrust": lambda: distrust_page(ledger(altered=False)[1]),
    "settling": lambda: settling_page("SVHC"),
    "excuse": lambda: excuse_page("SVHC", "SVHD", 4096, "2026-05-01T08:00:00Z"),
    "notices": lambda: notices_page(NOTICES),
    "notices-none": lambda: notices_page(None),
    "notices-new": lambda: new_notices_page(NOTICES, NOTICES[:1], ("mail", "webhook")),
    "notices-first": lambda: new_notices_page(NOTICES, None, ()),
    "notices-taken-away": lambda: no_notices_page(NOTICES),
    "notice-trials": lambda: notice_trials_page(
        [("mail", ""), ("webhook", "it ended with exit code 2")]
    ),
    "people": people,
    "people-nobody": lambda: people_page([]),
    "person-removal": lambda: person_removal_page("anna"),
    "rules": lambda: rules_page(RULES, [("models", "linear")], FILES_OPEN),
    "rules-that-approve-alone": lambda: rules_page(ALONE.rows(), RULES, NETWORK_ALLOWED),
    "rules-none-before": lambda: rules_page([], None, NETWORK_OPEN),
    "rules-taken-away": lambda: no_rules_page(RULES),
    "egress": egress,
    "egress-before-an-approval": lambda: egress("researcher", ()),
    "error": lambda: error_page(FAULTS[0]),
    "compared-models": comparison,
    "archive": archive,
    "model-versions": lambda: versions_page(model_line(), "c" * 64),
    "model-versions-alone": lambda: versions_page(model_line()[1:2], ""),
    "model-recall": model_recall,
    "study-cleaning": study_cleaning,
    "study-cleaning-of-nothing": lambda: cleaning_page([]),
    "rows-drift": rows_drift,
    "rows-drift-none": lambda: rows_drift(moved=False),
    "site-models": site_models,
    "site-models-none": lambda: site_models(some=False),
    "archive-of-strangers": lambda: archive(compared=False),
    "removal": removal,
    "removal-of-unknown-patients": lambda: removal(known=False),
    "approvals": approvals,
    "live": live,
    "live-of-a-run-that-waits": lambda: live(waits=True),
    "agreement": agreed,
    "machines": machines,
    "machines-all-ready": lambda: machines(ready=True),
    "agreement-in-force": lambda: agreed(bound=("clinic",), missing=()),
    "statistics": statistics,
    "split-figures": split_figures,
    "survival-curves": survival_curves,
}
NAMES = tuple(_BUILDERS)


@cache
def built(name):
    """The page of this name."""
    return _BUILDERS[name]()
